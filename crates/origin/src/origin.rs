//! The assembly: one origin on one data folder.
//!
//! | in the folder | what |
//! | --- | --- |
//! | `operator-token` | opens the operator plane; for the owner alone |
//! | `meta.db` | videos, stream keys, comments |
//! | `log.db`, `stats.db` | events as they came, and the counts made of them |
//! | `journal/{video}.jsonl` | what a broadcast did, until it is a recording |
//! | `spool/{video}/…` | segments on their way into object storage |
//! | `objects/videos/…` | object storage: spans and recordings |
//! | `edge/` | edge modules, and which of them points of presence are to run |
//! | `lock` | held by the origin that runs on the folder |

mod listeners;

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    serve::{Listener, ListenerExt},
};
use object_store::local::LocalFileSystem;
use prometheus_client::registry::Registry as Registered;
use thiserror::Error;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weir_media::live::LiveConfig;
pub use weir_media::package::PartProfile;
use weir_model::edge::EdgeSecrets;

pub use self::listeners::{BindError, Listeners, PushUrls};
use crate::{
    archive::Archive,
    broadcast::{Surroundings, slate},
    clock::Clock,
    events::{
        Options, Statistics,
        tickets::{self, Tickets},
    },
    http::{
        self, App, Parts,
        forms::{Forms, share::UnderWay},
        pop::Neighbour,
        tls::TlsListener,
        trust::{OpenToAnyone, Trust},
    },
    journal::Journal,
    keys::{OperatorToken, OperatorTokenError},
    metrics::Metrics,
    registry::{Registry, RegistryError},
    rollout::{RolloutError, Rollouts},
    room::{
        self, Rooms,
        relay::{self, Relay, RelayError},
    },
    rtmp::{self, Claims},
    spool::Spool,
    srt,
    store::{SqliteMeta, StoreError},
    transcode::ladder::Ladder,
    webrtc::{self, WebRtc, turn::TurnServers},
};

/// How long connections may take to end once the origin is asked to.
const DRAIN: Duration = Duration::from_secs(5);

/// What an origin is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that holds everything; made if it is missing.
    pub data: PathBuf,
    /// Where points of presence connect.
    pub viewer: SocketAddr,
    /// Where points of presence connect over TLS, and what they are shown.
    pub viewer_https: Option<(SocketAddr, Arc<ServerConfig>)>,
    /// Secrets shared with points of presence, the latest; without one, the viewer plane has to
    /// listen on loopback addresses.
    pub edge_secrets: Option<watch::Receiver<EdgeSecrets>>,
    /// Whose events are taken.
    pub tickets: tickets::Options,
    /// Where the operator's API listens.
    pub operator: SocketAddr,
    /// Where encoders push.
    pub rtmp: SocketAddr,
    /// Where encoders push over TLS, and what they are shown.
    pub rtmps: Option<(SocketAddr, Arc<ServerConfig>)>,
    /// Where encoders push over SRT.
    pub srt: srt::Config,
    /// Where media of WebRTC comes and goes.
    pub webrtc: webrtc::Config,
    /// The built web app, if there is one.
    pub www: Option<PathBuf>,
    /// The transcoder's executable; without one, only the source is offered.
    pub transcoder: Option<PathBuf>,
    /// What it is to make of a source that is larger or coded otherwise.
    pub ladder: Ladder,
    /// How long a broadcast waits for an encoder that went away.
    pub reconnect_window: Duration,
    /// What is shown meanwhile, after a moment; without it, viewers wait too.
    pub slate: Option<slate::Config>,
    /// How long parts are.
    pub parts: PartProfile,
    /// Rooms on Cloudflare that hear what happens in the origin's.
    pub rooms: Option<relay::Config>,
    /// The point of presence in the same process, which its operator asks here.
    pub pop: Option<Arc<dyn Neighbour>>,
    /// Whether multivariant playlists and manifests tell players where to ask which pathway to take;
    /// the edge answers there.
    pub steering: bool,
}

impl Config {
    /// An origin on free ports of the loopback address, without web app and transcoder.
    pub fn new(data: PathBuf) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            data,
            viewer: any_port,
            viewer_https: None,
            edge_secrets: None,
            tickets: tickets::Options::default(),
            operator: any_port,
            rtmp: any_port,
            rtmps: None,
            srt: srt::Config {
                address: any_port,
                latency: Duration::from_millis(120),
                passphrase: None,
            },
            webrtc: webrtc::Config {
                address: any_port,
                candidates: Vec::new(),
                turn: TurnServers::default(),
            },
            www: None,
            transcoder: None,
            ladder: Ladder::standard(),
            reconnect_window: Duration::from_secs(30),
            slate: None,
            parts: PartProfile::default(),
            rooms: None,
            pop: None,
            steering: false,
        }
    }

    /// Packaging and ladder.
    fn live(&self) -> LiveConfig {
        LiveConfig {
            parts: self.parts,
            reconnect_window: self.reconnect_window,
            slate_after: self.slate.as_ref().map(|slate| slate.after),
            ladder: self.ladder.renditions.clone(),
            sound: self.ladder.sound.clone(),
            steering: self.steering,
            ..LiveConfig::default()
        }
    }
}

/// Why an origin did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data folder can't be used.
    #[error("data folder {path}: {source}")]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another origin runs on the data folder.
    #[error("data folder {0} is in use by another origin")]
    InUse(PathBuf),
    /// A database can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Object storage can't be opened.
    #[error("object storage: {0}")]
    Objects(#[from] object_store::Error),
    /// Anyone could ask the viewer plane.
    #[error(transparent)]
    OpenToAnyone(#[from] OpenToAnyone),
    /// Edge modules can't be kept.
    #[error(transparent)]
    Rollouts(#[from] RolloutError),
    /// There is no operator token.
    #[error(transparent)]
    OperatorToken(#[from] OperatorTokenError),
    /// Rooms on Cloudflare can't be posted to.
    #[error(transparent)]
    Rooms(#[from] RelayError),
    /// What an earlier life left can't be taken up.
    #[error(transparent)]
    Recover(#[from] RegistryError),
}

/// A running origin.
pub struct Origin {
    viewer: SocketAddr,
    operator: SocketAddr,
    webrtc: SocketAddr,
    push_urls: PushUrls,
    operator_token_file: PathBuf,
    registry: Registry,
    statistics: Statistics,
    meta: SqliteMeta,
    journal: Arc<Journal>,
    spool: Arc<Spool>,
    shutdown: CancellationToken,
    servers: Vec<JoinHandle<()>>,
    /// Locked for as long as the origin uses the data folder.
    _lock: File,
}

impl Origin {
    /// Opens the data folder, takes up what was left there, and begins to serve. `registered`
    /// holds what else `/metrics` shall show. Must be called within a tokio runtime.
    pub async fn start(
        config: Config,
        listeners: Listeners,
        mut registered: Registered,
    ) -> Result<Self, StartError> {
        let live = config.live();
        let https = config.viewer_https.as_ref().map(|(address, _)| *address);
        let trust = Trust::new(
            [config.viewer].into_iter().chain(https),
            config.edge_secrets,
        )?;
        let data = config.data;
        let data_error = |source| StartError::Data {
            path: data.clone(),
            source,
        };
        std::fs::create_dir_all(&data).map_err(data_error)?;
        let lock = lock_folder(&data)?;
        let operator_token_file = data.join("operator-token");
        let operator_token = OperatorToken::load_or_create(&operator_token_file)?;

        let clock = Clock::anchored();
        let meta = SqliteMeta::open(&data.join("meta.db")).await?;
        let videos = Arc::new(meta.clone());
        let statistics = Statistics::open(&data, videos.clone(), clock, Options::default()).await?;
        statistics.metrics().register(&mut registered);
        let metrics = Metrics::register(&mut registered);

        let journal = Arc::new(Journal::open(&data.join("journal")).map_err(data_error)?);
        let spool = Arc::new(Spool::open(&data.join("spool")).map_err(data_error)?);
        let objects = data.join("objects");
        std::fs::create_dir_all(&objects).map_err(data_error)?;
        let objects = LocalFileSystem::new_with_prefix(objects)?.with_fsync(true);
        let archive = Archive::new(Arc::new(objects), spool.clone());
        let surroundings = Surroundings {
            clock,
            journal: journal.clone(),
            spool: spool.clone(),
            transcoder: config.transcoder,
            slate: config.slate,
            live,
            metrics: metrics.clone(),
        };
        let registry = Registry::new(videos.clone(), archive, surroundings);
        registry.recover().await?;

        let shutdown = CancellationToken::new();
        let push_urls = listeners.push_urls();
        let webrtc_address = listeners.webrtc_address();
        let Listeners {
            viewer,
            viewer_https,
            operator,
            rtmp,
            rtmps,
            srt,
            webrtc,
        } = listeners;
        let claims = Arc::new(Claims::default());
        let (webrtc, serving_webrtc) = WebRtc::serve(
            webrtc,
            registry.clone(),
            claims.clone(),
            metrics.clone(),
            shutdown.clone(),
        );
        let relay = config
            .rooms
            .map(|rooms| Relay::new(&rooms, metrics.clone()))
            .transpose()?;
        let rooms = {
            let registry = registry.clone();
            let stage = Arc::new(move |video| room::stage::of(&registry, video));
            Rooms::new(videos.clone(), stage, relay, metrics.clone())
        };
        let tickets = Tickets::new(config.tickets, config.pop.clone());
        tickets.register(&mut registered);
        let app = App::from(Parts {
            registry: registry.clone(),
            meta: videos.clone(),
            comments: videos,
            rooms,
            statistics: statistics.clone(),
            tickets,
            rollouts: Arc::new(Rollouts::open(&data.join("edge"))?),
            clock,
            trust,
            operator_token,
            pop: config.pop,
            webrtc,
            push_urls: push_urls.clone(),
            data,
            www: config.www,
            forms: Forms::new(metrics.clone()),
            under_way: UnderWay::default(),
            steering: config.steering,
            metrics,
            registered,
            shutdown: shutdown.clone(),
        });
        let encoders = |listener, tls| {
            tokio::spawn(rtmp::serve(
                listener,
                tls,
                Arc::new(registry.clone()),
                claims.clone(),
                shutdown.clone(),
            ))
        };
        // Chunks of a growing segment must not wait for each other.
        let prompt = |listener: TcpListener| {
            listener.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            })
        };
        let edges = http::viewer::router(app.clone());
        let operators = http::operator::router(app);
        let mut servers = vec![
            serve(prompt(viewer.0), edges.clone(), shutdown.clone()),
            serve(prompt(operator.0), operators, shutdown.clone()),
            encoders(rtmp.0, None),
        ];
        servers.extend(viewer_https.map(|(listener, address, tls)| {
            let listener = TlsListener::new(listener, address, tls, shutdown.clone());
            serve(listener, edges, shutdown.clone())
        }));
        servers.push(tokio::spawn(srt::serve(
            srt,
            Arc::new(registry.clone()),
            claims.clone(),
            shutdown.clone(),
        )));
        servers.push(tokio::spawn(serving_webrtc));
        servers.extend(rtmps.map(|(listener, _, tls)| encoders(listener, Some(tls))));
        Ok(Self {
            viewer: viewer.1,
            operator: operator.1,
            webrtc: webrtc_address,
            push_urls,
            operator_token_file,
            registry,
            statistics,
            meta,
            journal,
            spool,
            shutdown,
            servers,
            _lock: lock,
        })
    }

    /// Where points of presence connect.
    pub fn viewer_address(&self) -> SocketAddr {
        self.viewer
    }

    /// Where the operator's API listens.
    pub fn operator_address(&self) -> SocketAddr {
        self.operator
    }

    /// Where media of WebRTC comes and goes, over UDP and TCP.
    pub fn webrtc_address(&self) -> SocketAddr {
        self.webrtc
    }

    /// Where encoders push.
    pub fn push_urls(&self) -> &PushUrls {
        &self.push_urls
    }

    /// The file that holds the operator token.
    pub fn operator_token_file(&self) -> &Path {
        &self.operator_token_file
    }

    /// All videos: an encoder of another kind than RTMP's publishes here.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Lets encoders and viewers go and makes everything durable. Broadcasts do not end by this:
    /// the next life of the origin takes them up.
    pub async fn shut_down(self) {
        self.shutdown.cancel();
        for mut server in self.servers {
            if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
                warn!("connections did not end in time");
                server.abort();
            }
        }
        self.registry.close();
        self.statistics.shutdown().await;
        let (spool, journal) = (self.spool, self.journal);
        let flush = tokio::task::spawn_blocking(move || {
            spool.flush();
            journal.flush();
        });
        if flush.await.is_err() {
            warn!("spool and journal were not flushed");
        }
        self.meta.close().await;
        info!("origin ended");
    }
}

fn serve<L>(listener: L, router: Router, shutdown: CancellationToken) -> JoinHandle<()>
where
    L: Listener<Addr: std::fmt::Debug>,
{
    tokio::spawn(async move {
        let asked = shutdown.cancelled_owned();
        if let Err(e) = axum::serve(listener, router)
            .with_graceful_shutdown(asked)
            .await
        {
            warn!(error = %e, "HTTP server ended");
        }
    })
}

/// Two origins on one folder would give names twice.
fn lock_folder(data: &Path) -> Result<File, StartError> {
    let lock = File::create(data.join("lock")).map_err(|source| StartError::Data {
        path: data.to_owned(),
        source,
    })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::InUse(data.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(StartError::Data {
            path: data.to_owned(),
            source,
        }),
    }
}
