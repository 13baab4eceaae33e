//! `/edge/leases`: which videos are here. Points of presence with several origins keep a directory of
//! this.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio::time::timeout;
use weir_model::edge::{LEASES_WAIT_S, Lease};

use super::{
    App,
    media::from_registry,
    problem::{ApiError, QueryParams, VideoPath},
};
use crate::registry::RegistryError;

/// Whose list the point of presence has.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// `version` of the list that it has; without one, the answer is prompt.
    pub since: Option<u64>,
}

/// The videos that are on air, once the list is another one than the caller has; the same one again
/// after [`LEASES_WAIT_S`] without a change.
pub async fn list(
    State(app): State<App>,
    QueryParams(Since { since }): QueryParams<Since>,
) -> Response {
    let mut version = app.registry.leases_version();
    let changed = version.wait_for(|version| Some(*version) != since);
    let wait = Duration::from_secs(LEASES_WAIT_S);
    tokio::select! {
        // Whether it changed, or time is over, there is a list.
        _ = timeout(wait, changed) => {}
        () = app.shutdown.cancelled() => {}
    }
    uncached(Json(app.registry.leases()))
}

/// Whether a video is here, on air or not.
pub async fn find(
    State(app): State<App>,
    VideoPath(video): VideoPath,
) -> Result<Response, ApiError> {
    if let Some(broadcast) = app.registry.on_air(video) {
        let epoch = Some(broadcast.epoch());
        return Ok(uncached(Json(Lease { video, epoch })));
    }
    let record = app
        .meta
        .find_video(video)
        .await
        .map_err(RegistryError::from);
    let record = record.map_err(from_registry)?;
    let record = record.ok_or_else(|| ApiError::no_such_video(video))?;
    let epoch = record.epoch;
    Ok(uncached(Json(Lease { video, epoch })))
}

fn uncached(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}
