//! Whom the viewer plane answers.
//!
//! An origin that shares a secret with its points of presence answers no one else
//! ([`weir_model::edge`] says how they prove it). Without a secret it listens on a loopback address
//! alone, where whoever runs on the machine is taken for one of them.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use thiserror::Error;
use tokio::sync::watch;
use tracing::warn;
use weir_model::{
    Code,
    edge::{COUNTRY_HEADER, EDGE_HEADER, EdgeSecrets, NotOfAnEdge, POP_HEADER, Signed},
};

use super::problem::ApiError;

/// How points of presence prove that they are ours.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The latest ones; `None`: everybody on this machine is trusted.
    secrets: Option<watch::Receiver<EdgeSecrets>>,
}

/// The viewer plane would answer anyone.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "{0} can be reached from other machines, and nothing would keep them from being answered: \
     share a secret with your points of presence (--edge-secret-file), or listen on 127.0.0.1"
)]
pub struct OpenToAnyone(pub SocketAddr);

impl Trust {
    /// Trust of a viewer plane on `addresses`.
    ///
    /// # Errors
    /// Without secrets, if others than this machine can reach one of them.
    pub fn new(
        addresses: impl IntoIterator<Item = SocketAddr>,
        secrets: Option<watch::Receiver<EdgeSecrets>>,
    ) -> Result<Self, OpenToAnyone> {
        let mut reachable = addresses.into_iter().filter(|a| !a.ip().is_loopback());
        match reachable.next() {
            Some(address) if secrets.is_none() => Err(OpenToAnyone(address)),
            _ => Ok(Self { secrets }),
        }
    }

    fn verify(&self, request: &Request, now_s: u64) -> Result<(), NotOfAnEdge> {
        let Some(secrets) = &self.secrets else {
            return Ok(());
        };
        let secrets = secrets.borrow().clone();
        let target = request.uri().path_and_query();
        let head = request.headers();
        let signed = Signed {
            method: request.method().as_str(),
            target: target.map_or("", |target| target.as_str()),
            pop: text(head, POP_HEADER),
            country: text(head, COUNTRY_HEADER),
        };
        let proof = head.get(EDGE_HEADER).and_then(|value| value.to_str().ok());
        secrets.verify(&signed, proof, now_s)
    }
}

/// Lets requests of points of presence through, and nobody else's.
pub async fn guard(State(trust): State<Trust>, mut request: Request, next: Next) -> Response {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_s = since_1970.unwrap_or_default().as_secs();
    match trust.verify(&request, now_s) {
        Ok(()) => {
            // It has proved what it was to prove; whatever logs heads need not keep it.
            request.headers_mut().remove(EDGE_HEADER);
            next.run(request).await
        }
        Err(error) => {
            let pop = text(request.headers(), POP_HEADER);
            warn!(pop, %error, "request refused: not of a point of presence");
            refusal(error)
        }
    }
}

fn refusal(error: NotOfAnEdge) -> Response {
    let mut response = ApiError::new(Code::Unauthorized, error.to_string()).into_response();
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Weir-Edge"),
    );
    response
}

fn text<'h>(head: &'h HeaderMap, name: &str) -> &'h str {
    let value = head.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn_with_state, routing::get};

    use super::*;
    use crate::http::test_client::{Answer, call};

    const OLD: &str = "an old secret of 32 characters..";
    const NEW: &str = "a new secret of 32 characters...";

    fn now() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    }

    fn router(secrets: &str) -> (watch::Sender<EdgeSecrets>, Router) {
        let (sender, secrets) = watch::channel(EdgeSecrets::parse(secrets).unwrap());
        let trust = Trust::new([([0, 0, 0, 0], 80).into()], Some(secrets)).unwrap();
        let router = Router::new()
            .route(
                "/v/x",
                get(|head: HeaderMap| async move { text(&head, COUNTRY_HEADER).to_owned() }),
            )
            .layer(from_fn_with_state(trust, guard));
        (sender, router)
    }

    async fn ask(router: &Router, secret: &str, at: u64, target: &str, country: &str) -> Answer {
        let signed = Signed {
            method: "GET",
            target: "/v/x?a=1",
            pop: "paris",
            country: "FR",
        };
        let proof = EdgeSecrets::parse(secret).unwrap().sign(&signed, at);
        let request = Request::get(target)
            .header(POP_HEADER, "paris")
            .header(COUNTRY_HEADER, country)
            .header(EDGE_HEADER, proof);
        call(router, request.body(Body::empty()).unwrap()).await
    }

    #[tokio::test]
    async fn only_points_of_presence_are_answered() {
        let (_sender, router) = router(OLD);
        let answer = ask(&router, OLD, now(), "/v/x?a=1", "FR").await;
        assert_eq!(answer.status, 200);
        for (secret, at, target, country) in [
            (NEW, now(), "/v/x?a=1", "FR"),
            (OLD, now() - 100, "/v/x?a=1", "FR"),
            (OLD, now() + 100, "/v/x?a=1", "FR"),
            (OLD, now(), "/v/x?a=2", "FR"),
            (OLD, now(), "/v/x?a=1", "DE"),
        ] {
            let refused = ask(&router, secret, at, target, country).await;
            assert_eq!(refused.problem().0, "unauthorized");
            assert_eq!(refused.headers[header::WWW_AUTHENTICATE], "Weir-Edge");
        }
        let stranger = Request::get("/v/x?a=1").body(Body::empty()).unwrap();
        assert_eq!(call(&router, stranger).await.status, 401);
    }

    #[tokio::test]
    async fn secrets_are_rotated_without_a_restart() {
        let (sender, router) = router(OLD);
        let ask = async |secret| ask(&router, secret, now(), "/v/x?a=1", "FR").await.status;
        assert_eq!(
            (ask(OLD).await, ask(NEW).await),
            (200.try_into().unwrap(), 401.try_into().unwrap())
        );
        sender.send_replace(EdgeSecrets::parse(&format!("{NEW}\n{OLD}")).unwrap());
        assert_eq!(
            (ask(OLD).await, ask(NEW).await),
            (200.try_into().unwrap(), 200.try_into().unwrap())
        );
        sender.send_replace(EdgeSecrets::parse(NEW).unwrap());
        assert_eq!(
            (ask(OLD).await, ask(NEW).await),
            (401.try_into().unwrap(), 200.try_into().unwrap())
        );
    }

    #[test]
    fn without_a_secret_only_this_machine_is_listened_to() {
        let local: [SocketAddr; 2] = ["127.0.0.1:80", "[::1]:80"].map(|a| a.parse().unwrap());
        assert!(Trust::new(local, None).is_ok());
        for address in ["0.0.0.0:80", "[::]:80", "10.0.0.2:80"] {
            let addresses = [local[0], address.parse().unwrap()];
            let refused = Trust::new(addresses, None).unwrap_err();
            assert!(refused.to_string().contains("--edge-secret-file"));
        }
    }
}
