//! Rooms: chat, reactions, notices and the number of viewers, over WebSockets. The frames are
//! [`weir_model::room`]'s.
//!
//! - `hub`: one room, pure: numbers, batches, slow clients
//! - `hall`: a hub that tasks share
//! - `viewer`: one viewer's socket
//! - `subscription`: the one connection to the origin that a room has while it has viewers
//! - `handshake`: who may open a socket, and how
//! - `places`: how many may
//! - `metrics`: what is counted
//!
//! A viewer costs a task, a socket and a position in the room's list of frames; what is sent to all is
//! serialised once. Nothing ever waits for a viewer.

mod hall;
mod handshake;
mod hub;
mod metrics;
mod places;
mod subscription;
mod viewer;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use prometheus_client::registry::Registry;
use tokio::{sync::watch, time::timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::debug;
use weir_model::{VideoId, problem::Code};

use self::{
    hall::Hall,
    hub::{Hub, Limits, Seat},
    metrics::RoomMetrics,
    places::{Full, Places},
};
use crate::{
    config::RoomConfig,
    respond::{self, ViewerResponse, problem},
    upstream::Upstream,
};

/// How long a connection may take to become a socket once that is agreed.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// All rooms of a PoP. Clones share them.
#[derive(Clone)]
pub(crate) struct Rooms(Arc<Shared>);

struct Shared {
    limits: Limits,
    /// Further pages than the PoP's own that may open sockets.
    page_origins: Vec<String>,
    upstream: Upstream,
    halls: Mutex<HashMap<VideoId, Arc<Hall>>>,
    places: Arc<Places>,
    metrics: RoomMetrics,
    /// Whether sockets are to close. Every socket's task holds a receiver.
    draining: watch::Sender<bool>,
}

impl Rooms {
    /// No room yet.
    pub(crate) fn new(config: &RoomConfig, upstream: Upstream, registry: &mut Registry) -> Self {
        Self(Arc::new(Shared {
            limits: Limits::default(),
            page_origins: config.page_origins.clone(),
            upstream,
            halls: Mutex::default(),
            places: Places::new(config.max_clients, config.max_clients_per_address),
            metrics: RoomMetrics::register(registry),
            draining: watch::Sender::new(false),
        }))
    }

    /// Answers a request for a socket of `video`'s room, by a viewer who has everything up to
    /// `after`. The socket is served by a task of its own from then on.
    pub(crate) fn join(
        &self,
        request: &mut Parts,
        video: VideoId,
        after: Option<u64>,
        address: Option<std::net::IpAddr>,
    ) -> ViewerResponse {
        let refused = |code, detail| {
            self.0.metrics.refused.inc();
            problem(code, detail)
        };
        let accept = match handshake::check(request, &self.0.page_origins) {
            Ok(accept) => accept,
            Err(refusal) => return refused(refusal.code(), refusal.detail()),
        };
        // Absent from requests that did not come over HTTP/1.1.
        let Some(upgrade) = request.extensions.remove::<OnUpgrade>() else {
            let refusal = handshake::Refusal::NoUpgrade;
            return refused(refusal.code(), refusal.detail());
        };
        let place = match self.0.places.take(address) {
            Ok(place) => place,
            Err(Full::Address) => {
                let detail = "too many sockets are open from this address";
                return refused(Code::RateLimited, detail);
            }
            Err(Full::Pop) => {
                return refused(
                    Code::Unavailable,
                    "too many sockets are open here; try again",
                );
            }
        };
        let (rooms, draining) = (self.clone(), self.0.draining.subscribe());
        tokio::spawn(async move {
            let upgraded = match timeout(UPGRADE_TIMEOUT, upgrade).await {
                Ok(Ok(upgraded)) => upgraded,
                Ok(Err(error)) => return debug!(%error, "connection did not become a socket"),
                Err(_) => return debug!("connection did not become a socket in time"),
            };
            let socket = viewer::socket(upgraded).await;
            let (presence, seat, first) = rooms.enter(video, after);
            rooms.0.metrics.clients.inc();
            viewer::attend(
                socket,
                &presence.hall,
                seat,
                first,
                draining,
                &rooms.0.metrics,
            )
            .await;
            rooms.0.metrics.clients.dec();
            drop((presence, place));
        });
        respond::switching(accept)
    }

    /// Closes all sockets, and lets none be opened any more.
    pub(crate) async fn drain(&self) {
        self.0.draining.send_replace(true);
        self.0.draining.closed().await;
    }

    /// Seats a viewer; the first one of a video opens its room.
    fn enter(&self, video: VideoId, after: Option<u64>) -> (Presence, Seat, Vec<Utf8Bytes>) {
        let mut halls = self.0.lock();
        let hall = halls.entry(video).or_insert_with(|| {
            let hub = Hub::new(self.0.limits, Instant::now());
            let hall = Arc::new(Hall::new(video, hub));
            self.0.metrics.rooms.inc();
            tokio::spawn(subscription::keep(self.clone(), hall.clone()));
            hall
        });
        let hall = hall.clone();
        let (seat, first) = hall.tell(|hub| hub.join(after));
        (Presence { hall }, seat, first)
    }

    /// Gives a room up, unless somebody came meanwhile.
    fn give_up(&self, hall: &Hall) -> bool {
        let mut halls = self.0.lock();
        let gives_up_at = hall.tell(|hub| hub.gives_up_at());
        let given_up = gives_up_at.is_some_and(|at| at <= Instant::now());
        if given_up {
            halls.remove(&hall.video());
            self.0.metrics.rooms.dec();
        }
        given_up
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<VideoId, Arc<Hall>>> {
        self.halls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A viewer in a hall, until it is dropped.
struct Presence {
    hall: Arc<Hall>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.hall.tell(|hub| hub.leave(Instant::now()));
    }
}
