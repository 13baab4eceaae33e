//! Who is turned away before a connection stands.
//!
//! Only here can a caller be given a reason. But libsrt waits for the answer on the thread that
//! receives for everyone, so that it has to come at once. A caller about whom it does not is let
//! in: whether its stream is taken is decided again when the connection stands, and without hurry.

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::{runtime::Handle, sync::Semaphore};
use tracing::warn;
use weir_ingest::rtmp::{Refusal, StreamKey};
use weir_model::Lane;
use weir_srt::Reject;

use super::stream_id::stream_key;
use crate::rtmp::{Claims, Publishers, redacted};

/// Longest that a caller is thought about. Packets of other connections wait for as long, and
/// have a latency of 120 ms to do so. A stream key is looked up in less than a millisecond, and
/// an encoder that lives sends something within a few.
const QUICKLY: Duration = Duration::from_millis(100);

/// What a decision needs.
pub(super) struct Gate {
    pub(super) publishers: Arc<dyn Publishers>,
    pub(super) claims: Arc<Claims>,
    /// For connections.
    pub(super) room: Arc<Semaphore>,
    pub(super) runtime: Handle,
}

impl Gate {
    /// Decides about a caller, on libsrt's thread.
    pub(super) fn ask(&self, stream_id: &str, peer: SocketAddr) -> Result<(), Reject> {
        let refuse = |reason: &str, reject: Reject| {
            let peer = redacted(peer.ip());
            warn!(peer, reason, code = reject.code(), "SRT caller refused");
            Err(reject)
        };
        if self.room.available_permits() == 0 {
            return refuse("there are too many connections", Reject::Overload);
        }
        let (key, lane) = match stream_key(stream_id) {
            Ok(named) => named,
            Err(invalid) => return refuse(&invalid.to_string(), invalid.reject()),
        };
        match self.decide(key, lane) {
            Some(Err(refusal)) => refuse(refusal.description(), code(refusal)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// `None` if that takes too long.
    fn decide(&self, key: StreamKey, lane: Lane) -> Option<Result<(), Refusal>> {
        let (publishers, claims) = (Arc::clone(&self.publishers), Arc::clone(&self.claims));
        let (answer, answered) = mpsc::channel();
        let deciding = self.runtime.spawn(async move {
            let decision = async {
                let video = publishers.authorize(&key).await?;
                claims.check_free(video, lane).await
            };
            // Nobody may be waiting any more.
            let _ = answer.send(decision.await);
        });
        let decided = answered.recv_timeout(QUICKLY).ok();
        deciding.abort();
        decided
    }
}

fn code(refusal: Refusal) -> Reject {
    match refusal {
        Refusal::UnknownKey => Reject::Unauthorized,
        Refusal::VideoEnded => Reject::Forbidden,
        Refusal::AlreadyPublishing | Refusal::Replaced => Reject::Conflict,
        Refusal::Unavailable => Reject::InternalServerError,
    }
}
