//! An answer as a message of HTTP/1.1 (RFC 9112).

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    ops::RangeInclusive,
    task::Poll,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{ALT_SVC, CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt, Either};
use prometheus_client::metrics::counter::Counter;
use thiserror::Error;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::super::outlet::{Outlet, Piece};
use crate::{
    cache::{Body, Written, push_line},
    respond::{Content, Growth, Reply, ViewerResponse},
    timing::SERVER_TIMING,
    upstream::FetchError,
};

/// A body up to this length is copied behind its head: one piece costs the system less than two.
const SHORT_BYTES: usize = 2048;
/// The kernel sends the pages that a body of such a length lies in. That takes a call more, and pages
/// are counted one by one: a shorter one is copied as fast, and so is a longer one, of which most waits
/// in queues until it is in no cache of a processor.
const PAGES_BYTES: RangeInclusive<usize> = 16 * 1024..=128 * 1024;
/// What a buffer for heads may grow to and be kept.
const BUFFER_BYTES: usize = 8 * 1024;

thread_local! {
    /// For the next head. Connections have none of their own, as most of them are idle.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Why an answer did not go out.
#[derive(Debug, Error)]
pub(super) enum SendError {
    #[error("the socket took no more: {0}")]
    Socket(#[from] io::Error),
    #[error("the answer was cut short: {0}")]
    Body(FetchError),
}

/// An answer, as far as it goes out.
pub(super) struct Message {
    head: Vec<u8>,
    rest: Rest,
    /// Whether the connection ends with it.
    pub(super) is_last: bool,
}

enum Rest {
    Whole(Body),
    /// What still comes, in chunks (section 7.1).
    Chunked(Growth),
}

impl Message {
    /// The answer to a request of `method`, the last one of its connection if that is said here or
    /// by the answer. `alt_svc` is where else viewers may come in.
    pub(super) fn new(
        reply: Reply,
        method: &Method,
        mut is_last: bool,
        alt_svc: Option<&HeaderValue>,
    ) -> Self {
        let mut head = BUFFER.take();
        head.clear();
        let status = reply.content.status();
        push_status(&mut head, status);
        let rest = match reply.content {
            Content::Kept(kept) => {
                kept.push_lines(&mut head);
                Rest::Whole(kept.into_body())
            }
            Content::Made(response) => {
                is_last |= response.headers().contains_key(CONNECTION);
                push_fields(&mut head, &response);
                Rest::of(response)
            }
        };
        push_name(&mut head, &SERVER_TIMING);
        reply.timing.push(reply.outcome, &mut head);
        head.extend_from_slice(b"\r\n");
        if let Some(alt_svc) = alt_svc {
            push_line(&mut head, &ALT_SVC, alt_svc);
        }
        match &rest {
            // Of what has no length yet there is nothing to tell.
            Rest::Chunked(_) if method == Method::HEAD => {}
            Rest::Chunked(_) => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            // Section 8.6 of RFC 9110: of these the length would be another answer's.
            Rest::Whole(_) if has_no_length(status) => {}
            Rest::Whole(body) => {
                push_name(&mut head, &CONTENT_LENGTH);
                head.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
                head.extend_from_slice(b"\r\n");
            }
        }
        if is_last {
            head.extend_from_slice(b"connection: close\r\n");
        }
        push_date(&mut head);
        head.extend_from_slice(b"\r\n");
        Self {
            head,
            rest: match *method {
                Method::HEAD => Rest::Whole(Body::default()),
                _ => rest,
            },
            is_last,
        }
    }

    /// Writes it, and counts the bytes of its body. After an error nothing can follow on the
    /// connection.
    pub(super) async fn send<S>(self, socket: &mut S, bytes_out: &Counter) -> Result<(), SendError>
    where
        S: Outlet,
    {
        match self.rest {
            Rest::Whole(body) => {
                bytes_out.inc_by(body.len() as u64);
                send_whole(self.head, body, socket).await
            }
            // Boxed, as it is rare, and the connection has the room for what it does all its life.
            Rest::Chunked(body) => Box::pin(send_chunks(&self.head, body, socket, bytes_out)).await,
        }
    }
}

async fn send_whole<S>(mut head: Vec<u8>, body: Body, socket: &mut S) -> Result<(), SendError>
where
    S: Outlet,
{
    let pages = body
        .pages()
        .filter(|pages| PAGES_BYTES.contains(&pages.len()));
    if body.len() <= SHORT_BYTES {
        head.extend_from_slice(&body);
        socket.write_all(&head).await?;
    } else if let Some(pages) = pages
        && send_pages(&head, pages.clone(), socket).await?
    {
        // Sent where it lies.
    } else {
        let mut message = (&*head).chain(body.into_bytes());
        socket.write_all_buf(&mut message).await?;
    }
    if head.capacity() <= BUFFER_BYTES {
        BUFFER.set(head);
    }
    Ok(socket.flush().await?)
}

/// Has the kernel send a message. `false`, and nothing is sent, if it cannot.
async fn send_pages<S>(mut head: &[u8], mut pages: Written, socket: &mut S) -> io::Result<bool>
where
    S: Outlet,
{
    while pages.len() > 0 {
        let is_head = !head.is_empty();
        let piece = match is_head {
            true => Piece::Head(head),
            false => Piece::Pages(&pages),
        };
        let sent = poll_fn(|context| match socket.poll_send(piece, context) {
            Some(sent) => sent.map_ok(Some),
            None => Poll::Ready(Ok(None)),
        });
        match sent.await? {
            None => return Ok(false),
            Some(0) => return Err(io::ErrorKind::WriteZero.into()),
            Some(sent) if is_head => head = head.get(sent..).unwrap_or_default(),
            Some(sent) => pages.advance(sent),
        }
    }
    Ok(true)
}

async fn send_chunks<S>(
    head: &[u8],
    mut body: Growth,
    socket: &mut S,
    bytes_out: &Counter,
) -> Result<(), SendError>
where
    S: AsyncWrite + Unpin,
{
    socket.write_all(head).await?;
    socket.flush().await?;
    while let Some(frame) = body.frame().await {
        let piece = frame.map_err(SendError::Body)?.into_data();
        // An empty chunk would be the last one.
        let Some(piece) = piece.ok().filter(|piece| !piece.is_empty()) else {
            continue;
        };
        bytes_out.inc_by(piece.len() as u64);
        let size = Bytes::from(format!("{:x}\r\n", piece.len()));
        let mut chunk = size.chain(piece).chain(&b"\r\n"[..]);
        socket.write_all_buf(&mut chunk).await?;
        socket.flush().await?;
    }
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(socket.flush().await?)
}

impl Rest {
    fn of(response: ViewerResponse) -> Self {
        match response.into_body() {
            Either::Left(whole) => {
                // It is all there, and cannot fail.
                let whole = whole.collect().now_or_never();
                let whole = whole.and_then(Result::ok);
                let whole = whole.map(|whole| whole.to_bytes()).unwrap_or_default();
                Self::Whole(whole.into())
            }
            Either::Right(growing) => Self::Chunked(growing),
        }
    }
}

fn push_status(head: &mut Vec<u8>, status: StatusCode) {
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(status.as_str().as_bytes());
    head.push(b' ');
    let reason = status.canonical_reason().unwrap_or_default();
    head.extend_from_slice(reason.as_bytes());
    head.extend_from_slice(b"\r\n");
}

/// All fields, but for those that say how the message goes.
fn push_fields(head: &mut Vec<u8>, response: &ViewerResponse) {
    const HOW: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING];
    for (name, value) in response.headers() {
        if !HOW.contains(name) {
            push_line(head, name, value);
        }
    }
}

fn push_name(head: &mut Vec<u8>, name: &HeaderName) {
    head.extend_from_slice(name.as_str().as_bytes());
    head.extend_from_slice(b": ");
}

fn has_no_length(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The time (RFC 9110 section 6.6.1), of which each thread makes one text a second.
fn push_date(head: &mut Vec<u8>) {
    thread_local! {
        static LINE: RefCell<Option<(Instant, String)>> = const { RefCell::new(None) };
    }
    let now = Instant::now();
    LINE.with_borrow_mut(|line| {
        let (_, text) = match line.take() {
            Some(good) if now < good.0 => line.insert(good),
            _ => line.insert(date_line(now)),
        };
        head.extend_from_slice(text.as_bytes());
    });
}

/// The field's line, and until when it is true.
fn date_line(now: Instant) -> (Instant, String) {
    let wall = SystemTime::now();
    let since_1970 = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let of_second = Duration::from_nanos(since_1970.subsec_nanos().into());
    let line = format!("date: {}\r\n", httpdate::fmt_http_date(wall));
    (now + (Duration::from_secs(1) - of_second), line)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
