//! `weir pop`, and the point of presence's half of `weir serve`.

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use futures_util::FutureExt;
use prometheus_client::registry::Registry;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use weir_pop::Pop;

use crate::{certificate::Certificate, cli::PopArgs, lookup, shutdown};

/// Runs a point of presence until it is asked to end.
pub(crate) async fn run(args: PopArgs) -> anyhow::Result<()> {
    let asked = shutdown::asked()?;
    let module = lookup::edge_module(args.edge_module)?;
    let config = weir_pop::Config {
        name: args.name,
        ..weir_pop::Config::new(args.origin, module)
    };
    let certificate = Certificate::named(args.certificate, args.https.is_some(), Path::new("."))?;
    let doors = Doors::open(args.listen, args.https, certificate.as_ref()).await?;
    let pop = Pop::load(config, &mut Registry::default())?;
    let (plain, secure) = doors.addresses();
    tracing::info!(address = %plain, https = secure.map(display), "point of presence ready");
    doors.serve(&pop, asked).await;
    Ok(())
}

/// Where viewers come in.
pub(crate) struct Doors {
    plain: (TcpListener, SocketAddr),
    secure: Option<(TcpListener, SocketAddr, Arc<ServerConfig>)>,
}

impl Doors {
    /// Opens the sockets for viewers.
    pub(crate) async fn open(
        listen: SocketAddr,
        https: Option<SocketAddr>,
        certificate: Option<&Arc<Certificate>>,
    ) -> anyhow::Result<Self> {
        let secure = match https.zip(certificate) {
            Some((address, certificate)) => {
                let (listener, address) = bind(address, "--https").await?;
                Some((listener, address, certificate.server_config(&["http/1.1"])?))
            }
            None => None,
        };
        Ok(Self {
            plain: bind(listen, "--listen").await?,
            secure,
        })
    }

    /// The addresses of HTTP and HTTPS.
    pub(crate) fn addresses(&self) -> (SocketAddr, Option<SocketAddr>) {
        (
            self.plain.1,
            self.secure.as_ref().map(|(_, address, _)| *address),
        )
    }

    /// Lets viewers in until `shutdown` completes.
    pub(crate) async fn serve(self, pop: &Pop, shutdown: impl Future<Output = ()>) {
        let shutdown = shutdown.shared();
        let secure = async {
            if let Some((listener, _, tls)) = self.secure {
                pop.serve(listener, Some(tls), shutdown.clone()).await;
            }
        };
        tokio::join!(pop.serve(self.plain.0, None, shutdown.clone()), secure);
    }
}

async fn bind(address: SocketAddr, option: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|e| match e.kind() {
            io::ErrorKind::AddrInUse => {
                anyhow!(
                    "port {} is in use: viewers can't connect to {address} ({option})",
                    address.port()
                )
            }
            _ => anyhow!("viewers can't connect to {address} ({option}): {e}"),
        })?;
    let address = listener
        .local_addr()
        .context("the viewers' socket has no address")?;
    Ok((listener, address))
}
