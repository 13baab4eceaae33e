//! WebRTC: publishers (WHIP, RFC 9725) and viewers (WHEP, draft-ietf-wish-whep).
//!
//! - [`WebRtc`]: sessions, as HTTP begins and ends them
//! - [`offer`]: offers, cut down to what is taken here
//! - `peer`: one client's connection, as str0m does it
//! - `publisher`, `player`: what a client brings, and what it gets: sans-IO around `peer`
//! - `timeline`, `keyframes`: when a publisher's frames are, and when it is asked for a keyframe
//! - `choice`: which renditions a viewer gets
//! - `publishing`, `playing`: sockets and clocks for the two, one task for each session
//! - `sessions`, `routes`: which sessions there are, and which one a packet is for
//! - `sockets`, `outlet`, `packet`: one UDP socket and one TCP listener for all of them
//! - [`turn`]: an operator's TURN servers
//!
//! Publishers have the same stream keys and claims as over RTMP and SRT, and their units go the
//! same way. Viewers get units from the broadcast's tap, before they are packaged.

mod choice;
mod keyframes;
pub mod offer;
mod outlet;
mod packet;
mod peer;
mod player;
mod playing;
mod publisher;
mod publishing;
mod routes;
mod sessions;
mod sockets;
mod timeline;
pub mod turn;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use thiserror::Error;
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::OwnedSemaphorePermit,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use weir_ingest::rtmp::{Refusal, StreamKey};
use weir_model::{Lane, SessionId, VideoId, WallTime};

pub use self::{
    choice::Unplayable,
    peer::Unanswerable,
    sessions::{MAX_SESSIONS, Role},
};
use self::{
    offer::{Offer, Purpose},
    outlet::Outlet,
    peer::{Answer, Peer},
    player::Player,
    playing::Playing,
    publisher::Publisher,
    publishing::Publishing,
    routes::Routes,
    sessions::{Seat, Session, Sessions},
    turn::TurnServers,
};
use crate::{
    keys,
    metrics::Metrics,
    registry::Registry,
    rtmp::{Claims, Publishers},
};

/// Where clients' media comes and goes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Of UDP and of TCP.
    pub address: SocketAddr,
    /// Where clients can reach that, if it is not there: the public addresses of a machine behind
    /// a NAT, and any other of its own that is to be offered. The ports are the same.
    pub candidates: Vec<IpAddr>,
    /// For clients whose networks let them reach nothing else.
    pub turn: TurnServers,
}

/// The open sockets.
#[derive(Debug)]
pub struct Listener {
    udp: UdpSocket,
    tcp: TcpListener,
    address: SocketAddr,
    candidates: Vec<SocketAddr>,
    turn: TurnServers,
}

/// Opens the sockets.
///
/// # Errors
/// Those of sockets. `InvalidInput` if clients could not be told where to send to.
pub async fn bind(config: &Config) -> io::Result<Listener> {
    if config.candidates.is_empty() && config.address.ip().is_unspecified() {
        let why = "clients have to be told an address; name it with --webrtc-candidate";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let (udp, tcp) = sockets::bind(config.address).await?;
    let address = udp.local_addr()?;
    let candidates = match &config.candidates[..] {
        [] => vec![address],
        named => named
            .iter()
            .map(|ip| SocketAddr::new(*ip, address.port()))
            .collect(),
    };
    Ok(Listener {
        udp,
        tcp,
        address,
        candidates,
        turn: config.turn.clone(),
    })
}

impl Listener {
    /// Where it listens, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// What sessions are made of and share.
struct Shared {
    outlet: Arc<Outlet>,
    routes: Arc<Routes>,
    sessions: Arc<Sessions>,
    candidates: Vec<SocketAddr>,
    turn: TurnServers,
    publishers: Arc<dyn Publishers>,
    claims: Arc<Claims>,
    registry: Registry,
    metrics: Metrics,
    shutdown: CancellationToken,
}

/// All WebRTC sessions of an origin.
#[derive(Clone)]
pub struct WebRtc(Arc<Shared>);

/// A session that stands, for its client.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Names it.
    pub id: SessionId,
    /// The answer to the offer.
    pub answer: String,
    /// The entity tag of its ICE credentials, quotes included.
    pub etag: String,
}

/// Why there is no session.
#[derive(Debug, Error)]
pub enum NotOpened {
    /// The stream key, or the state of its video, does not allow it.
    #[error("{}", .0.description())]
    Refused(Refusal),
    /// The offer got no answer.
    #[error(transparent)]
    Unanswerable(#[from] Unanswerable),
    /// The video is not on air.
    #[error("the video is not live; its recording plays over HLS")]
    NotLive,
    /// The broadcast can't be played.
    #[error(transparent)]
    Unplayable(#[from] Unplayable),
    /// There are too many.
    #[error("there are {MAX_SESSIONS} sessions already; try again later")]
    Full,
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] keys::NoRandomness),
}

/// Why a session is not changed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotChanged {
    /// There is no such session.
    #[error("there is no such session, or no more")]
    NoSuchSession,
    /// It is named by another entity tag.
    #[error("If-Match is not the session's entity tag")]
    OtherTag,
    /// ICE restarts are not done here.
    #[error("ICE is not restarted; end the session and begin another one")]
    IceRestart,
}

impl WebRtc {
    /// Sessions on these sockets, with one publisher for each lane of a video among all that share
    /// `claims`. They end when `shutdown` is cancelled; what runs in the background meanwhile is
    /// the future, which returns once all have ended.
    pub fn serve(
        listener: Listener,
        registry: Registry,
        claims: Arc<Claims>,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let Listener {
            udp,
            tcp,
            candidates,
            turn,
            ..
        } = listener;
        let shared = Arc::new(Shared {
            outlet: Arc::new(Outlet::new(udp)),
            routes: Arc::default(),
            sessions: Arc::default(),
            candidates,
            turn,
            publishers: Arc::new(registry.clone()),
            claims,
            registry,
            metrics,
            shutdown,
        });
        let served = shared.clone();
        let serving = async move {
            let Shared {
                outlet,
                routes,
                sessions,
                shutdown,
                ..
            } = &*served;
            // Sessions say goodbye over the sockets.
            let ended = async {
                shutdown.cancelled().await;
                sessions.drained().await;
            };
            tokio::select! {
                () = sockets::receive(outlet, routes) => {}
                () = sockets::accept(&tcp, outlet, routes) => {}
                () = ended => {}
            }
        };
        (Self(shared), serving)
    }

    /// Begins to publish on a lane of the video that the key stands for, and yields which that is.
    ///
    /// # Errors
    /// [`NotOpened`] without a trace: nothing has been put on air.
    pub async fn publish(
        &self,
        key: &StreamKey,
        lane: Lane,
        offer: &str,
    ) -> Result<(VideoId, Opened), NotOpened> {
        let shared = &self.0;
        let video = shared.publishers.authorize(key).await;
        let video = video.map_err(NotOpened::Refused)?;
        let room = shared.sessions.room().ok_or(NotOpened::Full)?;
        let (offer, peer, answer) = self.negotiate(offer, Purpose::Publish).await?;
        let publisher = Publisher::new(peer, Instant::now());
        if !publisher.is_of_use() {
            return Err(Unanswerable::NoCodec(offer.codecs.join(", ")).into());
        }
        let claim = shared.claims.claim(video, lane).await;
        let claim = claim.map_err(NotOpened::Refused)?;
        let (route, packets) = shared.routes.open(&answer.ufrag);
        let (opened, seat) = self.enter(Role::Publishing, offer, answer, room)?;
        let publishing = Publishing {
            publisher,
            packets,
            inwards: None,
            route,
            claim,
            seat,
            shared: shared.clone(),
        };
        tokio::spawn(publishing.run());
        Ok((video, opened))
    }

    /// Begins to play a video that is on air.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub async fn play(&self, video: VideoId, offer: &str) -> Result<Opened, NotOpened> {
        let shared = &self.0;
        let broadcast = shared.registry.on_air(video).ok_or(NotOpened::NotLive)?;
        let room = shared.sessions.room().ok_or(NotOpened::Full)?;
        let (offer, peer, answer) = self.negotiate(offer, Purpose::Play).await?;
        // In this order, so that no change of coding falls between the two.
        let units = broadcast.subscribe();
        let player = Player::new(peer, &broadcast.tracks())?;
        let (route, packets) = shared.routes.open(&answer.ufrag);
        let (opened, seat) = self.enter(Role::Playing(video), offer, answer, room)?;
        let playing = Playing {
            player,
            packets,
            units,
            route,
            seat,
            shared: shared.clone(),
        };
        tokio::spawn(playing.run());
        Ok(opened)
    }

    /// Takes a part of a session description (RFC 8840): candidates, which a server that is
    /// ICE-lite has no use for.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub fn change(
        &self,
        id: SessionId,
        role: Role,
        if_match: Option<&str>,
        fragment: &str,
    ) -> Result<(), NotChanged> {
        let session = self.0.sessions.find(id, role);
        let session = session.ok_or(NotChanged::NoSuchSession)?;
        let mut ufrags = fragment
            .lines()
            .filter_map(|line| line.trim_end().strip_prefix("a=ice-ufrag:"));
        // With `*` an ICE restart says that it means whichever credentials there are.
        let restarts = if_match == Some("*") || ufrags.any(|ufrag| ufrag != session.ufrag);
        match if_match {
            Some(tag) if tag != "*" && tag != session.etag => Err(NotChanged::OtherTag),
            _ if restarts => Err(NotChanged::IceRestart),
            _ => Ok(()),
        }
    }

    /// Ends a session. Answers whether there was one.
    pub fn end(&self, id: SessionId, role: Role) -> bool {
        self.0.sessions.stop(id, role)
    }

    /// Values of `Link` fields that tell clients of the operator's TURN servers.
    pub fn ice_servers(&self, now: WallTime) -> Vec<String> {
        self.0.turn.links(now)
    }

    /// Whether a stream key opens a video.
    pub async fn is_key(&self, key: &StreamKey) -> bool {
        self.0.publishers.authorize(key).await.is_ok()
    }

    async fn negotiate(
        &self,
        offer: &str,
        purpose: Purpose,
    ) -> Result<(Offer, Peer, Answer), Unanswerable> {
        let offer = Offer::parse(offer, purpose)?;
        let candidates = self.0.candidates.clone();
        // It makes a key pair, and str0m panics where its own state contradicts itself: here that
        // costs one session.
        let answered = tokio::task::spawn_blocking(move || {
            let answered = Peer::answer(&offer, &candidates, Instant::now());
            answered.map(|(peer, answer)| (offer, peer, answer))
        });
        answered.await.unwrap_or_else(|panic| {
            error!(%panic, "an offer could not be negotiated");
            Err(Unanswerable::Fault)
        })
    }

    fn enter(
        &self,
        role: Role,
        offer: Offer,
        answer: Answer,
        room: OwnedSemaphorePermit,
    ) -> Result<(Opened, Seat), NotOpened> {
        let shared = &self.0;
        if shared.shutdown.is_cancelled() {
            warn!("a WebRTC session was asked for while the origin goes down");
            return Err(NotOpened::Full);
        }
        let bits = u128::from(keys::random_bits()?) << 64 | u128::from(keys::random_bits()?);
        let id = SessionId::from_random(bits);
        let etag = format!("\"{}\"", answer.ufrag);
        let gauge = match role {
            Role::Publishing => &shared.metrics.webrtc_publishing,
            Role::Playing(_) => &shared.metrics.webrtc_playing,
        };
        let session = Session {
            role,
            ufrag: offer.ufrag,
            etag: etag.clone(),
        };
        let seat = shared.sessions.enter(id, session, gauge, room);
        let opened = Opened {
            id,
            answer: answer.sdp,
            etag,
        };
        Ok((opened, seat))
    }
}

#[cfg(test)]
mod tests;
