//! A request's body that comes over HTTP/3.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h3::{error::StreamError, server::RequestStream};
use http_body::{Body, Frame};

use super::quic::RecvStream;

/// The receiving half of a request's stream, until it ends. Trailers are of no use to anyone here.
pub(super) struct Upload(Option<RequestStream<RecvStream, Bytes>>);

impl Upload {
    pub(super) fn new(stream: RequestStream<RecvStream, Bytes>) -> Self {
        Self(Some(stream))
    }

    /// Nothing.
    pub(super) fn none() -> Self {
        Self(None)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let piece = match ready!(stream.poll_recv_data(context)) {
            Ok(Some(mut piece)) => Some(Ok(piece.copy_to_bytes(piece.remaining()))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        };
        if !matches!(piece, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
