//! What goes on in the background: probing peers, and hearing from origins what is on air there.

use std::{
    sync::Arc,
    time::{Duration, Instant as Now},
};

use http::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};
use weir_model::edge::{LEASES_PATH, LEASES_WAIT_S, Leases};

use super::{Condition, FetchError, Inner, OriginId, PeerId, Upstream, transport::Call};

/// How often it is looked whether a probe is due.
const TICK: Duration = Duration::from_millis(50);
/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before an origin is asked for its leases again, so that changes come in bunches.
const LEASES_PAUSE: Duration = Duration::from_millis(250);
/// The same after it failed.
const LEASES_RETRY: Duration = Duration::from_secs(1);

impl Upstream {
    /// Attends to peers from now on until the PoP drains. Further calls do nothing. Needs a tokio
    /// runtime.
    pub(crate) fn attend(&self) {
        let begins = self
            .0
            .news
            .send_if_modified(|news| !std::mem::replace(&mut news.attended, true));
        if !begins {
            return;
        }
        let until_drained = |work: Box<dyn Future<Output = ()> + Send + Unpin>| {
            let mut news = self.0.news.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    () = work => {}
                    _ = news.wait_for(|news| news.draining) => {}
                }
            });
        };
        until_drained(Box::new(Box::pin(probe(self.0.clone()))));
        if self.0.several_origins {
            let origins = self.0.router().origins().to_vec();
            for (origin, peer) in origins.into_iter().enumerate() {
                until_drained(Box::new(Box::pin(follow(self.0.clone(), origin, peer))));
            }
        }
    }
}

/// Asks peers whether they are well, each in its time.
async fn probe(inner: Arc<Inner>) {
    loop {
        let due = inner.router().probes(Now::now());
        for peer in due {
            let inner = inner.clone();
            tokio::spawn(async move { inner.probe(peer).await });
        }
        sleep(TICK).await;
    }
}

/// Hears from an origin what is on air there, as soon as it changes.
async fn follow(inner: Arc<Inner>, origin: OriginId, peer: PeerId) {
    let mut told = false;
    loop {
        let pause = match inner.leases(origin, peer).await {
            Ok(videos) => {
                if !told {
                    info!(origin = inner.transport.name(peer), videos, "leases heard");
                }
                told = true;
                LEASES_PAUSE
            }
            Err(error) => {
                if told {
                    warn!(origin = inner.transport.name(peer), %error, "leases not heard");
                }
                told = false;
                LEASES_RETRY
            }
        };
        sleep(pause).await;
    }
}

impl Inner {
    async fn probe(&self, peer: PeerId) {
        let deadline = Instant::now() + PROBE_TIMEOUT;
        let before = self.router().condition(peer);
        let call = Call::get("/healthz".into());
        let answer = async {
            self.limits
                .whole(self.head(peer, &call, deadline).await?)
                .await
        };
        let answer = timeout_at(deadline, answer).await;
        let answer = match answer.unwrap_or(Err(FetchError::TimedOut)) {
            Ok(answer) if answer.status != StatusCode::OK => Err(FetchError::Unreachable),
            answer => answer.map(|_| ()),
        };
        // Who takes this PoP for a stranger is no help.
        let refused = answer == Err(FetchError::Refused);
        self.heard(
            peer,
            &if refused {
                Err(FetchError::Unreachable)
            } else {
                answer
            },
        );
        let after = self.router().condition(peer);
        if before != after {
            info!(
                peer = self.transport.name(peer),
                ?before,
                ?after,
                "peer probed"
            );
        }
    }

    /// Waits for the origin's list to change, and takes it. Answers how many videos are on air.
    async fn leases(&self, origin: OriginId, peer: PeerId) -> Result<usize, FetchError> {
        if self.router().condition(peer) == Condition::Down {
            return Err(FetchError::Unreachable);
        }
        let since = self.router().directory().version(origin);
        let target = match since {
            Some(version) => format!("{LEASES_PATH}?since={version}"),
            None => LEASES_PATH.to_owned(),
        };
        let deadline = Instant::now() + Duration::from_secs(LEASES_WAIT_S + 5);
        let call = Call::get(target.into());
        let answer = async {
            self.limits
                .whole(self.head(peer, &call, deadline).await?)
                .await
        };
        let answer = timeout_at(deadline, answer).await;
        let answer = answer.unwrap_or(Err(FetchError::TimedOut));
        self.heard(peer, &answer);
        let answer = answer?;
        if answer.status != StatusCode::OK {
            return Err(FetchError::Unreachable);
        }
        let leases: Leases =
            serde_json::from_slice(&answer.body).map_err(|_| FetchError::CutShort)?;
        let videos = leases.videos.len();
        self.router().directory_mut().told(origin, leases);
        Ok(videos)
    }
}
