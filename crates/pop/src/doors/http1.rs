//! One connection that speaks HTTP/1.1.
//!
//! What viewers ask for all day is a `GET` that comes whole and without a body. Such requests are
//! read and answered here: a hit costs one read, one write and no task, and neither who waits for an
//! answer nor who is idle holds a buffer. Whatever else comes is handed to hyper, with every byte
//! that was read of it, and the connection comes back as soon as no request is under way.
//!
//! - `request`: which requests those are
//! - `answer`: answers to them
//! - `library`: all others

mod answer;
mod library;
mod request;

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::Either;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep, sleep, timeout},
};
use tracing::debug;

use self::{answer::Message, request::Plain};
use super::{Doorway, FAREWELL, Leave, outlet::Outlet, socket::Socket};
use crate::{metrics::Protocol, respond::Reply};

/// Most fields of a request's head.
const MAX_HEAD_FIELDS: usize = 64;
/// Most bytes that are read at once. A longer head is unusual.
const READ_BYTES: usize = 8 * 1024;

/// What comes over a connection.
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart at once, where a box would be an allocation for every request"
)]
enum Came {
    Request(Plain),
    /// Bytes that are no plain request, or not yet; they are with the socket again.
    Unusual,
    /// Nothing any more.
    End,
}

/// Serves the connection to its end.
pub(super) async fn attend<S>(
    doorway: &Arc<Doorway>,
    mut socket: Socket<S>,
    peer: SocketAddr,
    mut leave: Leave,
) where
    S: AsyncRead + Outlet + Send + 'static,
{
    let mut asked = leave.clone();
    let mut asked = pin!(asked.asked());
    let mut idle = Idle::new(doorway.config.head_timeout);
    loop {
        idle.begin();
        let came = poll_fn(|context| {
            if let Poll::Ready(came) = poll_request(&mut socket, context) {
                return Poll::Ready(came.unwrap_or(Came::End));
            }
            let leaves = asked.as_mut().poll(context).is_ready();
            match leaves || idle.poll_over(context).is_ready() {
                true => Poll::Ready(Came::End),
                false => Poll::Pending,
            }
        });
        match came.await {
            Came::Request(Plain {
                request, is_last, ..
            }) => {
                let method = request.method().clone();
                let reply = match doorway.answer(Protocol::Http1, peer, request) {
                    Either::Left(reply) => Some(reply.into_inner()),
                    Either::Right(reply) => unless_gone(&mut socket, reply).await,
                };
                let Some(reply) = reply else {
                    return;
                };
                let is_last = is_last || leave.is_asked();
                let message = Message::new(reply, &method, is_last, doorway.alt_svc.as_ref());
                let is_last = message.is_last;
                let bytes_out = &doorway.metrics().bytes_out;
                if let Err(error) = message.send(&mut socket, bytes_out).await {
                    debug!(%error, "answer was not sent");
                    return;
                }
                if is_last {
                    break;
                }
            }
            // Boxed, so that nothing of it is kept while the connection is quiet.
            Came::Unusual => {
                match Box::pin(library::serve(doorway, socket, peer, &mut leave)).await {
                    Ok(Some(free)) => socket = free,
                    Ok(None) => return,
                    Err(error) => {
                        debug!(%error, "connection ended");
                        return;
                    }
                }
            }
            Came::End => break,
        }
    }
    // A peer who is gone hears nothing of it.
    let _ = timeout(FAREWELL, socket.shutdown()).await;
}

/// Reads once, into memory that is gone afterwards.
fn poll_request<S>(socket: &mut Socket<S>, context: &mut Context<'_>) -> Poll<io::Result<Came>>
where
    S: AsyncRead + Unpin,
{
    let mut space = [MaybeUninit::uninit(); READ_BYTES];
    let mut read = ReadBuf::uninit(&mut space);
    ready!(Pin::new(&mut *socket).poll_read(context, &mut read))?;
    if read.filled().is_empty() {
        return Poll::Ready(Ok(Came::End));
    }
    let read = Bytes::copy_from_slice(read.filled());
    Poll::Ready(Ok(match request::plain(&read) {
        Some(plain) => {
            socket.put_back(read.slice(plain.len..));
            Came::Request(plain)
        }
        None => {
            socket.put_back(read);
            Came::Unusual
        }
    }))
}

/// What is waited for; `None` if the peer goes away meanwhile.
async fn unless_gone<S>(
    socket: &mut Socket<S>,
    reply: impl Future<Output = Reply> + Unpin,
) -> Option<Reply>
where
    S: AsyncRead + Unpin,
{
    let mut reply = reply;
    tokio::select! {
        biased;
        reply = &mut reply => return Some(reply),
        stirred = socket.stirs() => stirred.ok().filter(|stirs| *stirs)?,
    };
    // It has sent its next request already, and is to have this answer first.
    Some(reply.await)
}

/// How long nothing has come. Its timer runs on through the requests, which come and go faster than
/// timers are set; one that has run out too early is set anew.
struct Idle {
    limit: Duration,
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            since: Instant::now(),
            timer: Box::pin(sleep(limit)),
        }
    }

    fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// Ready once nothing has come for too long.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let end = self.since + self.limit;
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
    }
}
