//! Every error answer of the API is a problem (RFC 9457); nothing else leaves an extractor or a
//! handler.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use weir_model::{Code, Problem, VideoId, problem};

/// Largest body that any call of the API takes, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// A [`Problem`] on its way out: what handlers and extractors fail with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    problem: Problem,
    retry_after_s: Option<u32>,
}

impl ApiError {
    /// An answer with the status that goes with `code`.
    pub fn new(code: Code, detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self {
            problem: Problem::new(code, detail),
            retry_after_s: None,
        }
    }

    /// The store behind the call is down, full or too busy: 503 with `Retry-After: 1`.
    pub fn unavailable(detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self {
            retry_after_s: Some(1),
            ..Self::new(Code::Unavailable, detail)
        }
    }

    /// Too much at a time: 429, and after how many seconds more is taken.
    pub fn rate_limited(
        detail: impl Into<std::borrow::Cow<'static, str>>,
        retry_after_s: u32,
    ) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(Code::RateLimited, detail)
        }
    }

    /// No video has this id.
    pub fn no_such_video(video: VideoId) -> Self {
        Self::new(Code::VideoNotFound, format!("there is no video {video}"))
    }

    /// What the client is told.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            retry_after_s: None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.problem)).into_response();
        let headers = response.headers_mut();
        let content_type = header::HeaderValue::from_static(problem::CONTENT_TYPE);
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(
            header::CACHE_CONTROL,
            header::HeaderValue::from_static("no-store"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body is not read, so that nothing can follow it.
            headers.insert(
                header::CONNECTION,
                header::HeaderValue::from_static("close"),
            );
        }
        response
    }
}

/// Fallback handler of a router: the path names nothing.
pub async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(
        Code::NotFound,
        format!("there is nothing at {}", uri.path()),
    )
}

/// Method fallback of a router: the path is known, the method does not go with it. The router
/// adds the `Allow` header.
pub async fn method_not_allowed(request: Request) -> ApiError {
    let detail = format!(
        "{} does not go with {}",
        request.method(),
        request.uri().path()
    );
    ApiError::new(Code::MethodNotAllowed, detail)
}

/// A JSON body of at most [`MAX_BODY`] bytes, with `Content-Type: application/json`.
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read_body(request, &["application/json"]).await?;
        // serde would take an array for an object, by the order of its fields.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(ApiError::new(
                Code::InvalidBody,
                "the body is not a JSON object",
            ));
        }
        let value = serde_json::from_slice(&body).map_err(|error| {
            ApiError::new(
                Code::InvalidBody,
                format!("the body is not what this call takes: {error}"),
            )
        })?;
        Ok(Self(value))
    }
}

/// Reads a whole body of one of the `accepted` media types, up to [`MAX_BODY`] bytes.
///
/// # Errors
/// 415 for another media type, 413 for a longer body, 400 for one that breaks off.
pub async fn read_body(request: Request, accepted: &[&str]) -> Result<Bytes, ApiError> {
    read_body_up_to(request, accepted, MAX_BODY).await
}

/// The same up to `max` bytes.
///
/// # Errors
/// As [`read_body`].
pub async fn read_body_up_to(
    request: Request,
    accepted: &[&str],
    max: usize,
) -> Result<Bytes, ApiError> {
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map_or("", str::trim);
    if !accepted
        .iter()
        .any(|accepted| media_type.eq_ignore_ascii_case(accepted))
    {
        let detail = format!("send the body with Content-Type: {}", accepted.join(" or "));
        return Err(ApiError::new(Code::UnsupportedMediaType, detail));
    }
    match Limited::new(request.into_body(), max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::new(
            Code::TooLarge,
            format!("the body exceeds {max} bytes; send less at a time"),
        )),
        Err(error) => Err(ApiError::new(
            Code::InvalidBody,
            format!("the body broke off: {error}"),
        )),
    }
}

/// The query string, parsed; a missing, unknown or malformed parameter is a problem.
#[derive(Clone, Copy, Debug)]
pub struct QueryParams<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::new(Code::InvalidQuery, rejection.body_text())),
        }
    }
}

/// The `{id}` of a path with this one parameter. What is no id names no video.
#[derive(Clone, Copy, Debug)]
pub struct VideoPath(pub VideoId);

impl<S: Send + Sync> FromRequestParts<S> for VideoPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) => id.parse().map(Self).map_err(|error| {
                ApiError::new(
                    Code::VideoNotFound,
                    format!("there is no such video: {error}"),
                )
            }),
            Err(rejection) => Err(ApiError::new(Code::NotFound, rejection.body_text())),
        }
    }
}
