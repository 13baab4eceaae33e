//! Errors as users of the HTTP API see them: RFC 9457 problem details with a stable code.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Content type of a [`Problem`].
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong, in a word that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The path names nothing.
    NotFound,
    /// No video has this id.
    VideoNotFound,
    /// The video is known and has no such media (yet, or any more).
    MediaNotFound,
    /// The method does not go with the path.
    MethodNotAllowed,
    /// A query parameter is malformed, missing or out of bounds.
    InvalidQuery,
    /// The playlist position lies too far ahead.
    PositionTooFarAhead,
    /// The body is not what the call takes.
    InvalidBody,
    /// The body or the URL exceeds the bound.
    TooLarge,
    /// The body's content type is not taken.
    UnsupportedMediaType,
    /// None of what is offered is acceptable, such as the codecs of a session.
    NotAcceptable,
    /// `If-Match` names what is no more.
    PreconditionFailed,
    /// The body can be read, and asks for what is not done here.
    Unprocessable,
    /// The operator token, or a stream key, is missing or wrong.
    Unauthorized,
    /// A playback token is missing, wrong or expired.
    TokenRequired,
    /// Nothing is played where the viewer is.
    CountryDenied,
    /// The rendition has more lines than the ceiling of the request, or of its token.
    AboveCeiling,
    /// The page that asks was served by another site, which may not.
    ForeignPage,
    /// The call does not go with the video's state.
    Conflict,
    /// What is there is a WebSocket, and none was asked for.
    UpgradeRequired,
    /// Too many requests; `Retry-After` says when to come back.
    RateLimited,
    /// The position did not come in time.
    PositionTimeout,
    /// The store behind the answer is down or full; trying again later may help.
    Unavailable,
    /// The origin could not be reached.
    OriginUnreachable,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// The HTTP status that goes with the code.
    pub fn status(self) -> u16 {
        match self {
            Self::NotFound | Self::VideoNotFound | Self::MediaNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::InvalidQuery | Self::PositionTooFarAhead | Self::InvalidBody => 400,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::NotAcceptable => 406,
            Self::PreconditionFailed => 412,
            Self::Unprocessable => 422,
            Self::Unauthorized => 401,
            Self::TokenRequired | Self::CountryDenied | Self::AboveCeiling | Self::ForeignPage => {
                403
            }
            Self::Conflict => 409,
            Self::UpgradeRequired => 426,
            Self::RateLimited => 429,
            Self::PositionTimeout | Self::Unavailable => 503,
            Self::OriginUnreachable => 502,
            Self::Internal => 500,
        }
    }

    /// The word as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::VideoNotFound => "video_not_found",
            Self::MediaNotFound => "media_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::InvalidQuery => "invalid_query",
            Self::PositionTooFarAhead => "position_too_far_ahead",
            Self::InvalidBody => "invalid_body",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::NotAcceptable => "not_acceptable",
            Self::PreconditionFailed => "precondition_failed",
            Self::Unprocessable => "unprocessable",
            Self::Unauthorized => "unauthorized",
            Self::TokenRequired => "token_required",
            Self::CountryDenied => "country_denied",
            Self::AboveCeiling => "above_ceiling",
            Self::ForeignPage => "foreign_page",
            Self::Conflict => "conflict",
            Self::UpgradeRequired => "upgrade_required",
            Self::RateLimited => "rate_limited",
            Self::PositionTimeout => "position_timeout",
            Self::Unavailable => "unavailable",
            Self::OriginUnreachable => "origin_unreachable",
            Self::Internal => "internal",
        }
    }
}

/// The body of an error answer, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status, repeated in the body.
    pub status: u16,
    /// Stable and machine-readable.
    pub code: Code,
    /// What was wrong and what to do, for a person.
    pub detail: Cow<'static, str>,
}

impl Problem {
    /// A problem with the status that goes with `code`.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: code.status(),
            code,
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_json_with_the_stable_word() {
        let problem = Problem::new(Code::PositionTooFarAhead, "msn 9 is more than 2 ahead of 4");
        let json = serde_json::to_string(&problem).unwrap();
        assert_eq!(
            json,
            r#"{"status":400,"code":"position_too_far_ahead","detail":"msn 9 is more than 2 ahead of 4"}"#
        );
        assert_eq!(problem.code.as_str(), "position_too_far_ahead");
    }
}
