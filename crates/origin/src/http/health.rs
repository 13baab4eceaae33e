//! Probes and metrics.

use std::{io::Write, path::Path, time::Duration};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use tracing::{error, warn};
use weir_model::{Code, Problem};

use super::{App, problem::ApiError};

/// A store that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "probes",
    responses((status = 200, description = "It does", body = String)))]
pub async fn alive() -> &'static str {
    "ok\n"
}

/// Whether stores answer and the disk can be written to.
#[utoipa::path(get, path = "/readyz", tag = "probes", responses(
    (status = 200, description = "They do", body = String),
    (status = 503, description = "Something is missing; `detail` says what", body = Problem,
        content_type = "application/problem+json"),
))]
pub async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    let stores = async {
        app.meta.list_videos(1, None).await.map_err(|e| {
            warn!(error = %e, "not ready: metadata store");
            "the metadata store does not answer"
        })?;
        let data = app.data.clone();
        let written = tokio::task::spawn_blocking(move || probe_disk(&data)).await;
        match written {
            Ok(Ok(())) => Ok("ready\n"),
            Ok(Err(e)) => {
                warn!(error = %e, "not ready: disk");
                Err("the data folder can't be written to")
            }
            Err(_) => Err("the origin goes down"),
        }
    };
    let result = tokio::time::timeout(PATIENCE, stores).await;
    result
        .unwrap_or(Err("a store takes too long"))
        .map_err(ApiError::unavailable)
}

/// Everything that is counted, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "probes",
    responses((status = 200, description = "OpenMetrics text", body = String)))]
pub async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &app.registered) {
        Ok(()) => Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()),
        Err(e) => {
            error!(error = %e, "metrics not encoded");
            Err(ApiError::new(
                Code::Internal,
                "the metrics can't be written down",
            ))
        }
    }
}

fn probe_disk(data: &Path) -> std::io::Result<()> {
    let path = data.join(".writable");
    std::fs::File::create(&path)?.write_all(b"ready\n")?;
    std::fs::remove_file(path)
}
