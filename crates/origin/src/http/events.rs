//! `POST /api/v1/events`: taking events.

use axum::{
    Json, Router,
    extract::{Request, State},
    routing::post,
};
use weir_model::{Code, Problem};
use weir_stats::batch::{Answers, Batch, PostedBatch};

use super::problem::{ApiError, method_not_allowed, read_body};
use crate::events::{AppendError, ProcessEventsError, Statistics};

/// What `navigator.sendBeacon` may send across origins without asking first is `text/plain`.
const ACCEPTED: [&str; 2] = ["application/json", "text/plain"];

/// The routes of this module.
pub fn router(statistics: Statistics) -> Router {
    Router::new()
        .route("/api/v1/events", post(process_events))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(statistics)
}

/// Take a batch of events.
///
/// The answer comes when the accepted ones are durable. An event that is sent again counts once.
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
        (status = 503, description = "Nothing was taken for sure: send it again", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn process_events(
    State(statistics): State<Statistics>,
    request: Request,
) -> Result<Json<Answers>, ApiError> {
    let body = read_body(request, &ACCEPTED).await?;
    let received = statistics.now();
    let batch = Batch::parse(&body, received)
        .map_err(|error| ApiError::new(Code::InvalidBody, error.to_string()))?;
    Ok(Json(statistics.process_events(batch, received).await?))
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
