//! Load, serve, drain.

use std::{
    fs,
    future::Future,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tracing::{info, warn};
use weir_model::ticket::TicketKey;

use crate::{
    Config, Http3, InvalidModule,
    cache::{Disk, Memory, Templates, disk::OpenError},
    doors::{self, Doorway, Drain, Seats},
    facts::Facts,
    handler::Handler,
    metrics::Metrics,
    policy::{self, PolicyError},
    rollout::{Rollouts, StoreError},
    room::Rooms,
    shelf::LiveEdges,
    trace::Tracer,
    upstream::{SettingsError, Upstream},
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
    /// Origins and shields cannot be used as they are named.
    #[error(transparent)]
    Upstream(#[from] SettingsError),
    /// The disk cache cannot be used.
    #[error(transparent)]
    DiskCache(#[from] OpenError),
    /// What is kept of edge modules cannot be read or written.
    #[error(transparent)]
    EdgeStore(StoreError),
    /// The operator's policy cannot be followed.
    #[error("the edge's policy: {0}")]
    Policy(#[from] PolicyError),
}

/// TLS of one listener: HTTP/2 and HTTP/1.1, by ALPN.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate; `alpn_protocols` says what is offered.
    pub config: Arc<ServerConfig>,
    /// The port on which the same host speaks HTTP/3, which viewers are told of (RFC 7838).
    pub http3_port: Option<u16>,
}

/// Live streams whose edges are known at a time.
const MAX_STREAMS: usize = 65_536;

/// One point of presence. Clones share cache, connections to the origin and counters.
#[derive(Clone)]
pub struct Pop {
    pub(crate) config: Arc<Config>,
    pub(crate) handler: Arc<Handler>,
    pub(crate) rollouts: Arc<Rollouts>,
    policy: policy::Source,
    tracer: Arc<Tracer>,
    /// For connections of all listeners together.
    seats: Arc<Seats>,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) began: Instant,
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
        let mut source = policy::Source {
            path: config.edge_policy.clone(),
            pop: config.name.clone(),
            ticket_keys: config.ticket_keys.clone(),
        };
        let policy = source.read()?;
        let rollout = config.rollout.clone();
        let rollouts = Rollouts::load(rollout, &module, &policy.config, registry)
            .map_err(|error| error.of(&config.edge_module))?;
        let metrics = Metrics::register(registry);
        let templates = Arc::<Templates>::default();
        let disk = config.disk_cache.as_ref();
        let disk = disk
            .map(|disk| Disk::open(disk, metrics.disk.clone(), templates.clone()))
            .transpose()?;
        let upstream = Upstream::new(
            config.upstream.clone(),
            &config.name,
            config.max_object_bytes,
            registry,
        )?;
        let handler = Handler {
            guests: rollouts.guests().clone(),
            facts: Arc::new(Facts::new(&policy)),
            memory: Memory::new(config.cache_bytes),
            disk,
            templates,
            flights: Arc::default(),
            live_edges: Mutex::new(LiveEdges::new(MAX_STREAMS)),
            rooms: Rooms::new(&config.rooms, upstream.clone(), registry),
            upstream,
            metrics,
            body_timeout: config.body_timeout,
        };
        Ok(Self {
            tracer: Arc::new(Tracer::new(config.trace_rate)),
            seats: Arc::new(Seats::new(config.max_connections, config.connection_bytes)),
            draining: Arc::default(),
            began: Instant::now(),
            policy: source,
            config: Arc::new(config),
            handler: Arc::new(handler),
            rollouts: Arc::new(rollouts),
        })
    }

    /// Serves viewers from `listener`, over HTTPS if `tls` is given, until `shutdown` completes,
    /// then lets requests under way finish within the drain timeout. One PoP may serve several
    /// listeners at once; one that has drained is not to serve again. Needs a tokio runtime.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<Tls>,
        shutdown: impl Future<Output = ()>,
    ) {
        self.handler.upstream.attend();
        self.rollouts.attend(&self.handler.upstream);
        self.handler.facts.attend(&self.policy, &self.rollouts);
        let http3_port = tls.as_ref().and_then(|tls| tls.http3_port);
        let doorway = Arc::new(Doorway {
            alt_svc: http3_port.and_then(doors::alt_svc),
            ..self.doorway()
        });
        let tls = tls.map(|tls| TlsAcceptor::from(tls.config));
        let drain = Drain::new();
        doors::tcp::accept(&doorway, listener, tls, &drain, shutdown).await;
        self.drain(drain).await;
    }

    /// The same for viewers who come over HTTP/3.
    pub async fn serve_http3(&self, door: Http3, shutdown: impl Future<Output = ()>) {
        self.handler.upstream.attend();
        let doorway = Arc::new(self.doorway());
        let drain = Drain::new();
        door.accept(&doorway, &drain, shutdown).await;
        self.drain(drain).await;
        door.close().await;
    }

    /// What it signs session tickets with at the moment; `None` if it signs none.
    pub fn ticket_key(&self) -> Option<TicketKey> {
        self.handler.facts.ticket_key()
    }

    fn doorway(&self) -> Doorway {
        Doorway {
            config: self.config.clone(),
            handler: self.handler.clone(),
            tracer: self.tracer.clone(),
            seats: self.seats.clone(),
            alt_svc: None,
        }
    }

    async fn drain(&self, drain: Drain) {
        self.draining.store(true, Relaxed);
        self.rollouts.rest();
        self.handler.facts.rest();
        self.handler.upstream.drain();
        let finish = async { tokio::join!(drain.finish(), self.handler.rooms.drain()) };
        match timeout(self.config.drain_timeout, finish).await {
            Ok(_) => info!("drained"),
            Err(_) => warn!("drain timeout passed with requests under way"),
        }
    }

    /// Whether it lets nobody in any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

impl std::fmt::Debug for Pop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pop")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
