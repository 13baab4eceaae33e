//! The viewer plane: what points of presence ask for viewers.

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, patch, post},
};

use weir_model::edge::LEASES_PATH;

use super::{
    App, comments,
    edge::{self, Edge},
    events,
    forms::share::share,
    frames, health, leases, media, openapi, problem,
    room::{self, RoomState},
    stats, time,
    trace::follow,
    trust::guard,
    videos, web, whep, whip,
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
        .route("/api/v1/videos/{id}/frames", get(frames::get))
        .route("/api/v1/time", get(time::get))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route(LEASES_PATH, get(leases::list))
        .route("/edge/leases/{id}", get(leases::find))
        .with_state(app.clone())
        .merge(events::router(app.statistics.clone(), app.tickets.clone()))
        .merge(room::router(RoomState {
            rooms: app.rooms.clone(),
            comments: app.comments.clone(),
            meta: app.meta.clone(),
            shutdown: app.shutdown.clone(),
        }))
        .merge(edge::pop_router(Edge::of(&app)))
        .merge(read_by_many(app.clone()));
    web::add_to(api, app.www.as_deref())
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(app.trust.clone(), guard))
        .layer(from_fn(follow))
}

/// What points of presence keep for a moment and ask for again and again.
fn read_by_many(app: App) -> Router {
    Router::new()
        .route("/api/v1/videos", get(videos::list_open))
        .route("/api/v1/videos/{id}", get(videos::read))
        .route("/api/v1/openapi.json", get(openapi::get))
        .with_state(app.clone())
        .merge(comments::router(
            app.comments.clone(),
            app.rooms.clone(),
            app.clock,
        ))
        .merge(stats::router(app.statistics.clone()))
        .route_layer(from_fn_with_state(app, share))
}
