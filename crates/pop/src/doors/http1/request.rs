//! The requests that viewers make all day.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE},
};
use http_body_util::Empty;
use httparse::Status;

use super::MAX_HEAD_FIELDS;

/// A `GET` or `HEAD` of HTTP/1.1 for a path (RFC 9112 section 3.2.1), without a body.
pub(super) struct Plain {
    pub(super) request: Request<Empty<Bytes>>,
    /// How many bytes it took.
    pub(super) len: usize,
    /// Whether it is the last one of its connection (RFC 9112 section 9.6).
    pub(super) is_last: bool,
}

/// The plain request that `bytes` begin with. `None` if they begin with anything else, or it is
/// malformed or not yet whole.
pub(super) fn plain(bytes: &Bytes) -> Option<Plain> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEAD_FIELDS];
    let mut head = httparse::Request::new(&mut []);
    let parsed = head.parse_with_uninit_headers(bytes, &mut fields);
    let Ok(Status::Complete(len)) = parsed else {
        return None;
    };
    let method = match head.method? {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        _ => return None,
    };
    let target = head.path.filter(|target| target.starts_with('/'))?;
    if head.version != Some(1) {
        return None;
    }
    let mut map = HeaderMap::with_capacity(head.headers.len());
    let mut is_last = false;
    for field in &*head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        match name {
            // More than the head comes, or is waited for.
            CONTENT_LENGTH | TRANSFER_ENCODING | EXPECT | UPGRADE => return None,
            CONNECTION if field.value.eq_ignore_ascii_case(b"close") => is_last = true,
            CONNECTION if !field.value.eq_ignore_ascii_case(b"keep-alive") => return None,
            _ => {}
        }
        // Slices of what was read, which lives as long as the request.
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).ok()?;
        map.append(name, value);
    }
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes())).ok()?;
    *request.headers_mut() = map;
    Some(Plain {
        request,
        len,
        is_last,
    })
}

#[cfg(test)]
mod tests {
    use http::header::{HOST, RANGE};
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: impl Into<Vec<u8>>) -> Option<Plain> {
        plain(&Bytes::from(bytes.into()))
    }

    #[test]
    fn what_viewers_ask_all_day_is_read() {
        let asked = "GET /v/a/1.m4s?x=1 HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\n\
                     range: bytes=0-1\r\n\r\n";
        let plain = read(format!("{asked}GET /next")).unwrap();
        assert!(!plain.is_last);
        assert_eq!(plain.len, asked.len());
        let request = plain.request;
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri(), "/v/a/1.m4s?x=1");
        assert_eq!(request.headers()[HOST], "a");
        assert_eq!(request.headers()[RANGE], "bytes=0-1");
        let last = read("HEAD / HTTP/1.1\r\nConnection: Close\r\n\r\n").unwrap();
        assert!(last.is_last);
        assert_eq!(last.request.method(), Method::HEAD);
    }

    #[test]
    fn everything_else_is_left_to_the_library() {
        let many = "a: b\r\n".repeat(MAX_HEAD_FIELDS + 1);
        for unusual in [
            "",
            "GET / HTTP/1.1\r\nhost: a\r\n",
            "POST / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\n\r\n",
            "GET * HTTP/1.1\r\n\r\n",
            "GET /{ HTTP/1.1\r\nhost: \0\r\n\r\n",
            "GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nexpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\r\nconnection: close, te\r\n\r\n",
            "GET / HTTP/1.1\r\nconnection: keep-alive, upgrade\r\nupgrade: websocket\r\n\r\n",
            "GET / HTTP/1.1\r\nupgrade: h2c\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\na : b\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &format!("GET / HTTP/1.1\r\n{many}\r\n"),
        ] {
            assert!(read(unusual).is_none(), "{unusual:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded_by_itself(
            begin in "(GET|HEAD) /[a-z?]{0,8} HTTP/1.1\r\n([a-z-]{1,8}: [a-z]{0,8}\r\n){0,4}",
            rest in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut bytes = begin.into_bytes();
            bytes.extend(rest);
            let total = bytes.len();
            if let Some(plain) = read(bytes) {
                prop_assert!(plain.len <= total);
            }
        }
    }
}
