//! A body that is passed on while it comes.

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use tokio::sync::watch;

use crate::origin::FetchError;

/// Makes the two ends of a growing body.
pub(crate) fn growing() -> (Grower, Grown) {
    let (sender, receiver) = watch::channel(State::default());
    (Grower(sender), Grown(receiver))
}

#[derive(Debug, Default)]
struct State {
    pieces: Vec<Bytes>,
    complete: bool,
}

/// The end that the origin feeds. Dropped before it is complete, it breaks the other one.
pub(crate) struct Grower(watch::Sender<State>);

impl Grower {
    /// More of the body.
    pub(crate) fn push(&self, piece: Bytes) {
        self.0.send_modify(|state| state.pieces.push(piece));
    }

    /// That was all.
    pub(crate) fn complete(self) {
        self.0.send_modify(|state| state.complete = true);
    }
}

/// The end that any number of viewers read, each from the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Grown(watch::Receiver<State>);

impl Grown {
    /// Whether the rest will never come.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.has_changed().is_err() && !self.0.borrow().complete
    }

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
        assert!(!grown.is_broken());
        grower.complete();
        assert!(!grown.is_broken());
        let late = grown.body().collect().await.unwrap().to_bytes();
        assert_eq!(late, "abc");
        assert_eq!(early.await.unwrap().unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn what_breaks_off_is_an_error() {
        let (grower, grown) = growing();
        grower.push(Bytes::from_static(b"ab"));
        let reading = tokio::spawn(grown.body().collect());
        drop(grower);
        assert!(grown.is_broken());
        assert_eq!(reading.await.unwrap().unwrap_err(), FetchError::CutShort);
    }
}
