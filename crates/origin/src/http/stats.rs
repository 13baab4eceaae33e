//! `GET /api/v1/stats`: counts, sums and averages of events.

use axum::{
    Json, Router,
    extract::State,
    http::header::{CACHE_CONTROL, HeaderName},
    routing::get,
};
use weir_model::{Code, Problem};
use weir_stats::query::{StatsAnswer, StatsQuery};

use super::problem::{ApiError, QueryParams, method_not_allowed};
use crate::events::{GetStatsError, Statistics};

/// The routes of this module.
pub fn router(statistics: Statistics) -> Router {
    Router::new()
        .route("/api/v1/stats", get(get_stats))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(statistics)
}

/// Count, add up or average events.
///
/// Those of one type of one video, over a range of time. The range is widened to what is kept: minutes for 7 days, hours for 366 days, days in UTC for ever.
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
) -> Result<([(HeaderName, &'static str); 1], Json<StatsAnswer>), ApiError> {
    let answer = statistics.get_stats(query).await?;
    Ok(([(CACHE_CONTROL, "public, max-age=1")], Json(answer)))
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
