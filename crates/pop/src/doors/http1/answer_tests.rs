use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header::RANGE};
use http_body::Frame;
use http_body_util::{Full, StreamBody};

use super::*;
use crate::{
    cache::{Head, Hit, Stored, Templates},
    metrics::Outcome,
    respond::{Asked, Kept, ViewerBody, cache_status::CacheStatus},
    shelf::{Life, Terms},
    timing::Timing,
};

impl Outlet for Vec<u8> {}

fn reply(content: impl Into<Content>) -> Reply {
    Reply {
        content: content.into(),
        outcome: Outcome::Hit,
        timing: Timing::default(),
    }
}

fn kept(range: Option<&'static str>) -> Kept {
    let now = Instant::now();
    let terms = Terms {
        fresh: Duration::from_secs(60),
        ..Terms::default()
    };
    let life = Life::of_answer(&terms, now);
    let planned = HeaderMap::from_iter([(DATE, HeaderValue::from_static("long ago"))]);
    let own = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("\"a\""))]);
    let stored = Arc::new(Stored {
        status: StatusCode::OK,
        head: Head::new(Templates::default().intern(planned), &own),
        body: Bytes::from_static(b"0123456789").into(),
    });
    let range = range.map(|range| (RANGE, HeaderValue::from_static(range)));
    let asked = Asked {
        method: &Method::GET,
        head: &range.into_iter().collect(),
        by_pop: false,
    };
    let ttl = Duration::from_secs(60);
    let from_disk = false;
    let status = CacheStatus::Hit { ttl, from_disk };
    Kept::new(Hit { stored, life }, asked, status, now)
}

/// The lines of the head, without the date, and the body.
async fn sent(message: Message) -> (Vec<String>, String, u64) {
    let counter = Counter::default();
    let mut out = Vec::new();
    message.send(&mut out, &counter).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (dates, lines): (Vec<_>, Vec<_>) = head
        .split("\r\n")
        .map(str::to_owned)
        .partition(|line| line.starts_with("date: "));
    assert_eq!(dates.len(), 1, "{head}");
    assert!(dates[0].ends_with(" GMT"), "{head}");
    (lines, body.to_owned(), counter.get())
}

fn get(reply: Reply) -> Message {
    Message::new(reply, &Method::GET, false, None)
}

const TIMING: &str = "server-timing: cache;desc=hit, edge;dur=0.000";

#[tokio::test]
async fn a_hit_is_what_is_stored_and_what_became_of_it() {
    let (lines, body, bytes) = sent(get(reply(kept(None)))).await;
    assert_eq!(
        lines,
        [
            "HTTP/1.1 200 OK",
            "etag: \"a\"",
            "cache-status: weir; hit; ttl=60",
            "age: 0",
            "accept-ranges: bytes",
            TIMING,
            "content-length: 10",
        ]
    );
    assert_eq!((&*body, bytes), ("0123456789", 10));

    let (lines, body, bytes) = sent(get(reply(kept(Some("bytes=2-4"))))).await;
    assert_eq!(lines[0], "HTTP/1.1 206 Partial Content");
    assert!(lines.contains(&"content-range: bytes 2-4/10".to_owned()));
    assert!(lines.contains(&"content-length: 3".to_owned()));
    assert_eq!((&*body, bytes), ("234", 3));

    let (lines, body, _) = sent(get(reply(kept(Some("bytes=20-"))))).await;
    assert_eq!(lines[0], "HTTP/1.1 416 Range Not Satisfiable");
    assert!(lines.contains(&"content-range: bytes */10".to_owned()));
    assert_eq!(body, "");
}

#[tokio::test]
async fn a_head_tells_the_length_of_what_it_leaves_off() {
    let alt_svc = HeaderValue::from_static("h3=\":443\"");
    let message = Message::new(reply(kept(None)), &Method::HEAD, true, Some(&alt_svc));
    assert!(message.is_last);
    let (lines, body, bytes) = sent(message).await;
    assert!(lines.contains(&"content-length: 10".to_owned()));
    assert!(lines.contains(&"connection: close".to_owned()));
    assert!(lines.contains(&"alt-svc: h3=\":443\"".to_owned()));
    assert_eq!((&*body, bytes), ("", 0));
}

fn made(status: StatusCode, body: ViewerBody) -> ViewerResponse {
    let mut response = ViewerResponse::new(body);
    *response.status_mut() = status;
    response
}

#[tokio::test]
async fn what_is_made_goes_with_its_own_fields_but_not_its_framing() {
    let text = Either::Left(Full::from("too long"));
    let mut response = made(StatusCode::PAYLOAD_TOO_LARGE, text);
    for (name, value) in [(CONTENT_LENGTH, "99"), (CONNECTION, "close")] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    let message = get(reply(response));
    assert!(message.is_last);
    let (lines, body, _) = sent(message).await;
    assert_eq!(
        lines,
        [
            "HTTP/1.1 413 Payload Too Large",
            TIMING,
            "content-length: 8",
            "connection: close",
        ]
    );
    assert_eq!(body, "too long");

    let nothing = Either::Left(Full::default());
    let (lines, ..) = sent(get(reply(made(StatusCode::NO_CONTENT, nothing)))).await;
    assert_eq!(lines, ["HTTP/1.1 204 No Content", TIMING]);
}

#[tokio::test]
async fn what_grows_goes_in_chunks() {
    let pieces = |pieces: Vec<Result<&'static str, FetchError>>| {
        let frames = pieces
            .into_iter()
            .map(|piece| piece.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
        let body = StreamBody::new(futures_util::stream::iter(frames));
        made(StatusCode::OK, Either::Right(body.boxed_unsync()))
    };
    let whole = get(reply(pieces(vec![Ok("a segment "), Ok(""), Ok("grows")])));
    let (lines, body, bytes) = sent(whole).await;
    assert!(lines.contains(&"transfer-encoding: chunked".to_owned()));
    assert_eq!(body, "a\r\na segment \r\n5\r\ngrows\r\n0\r\n\r\n");
    assert_eq!(bytes, 15);

    let cut = get(reply(pieces(vec![Ok("a"), Err(FetchError::CutShort)])));
    let mut out = Vec::new();
    let ended = cut.send(&mut out, &Counter::default()).await;
    assert!(matches!(ended, Err(SendError::Body(FetchError::CutShort))));
    assert!(out.ends_with(b"1\r\na\r\n"), "without its end");
}
