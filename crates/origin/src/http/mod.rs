//! The HTTP planes.
//!
//! - [`viewer`]: what points of presence ask for viewers: media, the public API, the web app
//! - [`operator`]: what the operator asks for, behind the operator token, and `/metrics`
//!
//! and what they are made of:
//!
//! - [`media`]: `/v/…`: playlists, segments, parts, spans
//! - [`forms`]: what many ask for at once, rendered once and compressed once
//! - [`videos`]: creating, reading, changing and ending videos
//! - [`stream_health`]: how a broadcast is doing
//! - [`frames`]: the span that holds a moment
//! - [`comments`], [`events`], [`stats`]: the rest of the API
//! - [`room`]: chat and reactions, to points of presence
//! - [`whip`], [`whep`]: WebRTC sessions, to publish and to play; `session`: what both share
//! - [`time`]: what players set their clocks by
//! - [`web`]: the web app's files
//! - [`edge`]: edge modules, uploaded and fetched
//! - [`leases`]: which videos are here, for points of presence
//! - [`pop`]: the point of presence in the same process, for its operator
//! - `tls`: points of presence that come over TLS
//! - [`trust`]: whether a request comes from one
//! - [`trace`]: requests that are followed through the logs
//! - [`health`]: probes and metrics
//! - [`openapi`]: the contract
//! - [`problem`]: errors, as RFC 9457 problems

pub mod comments;
pub mod edge;
pub mod events;
pub mod forms;
pub mod frames;
pub mod health;
pub mod leases;
pub mod media;
pub mod openapi;
pub mod operator;
pub mod pop;
pub mod problem;
pub mod room;
mod session;
pub mod stats;
pub mod stream_health;
#[cfg(test)]
pub(crate) mod test_client;
pub mod time;
pub(crate) mod tls;
pub mod trace;
pub mod trust;
pub mod videos;
pub mod viewer;
pub mod web;
pub mod whep;
pub mod whip;

use std::{path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

use self::{pop::Neighbour, trust::Trust};

use crate::{
    clock::Clock,
    events::{Statistics, tickets::Tickets},
    http::forms::{Forms, share::UnderWay},
    keys::OperatorToken,
    metrics::Metrics,
    origin::PushUrls,
    registry::Registry,
    rollout::Rollouts,
    room::Rooms,
    store::{Comments, MetaStore},
    webrtc::WebRtc,
};

/// What the handlers of both planes work with.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// All videos.
    pub registry: Registry,
    /// Their metadata.
    pub meta: Arc<dyn MetaStore>,
    /// Their comments.
    pub comments: Arc<dyn Comments>,
    /// Who hears of them at once.
    pub rooms: Rooms,
    /// Their counts.
    pub statistics: Statistics,
    /// Whose events are counted.
    pub tickets: Tickets,
    /// Edge modules, and how they go out.
    pub rollouts: Arc<Rollouts>,
    /// The origin's clock.
    pub clock: Clock,
    /// Opens the viewer plane.
    pub trust: Trust,
    /// Opens the operator plane.
    pub operator_token: OperatorToken,
    /// The point of presence in the same process, if there is one.
    pub pop: Option<Arc<dyn Neighbour>>,
    /// WebRTC sessions.
    pub webrtc: WebRtc,
    /// Where encoders push.
    pub push_urls: PushUrls,
    /// The data folder, whose disk has to be writable.
    pub data: PathBuf,
    /// The built web app, if there is one.
    pub www: Option<PathBuf>,
    /// What was rendered and may be asked for again.
    pub forms: Forms,
    /// Answers of the API that are being made.
    pub under_way: UnderWay,
    /// Whether lists tell players where to ask which pathway to take.
    pub steering: bool,
    /// What the origin counts.
    pub metrics: Metrics,
    /// Everything that `/metrics` shows.
    pub registered: prometheus_client::registry::Registry,
    /// Cancelled when the origin goes down: requests that wait are let go.
    pub shutdown: CancellationToken,
}

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
