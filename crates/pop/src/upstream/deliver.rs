//! Requests of viewers that are sent on: past the shields, to the origin alone.

use std::time::Instant as Now;

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use tokio::time::Instant;
use weir_edge_abi::BodyKind;
use weir_model::VideoId;

use super::{Answer, FetchError, Inner, Journey, PeerId, Step, Subject, transport::Call};
use crate::order::Errand;

impl Inner {
    /// Sends `call` to the origin that it is for; where only origins can tell, to one after the
    /// other until one takes it.
    pub(super) async fn deliver(
        &self,
        mut journey: Journey,
        call: &Call,
        deadline: Instant,
    ) -> Result<Answer<Bytes>, FetchError> {
        let mut refusal = None;
        loop {
            let origin = match self.origin_for(&mut journey, deadline).await {
                Ok(origin) => origin,
                Err(error) => return refusal.ok_or(error),
            };
            let answer = async {
                let response = self.head(origin, call, deadline).await?;
                self.limits.whole(response).await
            };
            let answer = answer.await;
            self.heard(origin, &answer);
            let answer = answer?;
            let not_mine = matches!(
                answer.status,
                StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::MISDIRECTED_REQUEST
            );
            if !(not_mine && self.several_origins && journey.may_be_anywhere()) {
                return Ok(answer);
            }
            refusal = Some(answer);
        }
    }

    /// The next origin for a request that goes past the shields.
    pub(super) async fn origin_for(
        &self,
        journey: &mut Journey,
        deadline: Instant,
    ) -> Result<PeerId, FetchError> {
        loop {
            let step = self.router().next(journey, Now::now());
            match step {
                Step::Ask(origin) => return Ok(origin),
                Step::Search(video) => self.search(video, deadline).await?,
                Step::Pause(_) | Step::AwaitPeer | Step::GiveUp => {
                    return Err(FetchError::Unreachable);
                }
            }
        }
    }
}

/// Header fields of a viewer's request that is sent on which the origin gets.
pub(super) fn sent_on(body: BodyKind) -> &'static [HeaderName] {
    match body {
        BodyKind::Events | BodyKind::Comment | BodyKind::Reaction => &[header::CONTENT_TYPE],
        // A publisher's stream key, and which state of its session is meant.
        BodyKind::Session => &[
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            header::IF_MATCH,
        ],
    }
}

/// Events are about the video that they name.
pub(super) fn subject_of_errand(errand: &Errand, body: &[u8]) -> Subject {
    #[derive(serde::Deserialize)]
    struct Batch {
        events: Vec<Event>,
    }
    #[derive(serde::Deserialize)]
    struct Event {
        video: VideoId,
    }
    let batch = match errand.body {
        BodyKind::Events => serde_json::from_slice::<Batch>(body).ok(),
        BodyKind::Comment | BodyKind::Reaction | BodyKind::Session => None,
    };
    let first = batch.and_then(|batch| batch.events.into_iter().next());
    first.map_or_else(
        || Subject::of(&errand.target),
        |event| Subject::Video(event.video),
    )
}
