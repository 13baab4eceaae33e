//! The viewer plane: what points of presence ask for viewers.

use axum::{
    Router,
    routing::{get, patch, post},
};

use super::{
    App, comments, events, frames, health, media, openapi, problem, stats, time, videos, web, whep,
    whip,
};

/// All of the viewer plane.
pub fn router(app: App) -> Router {
    let api = Router::new()
        .route(
            "/v/{*path}",
            get(media::get)
                .post(whep::play)
                .patch(whep::change)
                .delete(whep::end)
                .options(whep::ask),
        )
        .route("/api/v1/whip", post(whip::publish).options(whip::ask))
        .route(
            "/api/v1/whip/{session}",
            patch(whip::change)
                .delete(whip::end)
                .options(whip::ask_session),
        )
        .route("/api/v1/videos", get(videos::list_open))
        .route("/api/v1/videos/{id}", get(videos::read))
        .route("/api/v1/videos/{id}/frames", get(frames::get))
        .route("/api/v1/time", get(time::get))
        .route("/api/v1/openapi.json", get(openapi::get))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(app.clone())
        .merge(comments::router(app.comments.clone(), app.clock))
        .merge(events::router(app.statistics.clone()))
        .merge(stats::router(app.statistics.clone()));
    web::add_to(api, app.www.as_deref()).method_not_allowed_fallback(problem::method_not_allowed)
}
