//! What goes to the origin each time: the guest checks the body, the origin answers.

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_LENGTH},
};
use http_body::Body;
use http_body_util::BodyExt;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use weir_edge_abi::{BodyCheck, Verdict};
use weir_model::problem::Code;

use super::{Handler, fetch_failed};
use crate::{
    guest::Mark,
    metrics::Outcome,
    order::Errand,
    respond::{self, ViewerResponse, problem},
    upstream::Answer,
};

const TOO_LONG: &str = "the body is longer than this call takes";
/// Closing a connection with unread bytes resets it, and the viewer would never see the answer. So
/// this much of a body that is too long is read and forgotten, for so long.
const LINGER_BYTES: usize = 1 << 20;
const LINGER: Duration = Duration::from_millis(500);

impl Handler {
    /// Has the guest check a viewer's body and sends it on.
    pub(super) async fn send<B>(
        &self,
        errand: &Errand,
        mark: Option<Mark>,
        head: &HeaderMap,
        body: B,
    ) -> (Outcome, ViewerResponse)
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let body = match self.read_body(errand, head, body).await {
            Ok(body) => body,
            Err(refusal) => return (Outcome::Denied, refusal),
        };
        if let Some(mark) = mark {
            let check = BodyCheck {
                kind: errand.body,
                body: &body,
            };
            let began = Instant::now();
            let verdict = self
                .guests
                .check_body(mark, &check, |verdict| match verdict {
                    Verdict::Accept => None,
                    Verdict::Refuse(response) => Some(respond::own(&response)),
                });
            self.metrics.guest_called(began.elapsed());
            match verdict {
                Err(error) => return (Outcome::Error, self.guest_failed(&error)),
                Ok(Some(refusal)) => return (Outcome::Denied, refusal),
                Ok(None) => {}
            }
        }
        match self.upstream.send(errand, head, body, &self.metrics).await {
            Ok(Answer {
                status,
                mut head,
                body,
            }) => {
                head.extend(errand.fields.clone());
                head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                (Outcome::Pass, respond::passed(status, head, body))
            }
            Err(error) => (Outcome::Error, fetch_failed(error, false)),
        }
    }

    async fn read_body<B>(
        &self,
        errand: &Errand,
        head: &HeaderMap,
        body: B,
    ) -> Result<Bytes, ViewerResponse>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let announced = head
            .get(CONTENT_LENGTH)
            .and_then(|len| len.to_str().ok()?.parse().ok());
        if announced.is_some_and(|len: u64| len > LINGER_BYTES as u64) {
            return Err(problem(Code::TooLarge, TOO_LONG));
        }
        let read = timeout(self.body_timeout, read_bounded(body, errand.max_body)).await;
        match read.map_err(|_| problem(Code::InvalidBody, "the body took too long"))? {
            Ok(Some(body)) => Ok(body),
            Ok(None) => Err(problem(Code::TooLarge, TOO_LONG)),
            Err(CutShort) => Err(problem(Code::InvalidBody, "the body ended before its end")),
        }
    }
}

/// The viewer went away.
struct CutShort;

/// A body of at most `max` bytes; `None` if it is longer.
async fn read_bounded<B>(mut body: B, max: usize) -> Result<Option<Bytes>, CutShort>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::new();
    loop {
        let data = match body.frame().await {
            None => return Ok(Some(whole.freeze())),
            Some(Err(_)) => return Err(CutShort),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        if whole.len() + data.len() > max {
            break;
        }
        whole.extend_from_slice(&data);
    }
    // Whether it ends or not makes no difference any more.
    let _ = timeout(LINGER, forget(body)).await;
    Ok(None)
}

async fn forget<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut forgotten = 0;
    while forgotten < LINGER_BYTES {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        forgotten += frame.data_ref().map_or(0, Bytes::len);
    }
}
