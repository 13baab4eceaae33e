//! Asking origins which of them has a video: in order, once, whoever wants to know.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant as Now},
};

use http::StatusCode;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use weir_model::{VideoId, edge::LEASES_PATH};

use super::{Condition, FetchError, Inner, Place, transport::Call};

/// How long one origin may take to say whether it has a video.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Searches under way.
#[derive(Default)]
pub(super) struct Searches(Mutex<HashMap<VideoId, Arc<tokio::sync::Mutex<()>>>>);

impl Searches {
    fn of(&self, video: VideoId) -> Arc<tokio::sync::Mutex<()>> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.entry(video).or_default().clone()
    }

    /// Forgets a search that nobody takes part in but the caller.
    fn leave(&self, video: VideoId, search: Arc<tokio::sync::Mutex<()>>) {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&search) == 2 {
            under_way.remove(&video);
        }
    }
}

impl Inner {
    /// Finds out which origin has `video` and tells the directory. An error means that an origin
    /// which may have it could not be asked.
    pub(super) async fn search(&self, video: VideoId, deadline: Instant) -> Result<(), FetchError> {
        let search = self.searches.of(video);
        let found = {
            // Whoever is first searches; the others find the answer in the directory.
            let _turn = search.lock().await;
            self.search_in_turn(video, deadline).await
        };
        self.searches.leave(video, search);
        found
    }

    async fn search_in_turn(&self, video: VideoId, deadline: Instant) -> Result<(), FetchError> {
        let known = self.router().directory().look_up(video, Now::now());
        if known != Place::Unknown {
            return Ok(());
        }
        let deadline = deadline.min(Instant::now() + TIMEOUT);
        let origins = self.router().origins().to_vec();
        let mut unanswered = None;
        for (origin, peer) in origins.into_iter().enumerate() {
            if self.router().condition(peer) == Condition::Down {
                unanswered = Some(FetchError::Unreachable);
                continue;
            }
            let call = Call::get(format!("{LEASES_PATH}/{video}").into());
            let answer = async {
                self.limits
                    .whole(self.head(peer, &call, deadline).await?)
                    .await
            };
            let answer = timeout_at(deadline, answer).await;
            let answer = answer.unwrap_or(Err(FetchError::TimedOut));
            self.heard(peer, &answer);
            match answer {
                Ok(answer) if answer.status == StatusCode::OK => {
                    debug!(%video, origin = self.transport.name(peer), "video found");
                    self.router().searched(video, Some(origin), Now::now());
                    return Ok(());
                }
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => {}
                Ok(_) => unanswered = Some(FetchError::Unreachable),
                Err(error) => unanswered = Some(error),
            }
        }
        match unanswered {
            Some(error) => Err(error),
            None => {
                self.router().searched(video, None, Now::now());
                Ok(())
            }
        }
    }
}
