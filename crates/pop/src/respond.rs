//! Answers as they go to viewers.
//!
//! - `kept`: an answer out of the cache
//! - `cache_status`: what the cache says it did
//! - `precondition`: what the viewer has already
//! - `range`: what part of it is wanted

pub(crate) mod cache_status;
mod kept;
mod precondition;
mod range;

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, AGE, ALT_SVC, CACHE_CONTROL, CONNECTION,
        CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, HeaderName, RANGE, REFERRER_POLICY,
        RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, TRANSFER_ENCODING, UPGRADE, X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body_util::{Either, Full, combinators::UnsyncBoxBody};
use weir_model::{
    live_edge,
    problem::{self, Code},
};

pub(crate) use self::kept::Kept;
use self::{
    cache_status::{CACHE_STATUS, CacheStatus},
    precondition::range_applies,
    range::ByteRange,
};
use crate::{
    cache::Head,
    flights::Growing,
    metrics::Outcome,
    timing::{SERVER_TIMING, Timing},
    upstream::FetchError,
};

/// What viewers get.
pub(crate) type ViewerResponse = Response<ViewerBody>;

/// A body that is there, or one that is passed on while it comes.
pub(crate) type ViewerBody = Either<Full<Bytes>, Growth>;

/// A body that is passed on while it comes.
pub(crate) type Growth = UnsyncBoxBody<Bytes, FetchError>;

/// Where a live stream ends, as origins tell points of presence.
pub(crate) const LIVE_EDGE: HeaderName = HeaderName::from_static(live_edge::HEADER);

/// Fields that say what became of an answer here, or how it goes to one viewer: nobody else's are
/// passed on.
pub(crate) static OURS: [HeaderName; 10] = [
    ACCEPT_RANGES,
    AGE,
    ALT_SVC,
    CACHE_STATUS,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    DATE,
    SERVER_TIMING,
    TRANSFER_ENCODING,
];

/// What a request comes to.
pub(crate) struct Reply {
    pub(crate) content: Content,
    pub(crate) outcome: Outcome,
    pub(crate) timing: Timing,
}

/// An answer, but for what is said of its way.
pub(crate) enum Content {
    /// Out of the cache; a door that can writes it as it is kept.
    Kept(Kept),
    /// Any other.
    Made(ViewerResponse),
}

impl Reply {
    /// The answer as the libraries take it.
    pub(crate) fn into_response(self) -> ViewerResponse {
        let mut response = match self.content {
            Content::Kept(kept) => kept.into_response(),
            Content::Made(response) => response,
        };
        self.timing.tell(self.outcome, response.headers_mut());
        response
    }
}

impl Content {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Kept(kept) => kept.status(),
            Self::Made(response) => response.status(),
        }
    }
}

impl From<Kept> for Content {
    fn from(kept: Kept) -> Self {
        Self::Kept(kept)
    }
}

impl From<ViewerResponse> for Content {
    fn from(response: ViewerResponse) -> Self {
        Self::Made(response)
    }
}

/// Who asks for what is cached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) head: &'a HeaderMap,
    /// Whether another point of presence asks, which is told of the live edge.
    pub(crate) by_pop: bool,
}

impl Asked<'_> {
    /// The one range that is wanted of an answer with this head (RFC 9110 section 14.2).
    fn range(&self, head: &Head) -> Option<ByteRange> {
        if *self.method != Method::GET {
            return None;
        }
        let range = ByteRange::parse(self.head.get(RANGE)?.to_str().ok()?)?;
        range_applies(head, self.head).then_some(range)
    }

    fn head_of(&self, head: &Head, status: CacheStatus) -> HeaderMap {
        let mut map = head.to_map();
        if !self.by_pop {
            map.remove(LIVE_EDGE);
        }
        map.insert(CACHE_STATUS, status.to_value());
        map
    }
}

/// An answer whose body still comes. Of ranges, those alone are cut out of it whose end is said;
/// for others the whole is sent, as section 14.2 allows.
pub(crate) async fn growing(
    growing: &Growing,
    asked: Asked<'_>,
    status: CacheStatus,
) -> Result<ViewerResponse, FetchError> {
    let head = asked.head_of(&growing.head, status);
    let Some(ByteRange::Closed { first, last }) = asked.range(&growing.head) else {
        let body = Either::Right(growing.body.body());
        return Ok(response(growing.status, head, body));
    };
    let cut = growing.body.cut(first, last).await?;
    let last = match (first + cut.bytes.len()).checked_sub(1) {
        Some(last) if !cut.bytes.is_empty() => last,
        _ => return Ok(unsatisfiable(head, cut.complete_len.unwrap_or_default())),
    };
    let range = match cut.complete_len {
        Some(len) => format!("bytes {first}-{last}/{len}"),
        None => format!("bytes {first}-{last}/*"),
    };
    Ok(partial(head, cut.bytes, &range))
}

fn partial(mut head: HeaderMap, body: Bytes, range: &str) -> ViewerResponse {
    insert_text(&mut head, CONTENT_RANGE, range);
    response(StatusCode::PARTIAL_CONTENT, head, whole(body))
}

fn unsatisfiable(mut head: HeaderMap, len: usize) -> ViewerResponse {
    insert_text(&mut head, CONTENT_RANGE, &format!("bytes */{len}"));
    response(StatusCode::RANGE_NOT_SATISFIABLE, head, whole(Bytes::new()))
}

fn insert_text(head: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        head.insert(name, value);
    }
}

fn response(status: StatusCode, head: HeaderMap, body: ViewerBody) -> ViewerResponse {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = head;
    response
}

fn whole(body: Bytes) -> ViewerBody {
    Either::Left(Full::new(body))
}

/// An answer that went past the cache.
pub(crate) fn passed(status: StatusCode, mut head: HeaderMap, body: Bytes) -> ViewerResponse {
    head.insert(CACHE_STATUS, CacheStatus::Passed.to_value());
    response(status, head, whole(body))
}

/// The edge's own answer.
pub(crate) fn own(own: &weir_edge_abi::Response<'_>) -> ViewerResponse {
    let status = StatusCode::from_u16(own.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let body = Bytes::copy_from_slice(&own.body);
    response(status, crate::order::header_map(&own.fields), whole(body))
}

/// The agreement to speak WebSocket from now on (RFC 6455 section 4.2.2).
pub(crate) fn switching(accept: HeaderValue) -> ViewerResponse {
    let mut head = HeaderMap::new();
    head.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    head.insert(UPGRADE, HeaderValue::from_static("websocket"));
    head.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response(StatusCode::SWITCHING_PROTOCOLS, head, whole(Bytes::new()))
}

/// The refusal of a client who did too much of something (RFC 6585 section 4), and may again after
/// `wait`.
pub(crate) fn rate_limited(wait: Duration) -> ViewerResponse {
    let mut response = problem(Code::RateLimited, "too many requests of this kind");
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The refusal of a request that goes round in circles (RFC 5842 section 7.2).
pub(crate) fn loop_detected() -> ViewerResponse {
    let mut response = problem(
        Code::Internal,
        "points of presence ask each other in a circle",
    );
    *response.status_mut() = StatusCode::LOOP_DETECTED;
    response
}

/// A failure that the PoP itself has to tell.
pub(crate) fn problem(code: Code, detail: &'static str) -> ViewerResponse {
    let (number, word) = (code.status(), code.as_str());
    let body = format!(r#"{{"status":{number},"code":"{word}","detail":"{detail}"}}"#);
    let status = StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(status, HeaderMap::new(), whole(Bytes::from(body)));
    let head = response.headers_mut();
    head.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(problem::CONTENT_TYPE),
    );
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    head.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if matches!(
        code,
        Code::Unavailable | Code::OriginUnreachable | Code::PositionTimeout
    ) {
        head.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if code == Code::TooLarge {
        // The rest of the body is not read, so that nothing can follow it.
        head.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
