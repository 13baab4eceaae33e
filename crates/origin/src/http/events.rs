//! `POST /api/v1/events`: taking events, of viewers and of the operator.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::header::USER_AGENT,
    routing::post,
};
use weir_model::{Code, Problem, WallTime};
use weir_stats::{
    agent,
    batch::{Answers, Batch, PostedBatch},
};

use super::problem::{ApiError, method_not_allowed, read_body};
use crate::events::{
    AppendError, ProcessEventsError, Statistics,
    tickets::{Tickets, TooFast},
};

/// What `navigator.sendBeacon` may send across origins without asking first is `text/plain`.
const ACCEPTED: [&str; 2] = ["application/json", "text/plain"];

/// What the handlers work with.
#[derive(Clone)]
pub struct Intake {
    statistics: Statistics,
    /// Whose events are taken; everybody's, where the operator posts.
    tickets: Option<Tickets>,
}

/// Events of viewers.
pub fn router(statistics: Statistics, tickets: Tickets) -> Router {
    routes(Intake {
        statistics,
        tickets: Some(tickets),
    })
}

/// Events of the operator's own servers, which need no tickets. Whoever mounts this asks for the
/// operator token.
pub fn operator_router<S: Clone + Send + Sync + 'static>(statistics: Statistics) -> Router<S> {
    routes(Intake {
        statistics,
        tickets: None,
    })
}

fn routes<S: Clone + Send + Sync + 'static>(intake: Intake) -> Router<S> {
    Router::new()
        .route("/api/v1/events", post(process_events))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(intake)
}

/// Take a batch of events.
///
/// The answer comes when the accepted ones are durable. An event that is sent again counts once.
/// Viewers' events come with the session ticket of the edge, unless the origin is told to do without.
/// The same call on the operator's listener, with the operator token, takes events of servers: no
/// ticket is asked for there.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    tag = "events",
    request_body(content = PostedBatch, content_type = "application/json"),
    responses(
        (status = 200, description = "The fate of each event, in the order sent", body = Answers),
        (status = 400, description = "Not a batch", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "More than 64 KiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "Neither JSON nor text", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "Nothing was taken: the session sends more than a player does",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nothing was taken for sure: send it again", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn process_events(
    State(intake): State<Intake>,
    request: Request,
) -> Result<Json<Answers>, ApiError> {
    let Intake {
        statistics,
        tickets,
    } = intake;
    let agent = request.headers().get(USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let agent = agent.map(agent::attributes).unwrap_or_default();
    let body = read_body(request, &ACCEPTED).await?;
    let received = statistics.now();
    let mut batch = Batch::parse(&body, received)
        .map_err(|error| ApiError::new(Code::InvalidBody, error.to_string()))?;
    let wrong = match tickets {
        Some(tickets) => {
            let wrong = tickets.admit(&mut batch, edges_time(), Instant::now())?;
            // The ticket goes first.
            batch.attributes.fill(&agent);
            wrong
        }
        None => None,
    };
    let mut answers = statistics.process_events(batch, received).await?;
    answers.ticket = wrong.map(|error| error.to_string());
    Ok(Json(answers))
}

/// Edges stamp tickets with the system's time, which the origin's own clock leaves when it is set.
fn edges_time() -> WallTime {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    WallTime::default().plus(since_1970.unwrap_or_default())
}

impl From<TooFast> for ApiError {
    fn from(TooFast { wait }: TooFast) -> Self {
        let seconds = wait.as_secs() + 1;
        Self::rate_limited(
            format!("the session sends more events than a player does; go on in {seconds} s"),
            u32::try_from(seconds).unwrap_or(u32::MAX),
        )
    }
}

impl From<ProcessEventsError> for ApiError {
    fn from(error: ProcessEventsError) -> Self {
        match error {
            ProcessEventsError::Append(AppendError::Full { .. }) => {
                Self::unavailable("too many events are waiting for the disk; send them again")
            }
            ProcessEventsError::Append(AppendError::Closed | AppendError::Failed(_))
            | ProcessEventsError::Videos(_) => {
                tracing::error!(%error, "events refused");
                Self::unavailable("the events can't be stored at the moment; send them again")
            }
            ProcessEventsError::Overflow(_) => Self::new(Code::InvalidBody, error.to_string()),
        }
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
