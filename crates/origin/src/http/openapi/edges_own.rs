//! Calls that the edge answers itself, so that no origin has a handler for them. They stand here for
//! the contract alone.

#![expect(dead_code, reason = "what answers is in the edge module")]

use weir_model::{Problem, VideoId, api::BegunSession};

/// Begins a session: who watches, what and from where, signed by the edge.
///
/// The ticket goes with the events that are reported of the session, which count for nothing without. A
/// protected video's takes its playback token.
#[utoipa::path(
    post,
    path = "/api/v1/videos/{id}/sessions",
    tag = "events",
    params(
        ("id" = VideoId, Path, description = "Which video"),
        ("session" = Option<String>, Query, description = "The session, if the player has drawn it \
            itself: 26 characters of a-z and 2-7"),
        ("token" = Option<String>, Query, description = "The playback token, unless it is sent as \
            `Authorization: Bearer` or stands before the path: `/t/{token}/api/v1/videos/…`"),
    ),
    responses(
        (status = 201, description = "Signed", body = BegunSession),
        (status = 400, description = "`session` is none", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "The playback token is missing or not good, or nothing is \
            played in this country", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many from this address", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The edge has no ticket key", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) fn begin_session() {}

/// Which pathway a player is to load from: HLS Content Steering and DASH's (ETSI TS 103 998).
#[utoipa::path(
    get,
    path = "/v/{video}/steering.json",
    tag = "media",
    params(
        ("video" = VideoId, Path, description = "Which video"),
        ("_HLS_throughput" = Option<u64>, Query, description = "What the player measures, in bit/s"),
    ),
    responses(
        (status = 200, description = "A steering manifest", body = Object),
        (status = 403, description = "The playback token is missing or not good", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) fn steer() {}
