//! Load, serve, drain.

use std::{
    convert::Infallible, fs, future::Future, io, path::PathBuf, pin::pin, sync::Arc, time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tracing::{debug, info, warn};

use crate::{
    Config, InvalidModule, cache::Cache, guest::Guests, handler::Handler, metrics::Metrics,
    origin::Origin, patience::Patient,
};

/// Why a PoP could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The module file could not be read.
    #[error("cannot read the edge module {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not an edge module.
    #[error("{path} is not an edge module")]
    Module {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InvalidModule,
    },
    /// The origin's address has no scheme `http` or no authority.
    #[error("the origin must be http://host:port, not {0}")]
    Origin(http::Uri),
    /// The PoP's name cannot stand in a header field.
    #[error("{0:?} is no name of a PoP")]
    Name(String),
}

/// Pause after an `accept` that failed, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Most fields of a request's head.
const MAX_HEAD_FIELDS: usize = 64;

/// One point of presence. Clones share cache, connections to the origin and counters.
#[derive(Clone)]
pub struct Pop {
    config: Arc<Config>,
    handler: Arc<Handler>,
    /// For connections of all listeners together.
    room: Arc<Semaphore>,
}

impl Pop {
    /// Reads, compiles and starts the edge module and registers the PoP's counters
    /// (`weir_pop_…`) in `registry`. Asks nothing of the origin.
    pub fn load(config: Config, registry: &mut Registry) -> Result<Self, LoadError> {
        let path = || config.edge_module.clone();
        let module = fs::read(&config.edge_module).map_err(|source| LoadError::Read {
            path: path(),
            source,
        })?;
        let guests = Guests::load(&module, weir_edge_abi::Config::default()).map_err(|source| {
            LoadError::Module {
                path: path(),
                source,
            }
        })?;
        let handler = Handler {
            guests,
            cache: Cache::new(config.cache_bytes),
            flights: Arc::default(),
            origin: Origin::new(&config.origin, &config.name, config.max_object_bytes)?,
            metrics: Metrics::register(registry),
            body_timeout: config.body_timeout,
        };
        Ok(Self {
            room: Arc::new(Semaphore::new(config.max_connections)),
            config: Arc::new(config),
            handler: Arc::new(handler),
        })
    }

    /// Serves viewers from `listener`, over HTTPS if `tls` is given, until `shutdown` completes,
    /// then lets requests under way finish within the drain timeout. One PoP may serve several
    /// listeners at once; one that has drained is not to serve again. Needs a tokio runtime.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut shutdown = pin!(shutdown);
        let tls = tls.map(TlsAcceptor::from);
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let permit = self.room.clone().acquire_owned().await.ok();
                (permit, listener.accept().await)
            };
            let (permit, stream) = tokio::select! {
                () = &mut shutdown => break,
                (permit, accepted) = accepted => match accepted {
                    Ok((stream, _)) => (permit, stream),
                    Err(error) => {
                        warn!(%error, "accept failed");
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let (pop, tls, watcher) = (self.clone(), tls.clone(), graceful.watcher());
            tokio::spawn(async move {
                pop.handler.metrics.connections.inc();
                // Answers are written whole, so there is nothing to gain from waiting for more.
                let _ = stream.set_nodelay(true);
                let ended = match tls {
                    None => watcher.watch(pop.connection(stream)).await,
                    Some(tls) => match pop.shake_hands(tls, stream).await {
                        Ok(stream) => watcher.watch(pop.connection(stream)).await,
                        Err(error) => {
                            debug!(%error, "TLS handshake failed");
                            Ok(())
                        }
                    },
                };
                if let Err(error) = ended {
                    debug!(%error, "connection ended");
                }
                pop.handler.metrics.connections.dec();
                drop(permit);
            });
        }
        drop(listener);
        self.handler.origin.drain();
        match timeout(self.config.drain_timeout, graceful.shutdown()).await {
            Ok(()) => info!("drained"),
            Err(_) => warn!("drain timeout passed with requests under way"),
        }
    }

    async fn shake_hands(
        &self,
        tls: TlsAcceptor,
        stream: TcpStream,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        timeout(self.config.head_timeout, tls.accept(stream)).await?
    }

    fn connection<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        stream: S,
    ) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send + use<S>
    {
        let handler = self.handler.clone();
        let service = service_fn(move |request| {
            let handler = handler.clone();
            async move { Ok::<_, Infallible>(handler.answer(request).await) }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.head_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEAD_FIELDS)
            .serve_connection(
                TokioIo::new(Patient::new(stream, self.config.write_timeout)),
                service,
            )
    }
}

impl std::fmt::Debug for Pop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pop")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
