//! Answers as they go to viewers.
//!
//! - `cache_status`: what the cache says it did
//! - `precondition`: what the viewer has already
//! - `range`: what part of it is wanted

pub(crate) mod cache_status;
mod precondition;
mod range;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, AGE, CACHE_CONTROL, CONNECTION, CONTENT_RANGE,
        CONTENT_TYPE, HeaderName, RANGE, REFERRER_POLICY, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
        UPGRADE, X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body_util::{Either, Full, combinators::UnsyncBoxBody};
use weir_model::{
    live_edge,
    problem::{self, Code},
};

use self::{
    cache_status::{CACHE_STATUS, CacheStatus},
    precondition::{not_modified, range_applies},
    range::{ByteRange, Unsatisfiable},
};
use crate::{
    cache::{Head, Hit},
    flights::Growing,
    upstream::FetchError,
};

/// What viewers get.
pub(crate) type ViewerResponse = Response<ViewerBody>;

/// A body that is there, or one that is passed on while it comes.
pub(crate) type ViewerBody = Either<Full<Bytes>, UnsyncBoxBody<Bytes, FetchError>>;

/// Where a live stream ends, as origins tell points of presence.
pub(crate) const LIVE_EDGE: HeaderName = HeaderName::from_static(live_edge::HEADER);

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

/// A whole answer, to `GET` or `HEAD`. hyper leaves the body off an answer to `HEAD`.
pub(crate) fn kept(
    hit: &Hit,
    asked: Asked<'_>,
    status: CacheStatus,
    now: Instant,
) -> ViewerResponse {
    let stored = &*hit.stored;
    let mut head = asked.head_of(&stored.head, status);
    if matches!(status, CacheStatus::Hit { .. } | CacheStatus::Stale) {
        head.insert(AGE, HeaderValue::from(hit.life.age(now).as_secs()));
    }
    if stored.status != StatusCode::OK {
        return response(stored.status, head, whole(stored.body.clone()));
    }
    if not_modified(&stored.head, asked.head) {
        return response(StatusCode::NOT_MODIFIED, head, whole(Bytes::new()));
    }
    head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let Some(range) = asked.range(&stored.head) else {
        return response(StatusCode::OK, head, whole(stored.body.clone()));
    };
    let len = stored.body.len();
    match range.within(len) {
        Ok(range) => {
            let (first, last) = (*range.start(), *range.end());
            let body = stored.body.slice(range);
            partial(head, body, &format!("bytes {first}-{last}/{len}"))
        }
        Err(Unsatisfiable) => unsatisfiable(head, len),
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
