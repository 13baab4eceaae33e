//! QUIC as the HTTP/3 library wants it, with bounds on what a peer may send.
//!
//! That library takes a head, or a frame of the control stream, into memory whole before it looks
//! at how long it is. So each stream that a peer opens takes but so many bytes.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, stream};
use h3::{
    error::Code,
    quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf},
};
use quinn::{ConnectionError, ReadError, StoppedError, VarInt, WriteError};

use super::MAX_HEAD_BYTES;

/// Most bytes of one request: its head, and a body of any length that is taken.
const MAX_REQUEST_BYTES: usize = MAX_HEAD_BYTES + (288 << 10);
/// Most bytes of one stream that belongs to no request: hours of priority updates.
const MAX_SIDE_BYTES: usize = 1 << 20;
/// What is read at a time.
const PIECE_BYTES: usize = 4096;

/// Completes once the peer has all of a stream (`Ok(None)`) or wants no more of it.
pub(super) type Stopped =
    Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync>>;

type Incoming<T> = Pin<Box<dyn Stream<Item = Result<T, ConnectionError>> + Send + Sync>>;
type Opening =
    Pin<Box<dyn Future<Output = Result<quinn::SendStream, ConnectionError>> + Send + Sync>>;

/// One connection.
pub(super) struct Transport {
    opener: Opener,
    requests: Incoming<(quinn::SendStream, quinn::RecvStream)>,
    sides: Incoming<quinn::RecvStream>,
    last: LastRequest,
}

/// Tells of the last request that was accepted when the peer has its answer.
#[derive(Clone, Default)]
pub(super) struct LastRequest(Arc<Mutex<Option<Stopped>>>);

impl LastRequest {
    pub(super) fn take(&self) -> Option<Stopped> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, stopped: Stopped) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stopped);
    }
}

impl Transport {
    pub(super) fn new(connection: &quinn::Connection) -> Self {
        let requests = stream::unfold(connection.clone(), |connection| async {
            Some((connection.accept_bi().await, connection))
        });
        let sides = stream::unfold(connection.clone(), |connection| async {
            Some((connection.accept_uni().await, connection))
        });
        Self {
            opener: Opener {
                connection: connection.clone(),
                opening: None,
            },
            requests: Box::pin(requests),
            sides: Box::pin(sides),
            last: LastRequest::default(),
        }
    }

    pub(super) fn last_request(&self) -> LastRequest {
        self.last.clone()
    }
}

impl<B: Buf> quic::Connection<B> for Transport {
    type RecvStream = RecvStream;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<RecvStream, ConnectionErrorIncoming>> {
        let accepted = next(ready!(self.sides.poll_next_unpin(context)));
        Poll::Ready(accepted.map(|stream| RecvStream::new(stream, MAX_SIDE_BYTES)))
    }

    fn poll_accept_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, ConnectionErrorIncoming>> {
        let accepted = next(ready!(self.requests.poll_next_unpin(context)));
        Poll::Ready(accepted.map(|(send, receive)| {
            self.last.put(Box::pin(send.stopped()));
            BidiStream {
                send: SendStream::new(send),
                receive: RecvStream::new(receive, MAX_REQUEST_BYTES),
            }
        }))
    }

    fn opener(&self) -> Opener {
        self.opener.clone()
    }
}

/// These streams do not end; their last item is an error.
fn next<T>(item: Option<Result<T, ConnectionError>>) -> Result<T, ConnectionErrorIncoming> {
    item.unwrap_or(Err(ConnectionError::LocallyClosed))
        .map_err(lost)
}

impl<B: Buf> quic::OpenStreams<B> for Transport {
    type BidiStream = BidiStream<B>;
    type SendStream = SendStream<B>;

    fn poll_open_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, StreamErrorIncoming>> {
        self.opener.poll_open_bidi(context)
    }

    fn poll_open_send(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<SendStream<B>, StreamErrorIncoming>> {
        self.opener.poll_open_send(context)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<B>::close(&mut self.opener, code, reason);
    }
}

/// Opens streams towards the peer.
pub(super) struct Opener {
    connection: quinn::Connection,
    opening: Option<Opening>,
}

impl Clone for Opener {
    fn clone(&self) -> Self {
        Self {
            connection: self.connection.clone(),
            opening: None,
        }
    }
}

/// Servers open no streams for requests.
#[derive(Debug)]
struct OneWay;

impl fmt::Display for OneWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a server opens no streams for requests")
    }
}

impl std::error::Error for OneWay {}

impl<B: Buf> quic::OpenStreams<B> for Opener {
    type BidiStream = BidiStream<B>;
    type SendStream = SendStream<B>;

    fn poll_open_bidi(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<BidiStream<B>, StreamErrorIncoming>> {
        Poll::Ready(Err(StreamErrorIncoming::Unknown(Box::new(OneWay))))
    }

    fn poll_open_send(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<SendStream<B>, StreamErrorIncoming>> {
        let opening = self.opening.get_or_insert_with(|| {
            let connection = self.connection.clone();
            Box::pin(async move { connection.open_uni().await })
        });
        let opened = ready!(opening.as_mut().poll(context));
        self.opening = None;
        Poll::Ready(match opened {
            Ok(stream) => Ok(SendStream::new(stream)),
            Err(error) => Err(StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error: lost(error),
            }),
        })
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.connection.close(varint(code.value()), reason);
    }
}

/// A request's stream.
pub(super) struct BidiStream<B> {
    send: SendStream<B>,
    receive: RecvStream,
}

impl<B: Buf> quic::BidiStream<B> for BidiStream<B> {
    type SendStream = SendStream<B>;
    type RecvStream = RecvStream;

    fn split(self) -> (SendStream<B>, RecvStream) {
        (self.send, self.receive)
    }
}

impl<B> quic::RecvStream for BidiStream<B> {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.receive.poll_data(context)
    }

    fn stop_sending(&mut self, code: u64) {
        self.receive.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.receive.recv_id()
    }
}

impl<B: Buf> quic::SendStream<B> for BidiStream<B> {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_ready(context)
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.send.send_data(data)
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_finish(context)
    }

    fn reset(&mut self, code: u64) {
        self.send.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.send.send_id()
    }
}

/// What the peer sends, up to a bound. Dropped before its end, it tells the peer that the rest is
/// not needed (RFC 9114 section 4.1).
pub(super) struct RecvStream {
    stream: quinn::RecvStream,
    left: usize,
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        quic::RecvStream::stop_sending(self, Code::H3_NO_ERROR.value());
    }
}

impl RecvStream {
    fn new(stream: quinn::RecvStream, left: usize) -> Self {
        Self { stream, left }
    }
}

impl quic::RecvStream for RecvStream {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let mut piece = [0; PIECE_BYTES];
        let read = match ready!(self.stream.poll_read(context, &mut piece)) {
            Ok(read) => read,
            Err(ReadError::Reset(code)) => return Poll::Ready(Err(terminated(code.into_inner()))),
            Err(ReadError::ConnectionLost(error)) => {
                let connection_error = lost(error);
                return Poll::Ready(Err(StreamErrorIncoming::ConnectionErrorIncoming {
                    connection_error,
                }));
            }
            Err(error) => return Poll::Ready(Err(StreamErrorIncoming::Unknown(Box::new(error)))),
        };
        let Some(left) = self.left.checked_sub(read) else {
            let code = Code::H3_EXCESSIVE_LOAD.value();
            self.stop_sending(code);
            return Poll::Ready(Err(terminated(code)));
        };
        self.left = left;
        let piece = (read > 0).then(|| Bytes::copy_from_slice(&piece[..read]));
        Poll::Ready(Ok(piece))
    }

    fn stop_sending(&mut self, code: u64) {
        // A stream that has ended needs no stopping.
        let _ = self.stream.stop(varint(code));
    }

    fn recv_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

/// What goes to the peer. Dropped before it is finished, it is reset: what was cut short must not
/// look whole.
pub(super) struct SendStream<B> {
    stream: quinn::SendStream,
    writing: Option<WriteBuf<B>>,
    finished: bool,
}

impl<B> SendStream<B> {
    fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream,
            writing: None,
            finished: false,
        }
    }

    fn end(&mut self, code: u64) {
        self.finished = true;
        // A stream that has ended needs no reset.
        let _ = self.stream.reset(varint(code));
    }
}

impl<B> Drop for SendStream<B> {
    fn drop(&mut self) {
        if !self.finished {
            self.end(Code::H3_REQUEST_CANCELLED.value());
        }
    }
}

impl<B: Buf> quic::SendStream<B> for SendStream<B> {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(writing) = &mut self.writing {
            if !writing.has_remaining() {
                self.writing = None;
                break;
            }
            let stream = Pin::new(&mut self.stream);
            let written = ready!(stream.poll_write(context, writing.chunk()));
            writing.advance(written.map_err(not_written)?);
        }
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        debug_assert!(self.writing.is_none(), "asked for while not ready");
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.finished = true;
        let finished = self.stream.finish();
        Poll::Ready(finished.map_err(|error| StreamErrorIncoming::Unknown(Box::new(error))))
    }

    fn reset(&mut self, code: u64) {
        self.end(code);
    }

    fn send_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

fn not_written(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => terminated(code.into_inner()),
        WriteError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: lost(error),
        },
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn terminated(error_code: u64) -> StreamErrorIncoming {
    StreamErrorIncoming::StreamTerminated { error_code }
}

fn lost(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(closed) => ConnectionErrorIncoming::ApplicationClose {
            error_code: closed.error_code.into_inner(),
        },
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

fn varint(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

fn stream_id(id: quinn::StreamId) -> StreamId {
    let id = u64::from(VarInt::from(id));
    id.try_into()
        .expect("QUIC numbers its streams below 2^62, and HTTP/3 after them")
}
