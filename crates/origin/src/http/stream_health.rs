//! How a broadcast is doing.

use axum::{Json, extract::State};
use weir_media::live;
use weir_model::{
    Code, Problem,
    health::{RenditionHealth, RepairCounts, StreamHealth},
};

use super::{
    App,
    problem::{ApiError, VideoPath},
};
use crate::broadcast::Broadcast;

/// Reads how a broadcast is doing.
#[utoipa::path(
    get,
    path = "/api/v1/videos/{id}/health",
    tag = "operator",
    params(("id" = String, Path, description = "The video")),
    security(("operator_token" = [])),
    responses(
        (status = 200, description = "Counters of the current epoch", body = StreamHealth),
        (status = 401, description = "The operator token is missing or wrong", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such video, or it is not on air",
            body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(
    State(app): State<App>,
    VideoPath(video): VideoPath,
) -> Result<Json<StreamHealth>, ApiError> {
    let broadcast = app.registry.on_air(video);
    let broadcast = broadcast.ok_or_else(|| {
        let detail = format!("video {video} is not on air");
        ApiError::new(Code::VideoNotFound, detail)
    })?;
    Ok(Json(health(&broadcast)))
}

fn health(broadcast: &Broadcast) -> StreamHealth {
    let status = broadcast.status();
    let door = broadcast.encoder_repairs();
    let inside = status.repairs;
    StreamHealth {
        repairs: RepairCounts {
            wraps: door.wraps,
            forward_jumps: door.forward_jumps + inside.timestamp_jumps,
            backward_jumps: door.backward_jumps,
            raised: door.raised + inside.timestamps_clamped,
            composition: door.composition,
            before_config: door.before_config,
            before_keyframe: door.before_keyframe,
            tracks_refused: door.tracks_refused,
            audio_resyncs: inside.audio_resyncs,
            units_dropped: inside.units_dropped,
            forced_cuts: inside.forced_cuts,
            reconnects: inside.reconnects,
        },
        renditions: status.renditions.into_iter().map(rendition).collect(),
    }
}

fn rendition(status: live::RenditionStatus) -> RenditionHealth {
    let live::RenditionStatus {
        rendition,
        last_msn,
        segments,
        gaps,
        parts,
        irregular_parts,
        bytes,
        units,
        bytes_held,
    } = status;
    RenditionHealth {
        rendition,
        last_msn,
        segments,
        gaps,
        parts,
        irregular_parts,
        units,
        bytes,
        bytes_held,
    }
}
