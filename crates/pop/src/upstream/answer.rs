//! What peers answer, as it is read: bounded in bytes and time, and whole or not at all.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, Response, StatusCode, Version,
    header::{self, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, WWW_AUTHENTICATE},
};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;
use weir_model::problem::{self, Code, Problem};

use super::{Answer, FetchError, Fetched};
use crate::growth::Grower;

/// How long a body may take once its head is there.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Header fields of an origin's answers that viewers get, besides `Weir-…`.
const PASSED_ON: [HeaderName; 12] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("cross-origin-embedder-policy"),
    HeaderName::from_static("cross-origin-opener-policy"),
    HeaderName::from_static("permissions-policy"),
];

/// Bounds of what is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_bytes: usize,
}

impl Limits {
    /// An answer, whole unless it `may_grow` and does.
    pub(super) async fn fetched(
        &self,
        response: Response<Incoming>,
        may_grow: bool,
    ) -> Result<Answer<Fetched>, FetchError> {
        // Of what is complete the origin tells the length.
        let grows = may_grow
            && response.status() == StatusCode::OK
            && response.body().size_hint().exact().is_none();
        if grows {
            let (parts, body) = response.into_parts();
            return Ok(Answer {
                status: parts.status,
                head: passed_on(&parts.headers),
                body: Fetched::Growing(body),
            });
        }
        let Answer { status, head, body } = self.whole(response).await?;
        let body = Fetched::Whole(body);
        Ok(Answer { status, head, body })
    }

    /// A whole answer.
    pub(super) async fn whole(
        &self,
        response: Response<Incoming>,
    ) -> Result<Answer<Bytes>, FetchError> {
        timeout(BODY_TIMEOUT, self.read(response))
            .await
            .map_err(|_| FetchError::TimedOut)?
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Answer<Bytes>, FetchError> {
        let (parts, mut body) = response.into_parts();
        // Without a length or chunks a body of HTTP/1 ends with its connection, whole or not.
        let framed = parts.version >= Version::HTTP_2
            || parts.headers.contains_key(CONTENT_LENGTH)
            || parts.headers.contains_key(TRANSFER_ENCODING)
            || body.is_end_stream();
        if !framed {
            return Err(FetchError::CutShort);
        }
        let expected = body.size_hint().exact().unwrap_or(0);
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        if expected > self.max_bytes {
            return Err(FetchError::TooLong);
        }
        let mut whole = BytesMut::with_capacity(expected);
        self.take(&mut body, &mut whole, |_| {}).await?;
        Ok(Answer {
            status: parts.status,
            head: passed_on(&parts.headers),
            body: whole.freeze(),
        })
    }

    /// Passes a growing body on as it comes, and gives the whole of it.
    pub(super) async fn pass_on(
        &self,
        mut body: Incoming,
        grower: &Grower,
    ) -> Result<Bytes, FetchError> {
        let mut whole = BytesMut::new();
        let copy = self.take(&mut body, &mut whole, |piece| grower.push(piece));
        timeout(BODY_TIMEOUT, copy)
            .await
            .map_err(|_| FetchError::TimedOut)??;
        Ok(whole.freeze())
    }

    async fn take(
        &self,
        body: &mut Incoming,
        whole: &mut BytesMut,
        mut piece: impl FnMut(Bytes),
    ) -> Result<(), FetchError> {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| FetchError::CutShort)?.into_data() else {
                continue;
            };
            if whole.len() + data.len() > self.max_bytes {
                return Err(FetchError::TooLong);
            }
            whole.extend_from_slice(&data);
            piece(data);
        }
        Ok(())
    }
}

impl Answer<Fetched> {
    /// Whether an origin says that it has not got the video at all.
    pub(super) fn denies_video(&self) -> bool {
        if self.status == StatusCode::MISDIRECTED_REQUEST {
            return true;
        }
        let is_problem = self
            .head
            .get(CONTENT_TYPE)
            .is_some_and(|value| value == problem::CONTENT_TYPE);
        let Fetched::Whole(body) = &self.body else {
            return false;
        };
        let problem = is_problem
            .then(|| serde_json::from_slice::<Problem>(body).ok())
            .flatten();
        problem.is_some_and(|problem| problem.code == Code::VideoNotFound)
    }
}

/// Whether it takes this PoP for none of its own.
pub(super) fn calls_a_stranger(response: &Response<Incoming>) -> bool {
    let challenge = response.headers().get(WWW_AUTHENTICATE);
    response.status() == StatusCode::UNAUTHORIZED
        && challenge.is_some_and(|challenge| challenge == "Weir-Edge")
}

/// The fields that viewers get, and those that are for PoPs.
fn passed_on(head: &HeaderMap) -> HeaderMap {
    let passed_on =
        |name: &HeaderName| PASSED_ON.contains(name) || name.as_str().starts_with("weir-");
    head.iter()
        .filter(|(name, _)| passed_on(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
