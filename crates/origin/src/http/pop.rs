//! `/api/v1/pop`: the point of presence that shares the origin's process, asked through the operator's
//! listener as one of its own is through its own.

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use weir_model::{Problem, pop::Status, ticket::TicketKey};

use super::problem::method_not_allowed;

/// A point of presence in the origin's process, as far as its operator asks.
pub trait Neighbour: fmt::Debug + Send + Sync {
    /// How it does.
    fn status(&self) -> Status;
    /// What it signs session tickets with, if it does.
    fn ticket_key(&self) -> Option<TicketKey>;
    /// Has it let viewers go, and the process end.
    fn drain(&self);
}

/// The operator's calls. Whoever mounts them asks for the operator token.
pub fn router<S: Clone + Send + Sync + 'static>(pop: Arc<dyn Neighbour>) -> Router<S> {
    Router::new()
        .route("/api/v1/pop", get(status))
        .route("/api/v1/pop/drain", post(drain))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(pop)
}

/// How a point of presence does. `weir pop` and `weir serve` have this call, `weir origin` has not.
#[utoipa::path(
    get,
    path = "/api/v1/pop",
    tag = "operator",
    security(("operator_token" = [])),
    responses(
        (status = 200, description = "How it does", body = Status),
        (status = 401, description = "The operator token is missing or wrong", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn status(State(pop): State<Arc<dyn Neighbour>>) -> Response {
    told(StatusCode::OK, &pop.status())
}

/// Drains a point of presence.
///
/// It lets nobody in any more, answers what is under way, and its process ends, as after SIGTERM.
#[utoipa::path(
    post,
    path = "/api/v1/pop/drain",
    tag = "operator",
    security(("operator_token" = [])),
    responses(
        (status = 202, description = "It drains", body = Status),
        (status = 401, description = "The operator token is missing or wrong", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn drain(State(pop): State<Arc<dyn Neighbour>>) -> Response {
    pop.drain();
    told(StatusCode::ACCEPTED, &pop.status())
}

fn told(status: StatusCode, body: &Status) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
