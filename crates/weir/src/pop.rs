//! `weir pop`, and the point of presence's half of `weir serve`.

use std::{
    io::{self, Write},
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use futures_util::FutureExt;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::{net::TcpListener, sync::oneshot};
use weir_origin::keys::OperatorToken;
use weir_pop::{Http3, Operator, Pop, Tls, upstream::Settings};

use crate::{
    cache::CacheArgs,
    certificate::Certificate,
    cli::{DoorArgs, PopArgs, UpstreamArgs},
    edge_secret, files, lookup, shutdown, ticket_keys,
};

/// Runs a point of presence until it is asked to end.
pub(crate) async fn run(args: PopArgs) -> anyhow::Result<()> {
    let asked = shutdown::asked()?;
    let rollout = args.modules.config()?;
    let module = lookup::edge_module(args.modules.edge_module)?;
    let upstream = upstream(args.upstream)?;
    let ticket_keys = upstream.secrets.clone().map(ticket_keys::of_edge);
    let config = weir_pop::Config {
        name: args.name,
        rollout: Some(rollout),
        ticket_keys,
        ..config(upstream, module, &args.doors, &args.cache)
    };
    let certificate = Certificate::named(args.certificate, args.https.is_some(), Path::new("."))?;
    let doors = Doors::open(args.listen, args.https, certificate.as_ref(), &args.doors).await?;
    let token = OperatorToken::load_or_create(&args.operator_token_file)?;
    let (listener, operator) = bind(args.operator, "operators", "--operator").await?;
    let mut registry = Registry::default();
    let pop = Pop::load(config, &mut registry)?;

    let ready = json!({
        "viewer": format!("http://{}", doors.addresses().plain),
        "viewer_https": doors.addresses().secure.map(|address| format!("https://{address}")),
        "http3": doors.addresses().http3.map(|address| format!("https://{address}")),
        "operator": format!("http://{operator}"),
        "operator_token_file": std::path::absolute(&args.operator_token_file)?,
    });
    announce(&ready)?;

    let operator = Operator::new(pop.clone(), registry, move |presented| {
        token.matches(presented)
    });
    let asked = async {
        tokio::select! {
            () = asked => {}
            () = operator.drain_asked() => {}
        }
    };
    // The operator sees the drain to its end.
    let (drained, until_drained) = oneshot::channel::<()>();
    let serving = async {
        doors.serve(&pop, asked).await;
        drop(drained);
    };
    let seen = operator.serve(listener, until_drained.map(|_| ()));
    tokio::join!(serving, seen);
    Ok(())
}

/// What a point of presence is told, but for what it need not be told.
pub(crate) fn config(
    upstream: Settings,
    module: std::path::PathBuf,
    doors: &DoorArgs,
    cache: &CacheArgs,
) -> weir_pop::Config {
    weir_pop::Config {
        edge_policy: doors.edge_policy.clone(),
        cache_bytes: cache.cache,
        disk_cache: cache.disk(),
        max_connections: doors.max_connections,
        connection_bytes: doors.connection_memory,
        drain_timeout: doors.drain_timeout,
        trace_rate: doors.trace_rate,
        rooms: doors.rooms.config(),
        ..weir_pop::Config::behind(upstream, module)
    }
}

/// Whom a point of presence asks.
fn upstream(args: UpstreamArgs) -> anyhow::Result<Settings> {
    Ok(Settings {
        origins: args.origin,
        shields: args.shield,
        secrets: edge_secret::named(args.edge_secret_file)?,
        ca: args.origin_ca,
        ..Settings::default()
    })
}

/// Says on stdout, in one JSON line, that viewers are let in and where.
fn announce(ready: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{ready}")
        .and_then(|()| out.flush())
        .context("cannot say that the point of presence is ready")
}

/// Where viewers come in.
pub(crate) struct Doors {
    plain: TcpListener,
    secure: Option<Secure>,
    addresses: Addresses,
}

struct Secure {
    listener: TcpListener,
    tls: Tls,
    http3: Option<Http3>,
}

/// Where the doors are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    /// HTTP.
    pub(crate) plain: SocketAddr,
    /// HTTPS.
    pub(crate) secure: Option<SocketAddr>,
    /// HTTP/3, over UDP.
    pub(crate) http3: Option<SocketAddr>,
}

impl Doors {
    /// Opens the sockets for viewers.
    pub(crate) async fn open(
        listen: SocketAddr,
        https: Option<SocketAddr>,
        certificate: Option<&Arc<Certificate>>,
        args: &DoorArgs,
    ) -> anyhow::Result<Self> {
        files::allow(args.max_connections);
        let (plain, address) = bind(listen, "viewers", "--listen").await?;
        let mut doors = Self {
            plain,
            secure: None,
            addresses: Addresses {
                plain: address,
                secure: None,
                http3: None,
            },
        };
        if let Some((https, certificate)) = https.zip(certificate) {
            let (listener, address) = bind(https, "viewers", "--https").await?;
            let config = certificate.server_config(&["h2", "http/1.1"])?;
            let http3 = match args.no_http3 {
                true => None,
                false => Some(http3(address, &config)?),
            };
            doors.addresses.secure = Some(address);
            doors.addresses.http3 = http3.is_some().then_some(address);
            let tls = Tls {
                config,
                http3_port: http3.is_some().then(|| address.port()),
            };
            doors.secure = Some(Secure {
                listener,
                tls,
                http3,
            });
        }
        Ok(doors)
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Lets viewers in until `shutdown` completes.
    pub(crate) async fn serve(self, pop: &Pop, shutdown: impl Future<Output = ()>) {
        let shutdown = shutdown.shared();
        let plain = pop.serve(self.plain, None, shutdown.clone());
        let secure = async {
            let Some(Secure {
                listener,
                tls,
                http3,
            }) = self.secure
            else {
                return;
            };
            let http3 = async {
                if let Some(http3) = http3 {
                    pop.serve_http3(http3, shutdown.clone()).await;
                }
            };
            tokio::join!(pop.serve(listener, Some(tls), shutdown.clone()), http3);
        };
        tokio::join!(plain, secure);
    }
}

/// Over UDP, on the port that HTTPS has over TCP.
fn http3(address: SocketAddr, tls: &rustls::ServerConfig) -> anyhow::Result<Http3> {
    let socket = UdpSocket::bind(address).with_context(|| {
        format!("viewers can't connect to {address} over UDP (--no-http3 does without)")
    })?;
    Http3::open(socket, tls).context("HTTP/3 can't be offered")
}

async fn bind(
    address: SocketAddr,
    who: &str,
    option: &str,
) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|e| match e.kind() {
            io::ErrorKind::AddrInUse => {
                anyhow!(
                    "port {} is in use: {who} can't connect to {address} ({option})",
                    address.port()
                )
            }
            _ => anyhow!("{who} can't connect to {address} ({option}): {e}"),
        })?;
    let address = listener
        .local_addr()
        .with_context(|| format!("the socket for {who} has no address"))?;
    Ok((listener, address))
}
