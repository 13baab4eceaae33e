//! A viewer's and an operator's HTTP client: one answer, whole, with its headers.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Serialize, de::DeserializeOwned};
use weir_model::Problem;

/// Longer than any position may block.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client of one server. It neither follows redirects nor decodes content.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    bearer: Option<String>,
}

/// One whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Http {
    /// A client of the server at `base`, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Self {
        // A connection each: one that was kept while a test was busy elsewhere may have been closed.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build_http();
        Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            bearer: None,
        }
    }

    /// The same with `Authorization: Bearer token` on every request.
    pub fn with_bearer(mut self, token: &str) -> Self {
        self.bearer = Some(token.to_owned());
        self
    }

    /// The server's address, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The absolute URL of `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    /// The body that GET answers with 200.
    pub async fn body(&self, path: &str) -> Bytes {
        self.get(path).await.expect_ok().body
    }

    /// GET with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, Bytes::new()).await
    }

    /// POST without a body.
    pub async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], Bytes::new()).await
    }

    /// POST of JSON.
    pub async fn post_json(&self, path: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).expect("a test's body is JSON");
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, path, &headers, body.into()).await
    }

    /// Any request. The path goes out exactly as it is given.
    ///
    /// # Panics
    /// If there is no whole answer within a minute.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let url = self.url(path);
        let answer = tokio::time::timeout(DEADLINE, self.try_send(method, path, headers, body));
        let answer = answer
            .await
            .unwrap_or_else(|_| panic!("no answer in {DEADLINE:?}: {url}"));
        answer.unwrap_or_else(|error| panic!("{url}: {error:#}"))
    }

    /// Like [`send`](Self::send) where the server may be away.
    ///
    /// # Errors
    /// If the connection fails before the answer is whole.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = self.client.request(request.body(Full::new(body))?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

impl Answer {
    /// The answer itself.
    ///
    /// # Panics
    /// If it is no 200.
    pub fn expect_ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text());
        self
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        let value = serde_json::from_slice(&self.body);
        value.unwrap_or_else(|error| panic!("{error}: {}: {}", self.status, self.text()))
    }

    /// The body as a problem of RFC 9457.
    ///
    /// # Panics
    /// If its content type is another, or its status not the answer's.
    pub fn problem(&self) -> Problem {
        let about = format!("{}: {}", self.status, self.text());
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{about}"
        );
        let problem: Problem = self.json();
        assert_eq!(problem.status, self.status.as_u16());
        problem
    }

    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
