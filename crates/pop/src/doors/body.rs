//! An answer's body on its way out.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::Method;
use http_body::{Body, Frame, SizeHint};

use crate::respond::ViewerBody;

use super::{
    PIECE_BYTES,
    attendance::{Pace, Visit},
};

/// A body that is counted, and whose visit ends with it.
pub(crate) struct Sent {
    body: ViewerBody,
    visit: Visit,
    /// Whether it goes out in pieces of [`PIECE_BYTES`], and how fast.
    pace: Option<Arc<Pace>>,
    /// Of the last piece that was too long.
    rest: Bytes,
}

impl Sent {
    /// The answer to a request of `method`, in pieces as they come: the socket knows how fast.
    pub(crate) fn whole(body: ViewerBody, mut visit: Visit, method: &Method) -> Self {
        if *method == Method::HEAD {
            // Nobody asks for the body.
            visit.finish();
        }
        Self {
            body,
            visit,
            pace: None,
            rest: Bytes::new(),
        }
    }

    /// The same on a connection that others use as well, in pieces that the peer is to take one by
    /// one.
    pub(crate) fn paced(body: ViewerBody, visit: Visit, method: &Method) -> Self {
        let pace = visit.attendance().pace(Instant::now());
        let mut sent = Self::whole(body, visit, method);
        sent.pace = Some(pace);
        sent
    }

    fn next(&mut self, piece: Bytes) -> Frame<Bytes> {
        let mut piece = piece;
        if let Some(pace) = &self.pace {
            self.rest = piece.split_off(piece.len().min(PIECE_BYTES));
            pace.taken(Instant::now());
        }
        self.visit.sent(piece.len());
        Frame::data(piece)
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = <ViewerBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.next(rest))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_pending()
            && let Some(pace) = &self.pace
        {
            pace.in_the_house(Instant::now());
        }
        Poll::Ready(match ready!(polled) {
            Some(Ok(frame)) => Some(Ok(match frame.into_data() {
                Ok(piece) => self.next(piece),
                Err(trailers) => trailers,
            })),
            Some(Err(error)) => {
                // Broken by the origin, not given up by the viewer.
                self.visit.finish();
                Some(Err(error))
            }
            None => {
                self.visit.finish();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        let mut size = SizeHint::new();
        if let Some(upper) = hint.upper() {
            size.set_upper(upper + rest);
        }
        size.set_lower(hint.lower() + rest);
        size
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.visit.finish();
        }
    }
}
