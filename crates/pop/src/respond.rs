//! Answers as they go to viewers: ranges, validators, problems.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, AGE, CACHE_CONTROL, CONNECTION, CONTENT_RANGE,
        CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE, REFERRER_POLICY,
        RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body_util::{Either, Full, combinators::UnsyncBoxBody};
use weir_model::problem::{self, Code};

use crate::{
    cache::{Stored, StoredBody},
    metrics::Outcome,
    origin::FetchError,
};

/// What viewers get.
pub(crate) type ViewerResponse = Response<ViewerBody>;

/// A body that is there, or one that is passed on while it comes.
pub(crate) type ViewerBody = Either<Full<Bytes>, UnsyncBoxBody<Bytes, FetchError>>;

/// RFC 9211.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// A stored answer, for a `GET` or a `HEAD` with these header fields. hyper leaves the
/// body off an answer to `HEAD`.
pub(crate) fn stored(
    stored: &Stored,
    method: &Method,
    asked: &HeaderMap,
    outcome: Outcome,
) -> ViewerResponse {
    let body = match &stored.body {
        StoredBody::Whole(body) => whole(body.clone()),
        StoredBody::Growing(grown) => Either::Right(grown.body()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = stored.status;
    let head = response.headers_mut();
    head.clone_from(&stored.head);
    head.insert(CACHE_STATUS, cache_status(outcome, stored.stands_in));
    if outcome == Outcome::Hit {
        head.insert(AGE, HeaderValue::from(stored.at.elapsed().as_secs()));
    }
    if stored.status == StatusCode::OK {
        if not_modified(&stored.head, asked) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = whole(Bytes::new());
            return response;
        }
        let StoredBody::Whole(body) = &stored.body else {
            return response;
        };
        head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if *method == Method::GET
            && let Some(range) = asked.get(RANGE)
            && !asked.contains_key(IF_RANGE)
        {
            return ranged(response, body, range);
        }
    }
    response
}

fn whole(body: Bytes) -> ViewerBody {
    Either::Left(Full::new(body))
}

fn cache_status(outcome: Outcome, stands_in: bool) -> HeaderValue {
    HeaderValue::from_static(match outcome {
        Outcome::Hit if stands_in => "weir; hit; detail=stale",
        Outcome::Hit => "weir; hit",
        Outcome::Miss => "weir; fwd=miss",
        Outcome::Collapsed => "weir; fwd=miss; collapsed",
        Outcome::Pass | Outcome::Denied | Outcome::Error => "weir; fwd=method",
    })
}

/// An answer that went past the cache.
pub(crate) fn passed(status: StatusCode, head: HeaderMap, body: Bytes) -> ViewerResponse {
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    *response.headers_mut() = head;
    response
        .headers_mut()
        .insert(CACHE_STATUS, cache_status(Outcome::Pass, false));
    response
}

/// The edge's own answer.
pub(crate) fn own(response: &weir_edge_abi::Response<'_>) -> ViewerResponse {
    let mut own = Response::new(whole(Bytes::copy_from_slice(&response.body)));
    *own.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *own.headers_mut() = crate::order::header_map(&response.fields);
    own
}

/// A failure that the PoP itself has to tell.
pub(crate) fn problem(code: Code, detail: &'static str) -> ViewerResponse {
    let (status, word) = (code.status(), code.as_str());
    let body = format!(r#"{{"status":{status},"code":"{word}","detail":"{detail}"}}"#);
    let mut response = Response::new(whole(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
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

/// RFC 9110 section 13.1.2, by weak comparison.
fn not_modified(head: &HeaderMap, asked: &HeaderMap) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let (Some(tag), Some(known)) = (head.get(ETAG), asked.get(IF_NONE_MATCH)) else {
        return false;
    };
    let (Ok(tag), Ok(known)) = (tag.to_str(), known.to_str()) else {
        return false;
    };
    known.trim() == "*" || known.split(',').any(|one| opaque(one) == opaque(tag))
}

/// RFC 9110 section 14: one range is answered with 206 or 416; several, or what is no range, with
/// the whole, as the section allows.
fn ranged(mut response: ViewerResponse, body: &Bytes, range: &HeaderValue) -> ViewerResponse {
    let len = body.len();
    match range
        .to_str()
        .ok()
        .and_then(|range| parse_range(range, len))
    {
        None => {}
        Some(Err(Unsatisfiable)) => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            *response.body_mut() = whole(Bytes::new());
            insert_text(
                response.headers_mut(),
                CONTENT_RANGE,
                &format!("bytes */{len}"),
            );
        }
        Some(Ok((first, last))) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = whole(body.slice(first..=last));
            let text = format!("bytes {first}-{last}/{len}");
            insert_text(response.headers_mut(), CONTENT_RANGE, &text);
        }
    }
    response
}

fn insert_text(head: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        head.insert(name, value);
    }
}

/// No byte of the body is in the range.
#[derive(Debug, PartialEq, Eq)]
struct Unsatisfiable;

/// First and last byte of the one range that `range` names in a body of `len` bytes.
fn parse_range(range: &str, len: usize) -> Option<Result<(usize, usize), Unsatisfiable>> {
    let digits = |text: &str| {
        let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A number too large for us is as good as the largest.
        number.then(|| text.parse().unwrap_or(usize::MAX))
    };
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let Some(end) = len.checked_sub(1) else {
        return Some(Err(Unsatisfiable));
    };
    let found = if first.is_empty() {
        match digits(last)? {
            0 => return Some(Err(Unsatisfiable)),
            suffix => (len.saturating_sub(suffix), end),
        }
    } else {
        let first = digits(first)?;
        let last = if last.is_empty() {
            usize::MAX
        } else {
            digits(last)?
        };
        if first > last {
            return None;
        }
        (first, last.min(end))
    };
    Some(if found.0 > end {
        Err(Unsatisfiable)
    } else {
        Ok(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges() {
        let check = |range, len, expected| assert_eq!(parse_range(range, len), expected, "{range}");
        check("bytes=0-0", 10, Some(Ok((0, 0))));
        check("bytes=2-5", 10, Some(Ok((2, 5))));
        check("bytes=2-", 10, Some(Ok((2, 9))));
        check("bytes=2-99", 10, Some(Ok((2, 9))));
        check("bytes=-3", 10, Some(Ok((7, 9))));
        check("bytes=-30", 10, Some(Ok((0, 9))));
        check("bytes=10-", 10, Some(Err(Unsatisfiable)));
        check(
            "bytes=99999999999999999999999-",
            10,
            Some(Err(Unsatisfiable)),
        );
        check("bytes=-0", 10, Some(Err(Unsatisfiable)));
        check("bytes=0-", 0, Some(Err(Unsatisfiable)));
        check("bytes=5-2", 10, None);
        check("bytes=0-1,3-4", 10, None);
        check("bytes=a-b", 10, None);
        check("lines=0-1", 10, None);
    }
}
