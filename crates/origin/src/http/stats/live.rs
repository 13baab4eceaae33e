//! The answer to a question as it changes, as server-sent events: what a dashboard shows.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use weir_model::Problem;
use weir_stats::{answer::StatsAnswer, query::StatsQuery};

use super::super::problem::{ApiError, QueryParams};
use crate::events::Statistics;

/// How often it is looked whether the answer is another one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After this silence a comment is sent, so that nothing on the way takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams at a time. Each asks the store once a second.
const MOST_STREAMS: usize = 64;

/// What [`follow`] works with.
#[derive(Clone)]
pub struct Live {
    statistics: Statistics,
    shutdown: CancellationToken,
    streams: Arc<Semaphore>,
}

impl Live {
    /// Streams of what `statistics` answer, until `shutdown` is cancelled.
    pub(super) fn new(statistics: Statistics, shutdown: CancellationToken) -> Self {
        Self {
            statistics,
            shutdown,
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        }
    }
}

/// Follow an answer as it changes.
///
/// The same question as `GET /api/v1/stats`, answered as server-sent events: `stats` with the answer at once and whenever it is another one, looked up every second; `problem` where there is none at the moment.
#[utoipa::path(
    get,
    path = "/api/v1/stats/live",
    tag = "operator",
    security(("operator_token" = [])),
    params(StatsQuery),
    responses(
        (status = 200, description = "The answers, one per event", body = StatsAnswer,
            content_type = "text/event-stream"),
        (status = 400, description = "A question without an answer", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No operator token, or a wrong one", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "Too many streams, or no numbers are known", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn follow(
    State(live): State<Live>,
    QueryParams(query): QueryParams<StatsQuery>,
) -> Result<impl IntoResponse, ApiError> {
    let permit = live.streams.clone().try_acquire_owned().map_err(|_| {
        ApiError::unavailable(format!("{MOST_STREAMS} streams are followed already"))
    })?;
    // A question without an answer is refused here, and not on the stream.
    let first = live.statistics.get_stats(query.clone()).await?;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and the first answer is there.
    looks.reset();
    let follower = Follower {
        live,
        query,
        first: Some(first),
        told: None,
        looks,
        _permit: permit,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Follower {
    live: Live,
    query: StatsQuery,
    first: Option<StatsAnswer>,
    /// What was sent last, by what is seen of it.
    told: Option<String>,
    looks: Interval,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// The next thing to tell; `None` when the origin shuts down.
    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            self.told = Some(seen(&first));
            return event("stats", &first);
        }
        loop {
            tokio::select! {
                _ = self.looks.tick() => {}
                () = self.live.shutdown.cancelled() => return None,
            }
            let (told, event) = match self.live.statistics.get_stats(self.query.clone()).await {
                Ok(answer) => (seen(&answer), event("stats", &answer)),
                Err(error) => {
                    let problem: Problem = ApiError::from(error).problem().clone();
                    (problem.detail.to_string(), event("problem", &problem))
                }
            };
            if self.told.as_ref() != Some(&told) {
                self.told = Some(told);
                return event;
            }
        }
    }
}

/// All of an answer but the time at which it was given.
fn seen(answer: &StatsAnswer) -> String {
    let timeless = StatsAnswer {
        as_of: Default::default(),
        ..answer.clone()
    };
    serde_json::to_string(&timeless).unwrap_or_default()
}

fn event(name: &str, data: &impl serde::Serialize) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}
