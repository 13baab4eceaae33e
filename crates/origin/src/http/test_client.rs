//! Calls a router as a server would, without a socket.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use weir_model::problem;

/// An answer with a JSON body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Answer {
    /// Checks that it is a problem, and answers its code and detail.
    #[track_caller]
    pub(crate) fn problem(&self) -> (&str, &str) {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            problem::CONTENT_TYPE,
            "{self:?}"
        );
        assert_eq!(self.json["status"], self.status.as_u16());
        let text = |field: &str| {
            self.json[field]
                .as_str()
                .expect("a problem has code and detail")
        };
        (text("code"), text("detail"))
    }
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    call(
        router,
        Request::get(path).body(Body::empty()).expect("a request"),
    )
    .await
}

pub(crate) async fn post(router: &Router, path: &str, media_type: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, media_type)
        .body(Body::from(body.to_owned()));
    call(router, request.expect("a request")).await
}

pub(crate) async fn call(router: &Router, request: Request<Body>) -> Answer {
    let service = TowerToHyperService::new(router.clone());
    let (head, body) = service
        .call(request)
        .await
        .expect("routers answer")
        .into_parts();
    let body = body
        .collect()
        .await
        .expect("the body is in memory")
        .to_bytes();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Answer {
        status: head.status,
        headers: head.headers,
        json,
    }
}
