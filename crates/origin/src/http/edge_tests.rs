use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::http::test_client::{self, Answer};

const BYTES: &[u8] = b"a module";

struct Planes {
    operator: Router,
    pops: Router,
    _folder: TempDir,
}

impl Planes {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let edge = Edge {
            rollouts: Arc::new(Rollouts::open(folder.path()).unwrap()),
            clock: Clock::anchored(),
        };
        Self {
            operator: operator_router(edge.clone()),
            pops: pop_router(edge),
            _folder: folder,
        }
    }

    async fn upload(&self, sha256: &str, bytes: Vec<u8>) -> Answer {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("/api/v1/edge/modules/{sha256}"))
            .header("content-type", "application/wasm")
            .body(Body::from(bytes));
        test_client::call(&self.operator, request.unwrap()).await
    }

    async fn check_in(&self, pop: Option<&str>, body: &str) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(CHECK_IN_PATH)
            .header("content-type", "application/json");
        if let Some(pop) = pop {
            request = request.header(POP_HEADER, pop);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        test_client::call(&self.pops, request).await
    }
}

fn sha256() -> String {
    ModuleHash(Sha256::digest(BYTES).into()).to_string()
}

fn start(bytes: usize) -> String {
    json!({"manifest": {
        "name": "edge-1", "sha256": sha256(), "bytes": bytes, "abi": 3, "created_at": 1,
        "key": "0123456789abcdef", "signature": "AAAA",
    }})
    .to_string()
}

fn status() -> String {
    json!({"stable": {"sha256": sha256()}, "refused": 1, "rolled_back": 0}).to_string()
}

#[tokio::test]
async fn a_module_goes_from_the_operator_to_points_of_presence() {
    let planes = Planes::open();
    let before = planes.check_in(Some("paris"), &status()).await;
    assert_eq!((before.status, before.json), (StatusCode::OK, json!({})));

    let kept = planes.upload(&sha256(), BYTES.to_vec()).await;
    assert_eq!(kept.status, StatusCode::NO_CONTENT);
    let path = "/api/v1/edge/rollout";
    let begun = test_client::post(&planes.operator, path, "application/json", &start(8)).await;
    assert_eq!(begun.status, StatusCode::OK, "{begun:?}");
    assert_eq!(begun.json["number"], 1);

    let orders = planes.check_in(Some("paris"), &status()).await;
    assert_eq!(orders.json["rollout"], begun.json);
    let path = format!("{MODULES_PATH}/{}", sha256());
    let module = test_client::get(&planes.pops, &path).await;
    assert_eq!(module.status, StatusCode::OK);
    assert_eq!(module.headers["content-type"], "application/wasm");

    let fleet = test_client::get(&planes.operator, "/api/v1/edge/rollout").await;
    assert_eq!(fleet.json["rollout"]["number"], 1);
    assert_eq!(fleet.json["pops"][0]["name"], "paris");
    assert_eq!(fleet.json["pops"][0]["status"]["refused"], 1);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_a_problem() {
    let planes = Planes::open();
    let check = |answer: Answer, status: u16, code: &str| {
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        assert_eq!(answer.problem().0, code);
    };
    let other = planes.upload(&sha256(), b"other".to_vec()).await;
    check(other, 422, "unprocessable");
    check(
        planes.upload("nonsense", BYTES.to_vec()).await,
        404,
        "not_found",
    );
    let long = planes.upload(&sha256(), vec![0; MAX_MODULE + 1]).await;
    check(long, 413, "too_large");

    let path = "/api/v1/edge/rollout";
    let post = async |body: &str| {
        test_client::post(&planes.operator, path, "application/json", body).await
    };
    check(post(&start(8)).await, 404, "not_found");
    check(post("{}").await, 400, "invalid_body");
    planes.upload(&sha256(), BYTES.to_vec()).await;
    check(post(&start(9)).await, 422, "unprocessable");

    check(planes.check_in(None, &status()).await, 400, "invalid_body");
    check(
        planes.check_in(Some("Paris, France"), &status()).await,
        400,
        "invalid_body",
    );
    let long = json!({"stable": {"sha256": sha256(), "name": "x".repeat(65)}, "refused": 0, "rolled_back": 0});
    check(
        planes.check_in(Some("paris"), &long.to_string()).await,
        400,
        "invalid_body",
    );
    let missing = test_client::get(&planes.pops, &format!("{MODULES_PATH}/{}", sha256())).await;
    assert_eq!(missing.status, StatusCode::OK);
    let unknown = format!("{MODULES_PATH}/{}", "0".repeat(64));
    check(
        test_client::get(&planes.pops, &unknown).await,
        404,
        "not_found",
    );
}
