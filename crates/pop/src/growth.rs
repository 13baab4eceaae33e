//! A body that is passed on while it comes.

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use tokio::sync::watch;

use crate::upstream::FetchError;

/// Makes the two ends of a growing body.
pub(crate) fn growing() -> (Grower, Grown) {
    let (sender, receiver) = watch::channel(State::default());
    (Grower(sender), Grown(receiver))
}

#[derive(Debug, Default)]
struct State {
    pieces: Vec<Bytes>,
    len: usize,
    complete: bool,
}

/// The end that the origin feeds. Dropped before it is complete, it breaks the other one.
pub(crate) struct Grower(watch::Sender<State>);

impl Grower {
    /// More of the body.
    pub(crate) fn push(&self, piece: Bytes) {
        self.0.send_modify(|state| {
            state.len += piece.len();
            state.pieces.push(piece);
        });
    }

    /// That was all.
    pub(crate) fn complete(self) {
        self.0.send_modify(|state| state.complete = true);
    }
}

/// The end that any number of viewers read, each from the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Grown(watch::Receiver<State>);

/// A range of what has grown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The bytes from the first that was asked for on; none if the body ends before it.
    pub(crate) bytes: Bytes,
    /// Length of the whole, if it is known by now.
    pub(crate) complete_len: Option<usize>,
}

impl Grown {
    /// All there is, and what comes.
    pub(crate) fn body(&self) -> UnsyncBoxBody<Bytes, FetchError> {
        let frames = stream::try_unfold((self.0.clone(), 0), |(mut grown, sent)| async move {
            loop {
                let (piece, complete) = {
                    let state = grown.borrow_and_update();
                    (state.pieces.get(sent).cloned(), state.complete)
                };
                if let Some(piece) = piece {
                    return Ok(Some((Frame::data(piece), (grown, sent + 1))));
                }
                if complete {
                    return Ok(None);
                }
                grown.changed().await.map_err(|_| FetchError::CutShort)?;
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }

    /// Waits for the bytes from `first` to `last`, or as far as the body goes.
    pub(crate) async fn cut(&self, first: usize, last: usize) -> Result<Cut, FetchError> {
        let mut grown = self.0.clone();
        let state = grown
            .wait_for(|state| state.complete || state.len > last)
            .await
            .map_err(|_| FetchError::CutShort)?;
        let end = state.len.min(last.saturating_add(1));
        let mut bytes = BytesMut::with_capacity(end.saturating_sub(first));
        let mut at = 0;
        for piece in &state.pieces {
            let from = first.saturating_sub(at).min(piece.len());
            let to = end.saturating_sub(at).min(piece.len());
            bytes.extend_from_slice(piece.get(from..to).unwrap_or_default());
            at += piece.len();
        }
        Ok(Cut {
            bytes: bytes.freeze(),
            complete_len: state.complete.then_some(state.len),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_reads_from_the_beginning() {
        let (grower, grown) = growing();
        grower.push(Bytes::from_static(b"ab"));
        let early = tokio::spawn(grown.body().collect());
        let mut first = grown.body();
        let frame = first.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "ab");
        grower.push(Bytes::from_static(b"c"));
        grower.complete();
        let late = grown.body().collect().await.unwrap().to_bytes();
        assert_eq!(late, "abc");
        assert_eq!(early.await.unwrap().unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn what_breaks_off_is_an_error() {
        let (grower, grown) = growing();
        grower.push(Bytes::from_static(b"ab"));
        let reading = tokio::spawn(grown.body().collect());
        let cut = grown.cut(0, 0).await.unwrap();
        assert_eq!((&*cut.bytes, cut.complete_len), (&b"a"[..], None));
        drop(grower);
        assert_eq!(reading.await.unwrap().unwrap_err(), FetchError::CutShort);
        assert_eq!(grown.cut(0, 2).await, Err(FetchError::CutShort));
    }

    #[tokio::test]
    async fn ranges_are_waited_for() {
        let (grower, grown) = growing();
        grower.push(Bytes::from_static(b"0123"));
        let waiting = tokio::spawn({
            let grown = grown.clone();
            async move { grown.cut(2, 5).await }
        });
        grower.push(Bytes::from_static(b"45678"));
        let cut = waiting.await.unwrap().unwrap();
        assert_eq!(cut.bytes, "2345");
        grower.complete();
        for (first, last, expected) in [(2, 5, "2345"), (7, 20, "78"), (9, 20, ""), (4, 4, "4")] {
            let cut = grown.cut(first, last).await.unwrap();
            assert_eq!(
                (&*cut.bytes, cut.complete_len),
                (expected.as_bytes(), Some(9))
            );
        }
    }
}
