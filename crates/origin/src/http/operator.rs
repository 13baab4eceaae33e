//! The operator plane: a listener of its own, never behind an edge.

use axum::{
    Router,
    extract::{Request, State},
    http::header,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use weir_model::Code;

use super::{
    App,
    edge::{self, Edge},
    events, health, openapi, pop,
    problem::{self, ApiError},
    stats, stream_health, videos,
};

/// All of the operator plane. Its API takes the operator token; probes, metrics and the contract
/// tell no secrets.
pub fn router(app: App) -> Router {
    let beside = app.pop.clone().map(pop::router);
    Router::new()
        .route("/api/v1/videos", post(videos::create).get(videos::list_all))
        .route(
            "/api/v1/videos/{id}",
            get(videos::read).patch(videos::change),
        )
        .route("/api/v1/videos/{id}/health", get(stream_health::get))
        .route("/api/v1/videos/{id}/end", post(videos::end))
        .route("/api/v1/videos/{id}/key", post(videos::rotate_key))
        .merge(edge::operator_router(Edge::of(&app)))
        .merge(events::operator_router(app.statistics.clone()))
        .merge(stats::operator_router(
            app.statistics.clone(),
            app.shutdown.clone(),
        ))
        .merge(beside.unwrap_or_default())
        .route_layer(from_fn_with_state(app.clone(), authorize))
        .route("/api/v1/openapi.json", get(openapi::get))
        .route("/metrics", get(health::metrics))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .with_state(app)
}

async fn authorize(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let presented = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match presented {
        Some(token) if app.operator_token.matches(token) => Ok(next.run(request).await),
        Some(_) => Err(ApiError::new(
            Code::Unauthorized,
            "the operator token is wrong",
        )),
        None => Err(ApiError::new(
            Code::Unauthorized,
            "send the operator token as Authorization: Bearer <token>",
        )),
    }
}
