//! Edge modules: uploading and rolling out for the operator, checking in and fetching for points of
//! presence.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use tracing::error;
use weir_model::{
    Code, Problem,
    edge::{Hops, POP_HEADER},
    rollout::{
        CHECK_IN_PATH, Fleet, MAX_MODULE, MODULES_PATH, ModuleHash, Orders, Rollout, StartRollout,
        Status,
    },
};

use super::{
    App,
    problem::{ApiError, JsonBody, method_not_allowed, read_body_up_to},
};
use crate::{
    clock::Clock,
    rollout::{RolloutError, Rollouts},
};

/// What the handlers of this module work with.
#[derive(Clone)]
pub struct Edge {
    /// Modules and roll-outs.
    pub rollouts: Arc<Rollouts>,
    /// The origin's clock.
    pub clock: Clock,
}

impl Edge {
    /// Of an origin.
    pub fn of(app: &App) -> Self {
        Self {
            rollouts: app.rollouts.clone(),
            clock: app.clock,
        }
    }
}

/// The operator's calls. Whoever mounts them asks for the operator token.
pub fn operator_router<S: Clone + Send + Sync + 'static>(edge: Edge) -> Router<S> {
    Router::new()
        .route("/api/v1/edge/modules/{sha256}", put(upload))
        .route("/api/v1/edge/rollout", post(start).get(fleet))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(edge)
}

/// The calls of points of presence.
pub fn pop_router(edge: Edge) -> Router {
    Router::new()
        .route(CHECK_IN_PATH, post(check_in))
        .route(&format!("{MODULES_PATH}/{{sha256}}"), get(module))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(edge)
}

/// Upload an edge module.
///
/// It is kept under the hash of its bytes, and durable when this is answered.
#[utoipa::path(
    put,
    path = "/api/v1/edge/modules/{sha256}",
    tag = "operator",
    params(("sha256" = ModuleHash, Path, description = "SHA-256 of the bytes")),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    security(("operator_token" = [])),
    responses(
        (status = 204, description = "Kept"),
        (status = 413, description = "More than 4 MiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "The bytes have another hash", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn upload(
    State(edge): State<Edge>,
    Path(sha256): Path<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let sha256 = named(&sha256)?;
    let bytes = read_body_up_to(request, &["application/wasm"], MAX_MODULE).await?;
    blocking(move || edge.rollouts.keep(sha256, &bytes)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Roll an edge module out.
///
/// Every point of presence fetches it, and decides for itself whether to trust and keep it.
#[utoipa::path(
    post,
    path = "/api/v1/edge/rollout",
    tag = "operator",
    request_body = StartRollout,
    security(("operator_token" = [])),
    responses(
        (status = 200, description = "Points of presence are told", body = Rollout),
        (status = 404, description = "The module was not uploaded", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "The manifest is not one of the module", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn start(
    State(edge): State<Edge>,
    JsonBody(wanted): JsonBody<StartRollout>,
) -> Result<Json<Rollout>, ApiError> {
    let now = edge.clock.now();
    let rollout = blocking(move || edge.rollouts.start(wanted, now)).await?;
    Ok(Json(rollout))
}

/// How the newest roll-out goes everywhere.
#[utoipa::path(
    get,
    path = "/api/v1/edge/rollout",
    tag = "operator",
    security(("operator_token" = [])),
    responses((status = 200, description = "What was last heard of each point of presence",
        body = Fleet))
)]
pub async fn fleet(State(edge): State<Edge>) -> Json<Fleet> {
    Json(edge.rollouts.fleet())
}

/// A point of presence tells how it goes and is told what is wanted.
async fn check_in(
    State(edge): State<Edge>,
    headers: HeaderMap,
    JsonBody(status): JsonBody<Status>,
) -> Result<Json<Orders>, ApiError> {
    if !status.is_bounded() {
        return Err(ApiError::new(
            Code::InvalidBody,
            "a text of the status is too long",
        ));
    }
    let name = headers.get(POP_HEADER).and_then(|name| name.to_str().ok());
    let name = name.filter(|name| Hops::parse(name).is_ok());
    let name =
        name.ok_or_else(|| ApiError::new(Code::InvalidBody, "say who you are: send Weir-Pop"))?;
    Ok(Json(edge.rollouts.check_in(
        name.to_owned(),
        status,
        edge.clock.now(),
    )))
}

/// The bytes of a module, for points of presence.
async fn module(
    State(edge): State<Edge>,
    Path(sha256): Path<String>,
) -> Result<Response, ApiError> {
    let sha256 = named(&sha256)?;
    let bytes = blocking(move || edge.rollouts.module(sha256)).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/wasm"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, bytes).into_response())
}

fn named(sha256: &str) -> Result<ModuleHash, ApiError> {
    sha256
        .parse()
        .map_err(|error| ApiError::new(Code::NotFound, format!("there is no such module: {error}")))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RolloutError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ApiError::new(Code::Internal, "the module store panicked")),
    }
}

impl From<RolloutError> for ApiError {
    fn from(error: RolloutError) -> Self {
        let detail = error.to_string();
        match error {
            RolloutError::Io { .. } | RolloutError::State { .. } => {
                error!(%error, "the module store failed");
                Self::unavailable("the module store failed; try again")
            }
            RolloutError::NoModule(_) => Self::new(Code::NotFound, detail),
            RolloutError::Size(_) => Self::new(Code::TooLarge, detail),
            RolloutError::OtherHash { .. }
            | RolloutError::Manifest(_)
            | RolloutError::OtherLength { .. } => Self::new(Code::Unprocessable, detail),
        }
    }
}

#[cfg(test)]
#[path = "edge_tests.rs"]
mod tests;
