//! What the PoP asks on its own account, of the first origin: it is the one that operators tell
//! what all are to do.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use tokio::time::Instant;

use super::{Answer, FetchError, Upstream, transport::Call};

impl Upstream {
    /// Sends a request, with JSON unless `body` is empty, once.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
        wait: Duration,
    ) -> Result<Answer<Bytes>, FetchError> {
        let origin = self.0.router().origins().first().copied();
        let origin = origin.ok_or(FetchError::Unreachable)?;
        let mut call = Call::get(target.into());
        call.method = method;
        if !body.is_empty() {
            let json = HeaderValue::from_static("application/json");
            call.head.insert(CONTENT_TYPE, json);
        }
        call.body = body;
        let answer = async {
            let response = self.0.head(origin, &call, Instant::now() + wait).await?;
            self.0.limits.whole(response).await
        };
        let answer = answer.await;
        self.0.heard(origin, &answer);
        answer
    }
}
