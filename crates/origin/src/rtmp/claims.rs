//! One publisher per lane of a video.
//!
//! A living encoder sends bytes all the time. So a second one with the same key waits for the
//! first's next byte: if one comes the second is refused; if none comes within [`DEAD_AFTER`] of
//! the last, the first is cut off and the second takes over. An encoder that reconnects after its
//! network broke gets in within that time instead of being refused by its own ghost.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use weir_ingest::rtmp::Refusal;
use weir_model::{Lane, VideoId};

/// Silence after which a publisher may be replaced.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(3);

/// Who publishes what.
#[derive(Debug, Default)]
pub struct Claims {
    holders: Mutex<HashMap<Place, Holder>>,
}

/// What one encoder at a time may hold.
type Place = (VideoId, Lane);

/// What others see of a claim.
#[derive(Clone, Debug)]
struct Holder {
    last_input: watch::Receiver<Instant>,
    replaced: CancellationToken,
}

/// The right to publish on a lane of a video, until dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    place: Place,
    last_input: watch::Sender<Instant>,
    replaced: CancellationToken,
    claims: Arc<Claims>,
}

impl Claims {
    /// Claims a lane of the video, waiting for its present holder to show that it is alive or dead.
    pub(crate) async fn claim(
        self: &Arc<Self>,
        video: VideoId,
        lane: Lane,
    ) -> Result<Claim, Refusal> {
        let place = (video, lane);
        loop {
            let mut holder = match self.lock().entry(place) {
                Entry::Occupied(holder) => holder.get().clone(),
                Entry::Vacant(free) => {
                    let (last_input, seen) = watch::channel(Instant::now());
                    let replaced = CancellationToken::new();
                    free.insert(Holder {
                        last_input: seen,
                        replaced: replaced.clone(),
                    });
                    let claims = Arc::clone(self);
                    return Ok(Claim {
                        place,
                        last_input,
                        replaced,
                        claims,
                    });
                }
            };
            let dead_at = *holder.last_input.borrow_and_update() + DEAD_AFTER;
            match tokio::time::timeout_at(dead_at, holder.last_input.changed()).await {
                Ok(Ok(())) => return Err(Refusal::AlreadyPublishing),
                // The holder is gone by itself.
                Ok(Err(_)) => {}
                Err(_) => {
                    holder.replaced.cancel();
                    // It lets go as soon as it has said goodbye inwards.
                    while holder.last_input.changed().await.is_ok() {}
                }
            }
        }
    }

    /// Refuses if the lane's present holder, if there is one, shows that it is alive. Waits for that for
    /// as long as the holder is silent.
    pub(crate) async fn check_free(&self, video: VideoId, lane: Lane) -> Result<(), Refusal> {
        let holder = self.lock().get(&(video, lane)).cloned();
        let Some(mut holder) = holder else {
            return Ok(());
        };
        holder.last_input.mark_unchanged();
        match holder.last_input.changed().await {
            Ok(()) => Err(Refusal::AlreadyPublishing),
            Err(_) => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Holder>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// The video claimed.
    pub(crate) fn video(&self) -> VideoId {
        self.place.0
    }

    /// Its lane claimed.
    pub(crate) fn lane(&self) -> Lane {
        self.place.1
    }

    /// The holder got bytes: it is alive.
    pub(crate) fn touch(&self) {
        self.last_input.send_replace(Instant::now());
    }

    /// Comes true when someone else takes over; the holder then has to let go soon.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane::Primary;
    fn video() -> VideoId {
        "oabcdefghijk".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_living_holder_keeps_its_claim() {
        let claims = Arc::new(Claims::default());
        let first = claims.claim(video(), LANE).await.unwrap();
        let second = tokio::spawn({
            let claims = Arc::clone(&claims);
            async move { claims.claim(video(), LANE).await.map(|_| ()) }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        first.touch();
        assert_eq!(second.await.unwrap(), Err(Refusal::AlreadyPublishing));
    }

    #[tokio::test(start_paused = true)]
    async fn a_video_is_free_unless_its_holder_lives() {
        let claims = Arc::new(Claims::default());
        assert_eq!(claims.check_free(video(), LANE).await, Ok(()));
        let holder = claims.claim(video(), LANE).await.unwrap();
        holder.touch();
        let silence = Duration::from_secs(60);
        let silent = tokio::time::timeout(silence, claims.check_free(video(), LANE)).await;
        assert!(silent.is_err(), "what came before does not count");
        let (checked, ()) =
            tokio::join!(claims.check_free(video(), LANE), async { holder.touch() });
        assert_eq!(checked, Err(Refusal::AlreadyPublishing));
        let (checked, ()) = tokio::join!(claims.check_free(video(), LANE), async { drop(holder) });
        assert_eq!(checked, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_holder_is_replaced_once_it_lets_go() {
        let claims = Arc::new(Claims::default());
        let first = claims.claim(video(), LANE).await.unwrap();
        let asked = Instant::now();
        let second = tokio::spawn({
            let claims = Arc::clone(&claims);
            async move { claims.claim(video(), LANE).await.map(|claim| claim.video()) }
        });
        first.replaced().await;
        assert_eq!(asked.elapsed(), DEAD_AFTER);
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.await.unwrap(), Ok(video()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_leaves_makes_room_at_once() {
        let claims = Arc::new(Claims::default());
        let first = claims.claim(video(), LANE).await.unwrap();
        let asked = Instant::now();
        let second = tokio::spawn({
            let claims = Arc::clone(&claims);
            async move { claims.claim(video(), LANE).await.map(|_| ()) }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(second.await.unwrap(), Ok(()));
        assert_eq!(asked.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn each_lane_has_its_own_holder() {
        let claims = Arc::new(Claims::default());
        let primary = claims.claim(video(), Lane::Primary).await.unwrap();
        let asked = Instant::now();
        let backup = claims.claim(video(), Lane::Backup).await.unwrap();
        assert_eq!(asked.elapsed(), Duration::ZERO);
        assert_eq!(
            (primary.lane(), backup.lane()),
            (Lane::Primary, Lane::Backup)
        );
        drop(primary);
        assert_eq!(claims.check_free(video(), Lane::Primary).await, Ok(()));
        let (checked, ()) = tokio::join!(claims.check_free(video(), Lane::Backup), async {
            backup.touch()
        });
        assert_eq!(checked, Err(Refusal::AlreadyPublishing));
    }
}
