//! `GET /api/v1/stats` and what stands below it: what was counted. Viewers may ask for series; the
//! operator for everything, as it changes.

mod live;

use axum::{
    Json, Router,
    extract::State,
    http::header::{CACHE_CONTROL, HeaderName},
    routing::get,
};
use tokio_util::sync::CancellationToken;
use weir_model::{Code, Problem};
use weir_stats::{
    answer::StatsAnswer,
    describe::{SchemaAnswer, schema},
    quality::{QualityAnswer, QualityQuery},
    query::StatsQuery,
    top::{TopAnswer, TopQuery},
};

use self::live::Live;
pub use self::live::{__path_follow, follow};
use super::problem::{ApiError, QueryParams, method_not_allowed};
use crate::events::{
    GetStatsError, Statistics,
    answers::{ViewersAnswer, ViewersQuery},
};

/// What viewers may ask.
pub fn router(statistics: Statistics) -> Router {
    Router::new()
        .route("/api/v1/stats", get(get_stats_of_video))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(statistics)
}

/// What the operator may ask. Whoever mounts this asks for the operator token. Streams end when
/// `shutdown` is cancelled.
pub fn operator_router<S: Clone + Send + Sync + 'static>(
    statistics: Statistics,
    shutdown: CancellationToken,
) -> Router<S> {
    let live = Live::new(statistics.clone(), shutdown);
    Router::new()
        .route("/api/v1/stats", get(get_stats))
        .route("/api/v1/stats/quality", get(quality))
        .route("/api/v1/stats/top", get(top))
        .route("/api/v1/stats/viewers", get(viewers))
        .route("/api/v1/stats/schema", get(describe))
        .with_state(statistics)
        .route("/api/v1/stats/live", get(follow).with_state(live))
        .method_not_allowed_fallback(method_not_allowed)
}

/// An answer, and how long it may be kept.
type Kept<T> = ([(HeaderName, &'static str); 1], Json<T>);

fn kept<T>(answer: T) -> Kept<T> {
    ([(CACHE_CONTROL, "public, max-age=1")], Json(answer))
}

/// Count, add up, average or rank events.
///
/// Those of one type, of one video or of all, over a range of time, broken down by one dimension if you like. Viewers have to name a video; the operator asks the same call on the operator's listener. The range is widened to what is kept: minutes for 7 days, hours for 366 days, days in UTC for ever.
#[utoipa::path(
    get,
    path = "/api/v1/stats",
    tag = "events",
    params(StatsQuery),
    responses(
        (status = 200, description = "One value per step, and the range that was used",
            body = StatsAnswer),
        (status = 400, description = "A question without an answer", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The store is down and no numbers are known", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn get_stats(
    State(statistics): State<Statistics>,
    QueryParams(query): QueryParams<StatsQuery>,
) -> Result<Kept<StatsAnswer>, ApiError> {
    Ok(kept(statistics.get_stats(query).await?))
}

/// The same for viewers, who know the videos that they ask about.
async fn get_stats_of_video(
    statistics: State<Statistics>,
    QueryParams(query): QueryParams<StatsQuery>,
) -> Result<Kept<StatsAnswer>, ApiError> {
    if query.video.is_none() {
        let detail = "name a video: numbers of all of them are told to the operator alone";
        return Err(ApiError::new(Code::InvalidQuery, detail));
    }
    get_stats(statistics, QueryParams(query)).await
}

/// How well it played.
///
/// Starts, stalls, bitrate, latency and failures in one row, for a video or all of them, and for each value of a dimension if you like.
#[utoipa::path(
    get,
    path = "/api/v1/stats/quality",
    tag = "operator",
    security(("operator_token" = [])),
    params(QualityQuery),
    responses(
        (status = 200, description = "The summary, and the range that was used",
            body = QualityAnswer),
        (status = 400, description = "A question without an answer", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No operator token, or a wrong one", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The store is down and no numbers are known", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn quality(
    State(statistics): State<Statistics>,
    QueryParams(query): QueryParams<QualityQuery>,
) -> Result<Kept<QualityAnswer>, ApiError> {
    Ok(kept(statistics.quality(query).await?))
}

/// The videos with the most of something.
///
/// In a window that ends now. With a half-life, what is recent weighs more: that is what is trending. Windows of up to an hour are widened to minutes, up to two days to hours, beyond to days.
#[utoipa::path(
    get,
    path = "/api/v1/stats/top",
    tag = "operator",
    security(("operator_token" = [])),
    params(TopQuery),
    responses(
        (status = 200, description = "The videos, highest score first", body = TopAnswer),
        (status = 400, description = "A question without an answer", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No operator token, or a wrong one", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The store is down and no numbers are known", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn top(
    State(statistics): State<Statistics>,
    QueryParams(query): QueryParams<TopQuery>,
) -> Result<Kept<TopAnswer>, ApiError> {
    Ok(kept(statistics.top(query).await?))
}

/// Who is watching now.
///
/// How many were watching over time is `GET /api/v1/stats?event=watch&function=unique&step=60`.
#[utoipa::path(
    get,
    path = "/api/v1/stats/viewers",
    tag = "operator",
    security(("operator_token" = [])),
    params(ViewersQuery),
    responses(
        (status = 200, description = "How many sessions", body = ViewersAnswer),
        (status = 400, description = "A question without an answer", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No operator token, or a wrong one", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such video", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn viewers(
    State(statistics): State<Statistics>,
    QueryParams(query): QueryParams<ViewersQuery>,
) -> Result<Kept<ViewersAnswer>, ApiError> {
    Ok(kept(statistics.viewers(query).await?))
}

/// What events there are, in which units, and what can be asked of them.
#[utoipa::path(
    get,
    path = "/api/v1/stats/schema",
    tag = "operator",
    security(("operator_token" = [])),
    responses(
        (status = 200, description = "The types and dimensions", body = SchemaAnswer),
        (status = 401, description = "No operator token, or a wrong one", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn describe() -> Json<SchemaAnswer> {
    Json(schema())
}

impl From<GetStatsError> for ApiError {
    fn from(error: GetStatsError) -> Self {
        match error {
            GetStatsError::Invalid(error) => Self::new(Code::InvalidQuery, error.to_string()),
            GetStatsError::NoSuchVideo(video) => Self::no_such_video(video),
            GetStatsError::Store(_) => Self::unavailable("the counts can't be read at the moment"),
        }
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
