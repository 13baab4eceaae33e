//! A viewer's socket.
//!
//! It gives up on a peer who takes nothing: a viewer who reads too slowly would hold bodies in
//! memory that the cache has long let go. It can be waited for without a buffer. And it keeps the
//! connection's place in the house until it is closed, by whoever has it then: WebSockets outlive
//! their HTTP connection.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use crate::metrics::Connected;

use super::{
    attendance::Attendance,
    drain::Leave,
    outlet::{Outlet, Piece},
    seats::Seat,
};

/// A connection's place in the house.
pub(crate) struct Place {
    pub(crate) _seat: Seat,
    pub(crate) _connected: Connected,
    pub(crate) _leave: Leave,
}

/// A socket whose writes fail once the peer has taken nothing for a while.
pub(crate) struct Socket<S> {
    stream: S,
    limit: Duration,
    /// Runs while a write is stalled.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Was read before it could be used.
    ahead: Bytes,
    attendance: Arc<Attendance>,
    _place: Place,
}

impl<S> Socket<S> {
    pub(crate) fn new(
        stream: S,
        limit: Duration,
        attendance: Arc<Attendance>,
        place: Place,
    ) -> Self {
        Self {
            stream,
            limit,
            stalled: None,
            ahead: Bytes::new(),
            attendance,
            _place: place,
        }
    }

    pub(crate) fn attendance(&self) -> &Arc<Attendance> {
        &self.attendance
    }

    /// Has `bytes` read once more, before all that comes.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            // It may still hold the buffer that it was cut from.
            return;
        }
        self.ahead = match self.ahead.is_empty() {
            true => bytes,
            // What was put back before was more than the reader took.
            false => [bytes, std::mem::take(&mut self.ahead)].concat().into(),
        };
    }

    /// Passes on what a write came to, or the end of patience.
    fn or_give_up<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.stalled.take().is_some() {
                self.attendance.stalled.store(false, Relaxed);
            }
            return written;
        }
        let limit = self.limit;
        let attendance = &self.attendance;
        let stalled = self.stalled.get_or_insert_with(|| {
            attendance.stalled.store(true, Relaxed);
            Box::pin(sleep(limit))
        });
        ready!(stalled.as_mut().poll(context));
        // Should the owner try again, the peer has as long once more.
        stalled.as_mut().reset(Instant::now() + limit);
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes nothing",
        )))
    }
}

impl<S: AsyncRead + Unpin> Socket<S> {
    /// Waits until the peer sends something; false if it ends instead. Takes no more than a byte,
    /// which the next read gives.
    pub(crate) async fn stirs(&mut self) -> io::Result<bool> {
        if self.ahead.is_empty() {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            poll_fn(|context| Pin::new(&mut self.stream).poll_read(context, &mut buffer)).await?;
            self.ahead = Bytes::copy_from_slice(buffer.filled());
        }
        Ok(!self.ahead.is_empty())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if !self.ahead.is_empty() {
            let ahead = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead[..ahead]);
            self.ahead.advance(ahead);
            if self.ahead.is_empty() {
                self.ahead = Bytes::new();
            }
            // What is there behind it need not wait for the next call.
            match Pin::new(&mut self.stream).poll_read(context, buffer) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        } else {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        }
        if buffer.filled().len() > before {
            self.attendance.unclaimed.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.or_give_up(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.or_give_up(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.or_give_up(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: Outlet> Outlet for Socket<S> {
    fn poll_send(
        &mut self,
        piece: Piece<'_>,
        context: &mut Context<'_>,
    ) -> Option<Poll<io::Result<usize>>> {
        let sent = self.stream.poll_send(piece, context)?;
        Some(self.or_give_up(sent, context))
    }
}
