use serde_json::json;
use weir_model::WallTime;

use super::*;
use crate::{
    http::test_client::{get, post},
    metrics::Metrics,
    store::{MetaStore, SqliteMeta},
};

const PATH: &str = "/api/v1/videos/oabcdefghijk/comments";

async fn start() -> (Router, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let meta = SqliteMeta::open(&dir.path().join("meta.db")).await.unwrap();
    meta.create_video("oabcdefghijk".parse().unwrap(), "", [1; 32], WallTime(1))
        .await
        .unwrap();
    let comments: Arc<dyn Comments> = Arc::new(meta);
    let rooms = Rooms::new(
        comments.clone(),
        Arc::new(|_| None),
        None,
        Metrics::default(),
    );
    (router(comments, rooms, Clock::anchored()), dir)
}

#[tokio::test]
async fn what_is_posted_is_listed() {
    let (router, _dir) = start().await;
    for n in 1..=3 {
        let body = json!({"author": " Ada ", "text": format!("number {n}\nand äöü 🎬\n")});
        let answer = post(&router, PATH, "application/json", &body.to_string()).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json["seq"], n);
        assert_eq!(answer.json["author"], "Ada", "trimmed");
        assert_eq!(answer.json["text"], format!("number {n}\nand äöü 🎬"));
    }
    let check = async |query: &str, expected: &[u64]| {
        let answer = get(&router, &format!("{PATH}{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers[CACHE_CONTROL], "public, max-age=1");
        assert_eq!(answer.json["total"], 3);
        let listed = answer.json["comments"].as_array().unwrap();
        let numbers: Vec<_> = listed
            .iter()
            .map(|comment| comment["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, expected, "{query}");
    };
    check("", &[1, 2, 3]).await;
    check("?after=1&limit=1", &[2]).await;
    check("?before=3", &[1, 2]).await;
    check("?before=3&limit=1", &[2]).await;
}

#[tokio::test]
async fn bad_comments_are_told_why() {
    let (router, _dir) = start().await;
    let check = async |media_type, body: &str, expected: (&str, &str)| {
        let answer = post(&router, PATH, media_type, body).await;
        let (code, detail) = answer.problem();
        assert_eq!(code, expected.0);
        assert!(detail.contains(expected.1), "{detail}");
    };
    let comment = |author: &str, text: &str| json!({"author": author, "text": text}).to_string();
    let json = "application/json";
    check(json, "{", ("invalid_body", "EOF while parsing")).await;
    check(
        json,
        r#"{"author": "A"}"#,
        ("invalid_body", "missing field `text`"),
    )
    .await;
    check(
        json,
        r#"{"author": "A", "text": "t", "admin": true}"#,
        ("invalid_body", "admin"),
    )
    .await;
    check(
        json,
        &comment("", "t"),
        ("invalid_body", "author has 0 characters; it takes 1 to 40"),
    )
    .await;
    check(
        json,
        &comment("A", " \n "),
        ("invalid_body", "text has 0 characters"),
    )
    .await;
    check(
        json,
        &comment("A", &"ü".repeat(501)),
        ("invalid_body", "text has 501 characters"),
    )
    .await;
    check(
        json,
        &comment("A\u{7}", "t"),
        ("invalid_body", "author holds control characters"),
    )
    .await;
    check(
        "text/plain",
        &comment("A", "t"),
        ("unsupported_media_type", "application/json"),
    )
    .await;
    check(
        json,
        &comment("A", &"t".repeat(70_000)),
        ("too_large", "65536 bytes"),
    )
    .await;
    assert_eq!(get(&router, PATH).await.json["total"], 0, "none was taken");
    let longest = comment(&"ü".repeat(40), &"ü".repeat(500));
    assert_eq!(post(&router, PATH, json, &longest).await.status, 201);
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let (router, _dir) = start().await;
    let check = async |path: &str, expected: (u16, &str)| {
        let answer = get(&router, path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().0),
            expected,
            "{path}"
        );
    };
    check(
        "/api/v1/videos/obbbbbbbbbbb/comments",
        (404, "video_not_found"),
    )
    .await;
    check("/api/v1/videos/nonsense/comments", (404, "video_not_found")).await;
    check(
        "/api/v1/videos/..%2F..%2Fetc/comments",
        (404, "video_not_found"),
    )
    .await;
    check("/api/v1/videos/%ff/comments", (404, "not_found")).await;
    check(&format!("{PATH}?limit=0"), (400, "invalid_query")).await;
    check(&format!("{PATH}?limit=201"), (400, "invalid_query")).await;
    check(&format!("{PATH}?limit=many"), (400, "invalid_query")).await;
    check(&format!("{PATH}?page=2"), (400, "invalid_query")).await;
    check(&format!("{PATH}?after=1&before=3"), (400, "invalid_query")).await;
    let comment = json!({"author": "Ada", "text": "t"}).to_string();
    let unknown = "/api/v1/videos/obbbbbbbbbbb/comments";
    let answer = post(&router, unknown, "application/json", &comment).await;
    assert_eq!(
        answer.problem(),
        ("video_not_found", "there is no video obbbbbbbbbbb")
    );
    let request = http::Request::delete(PATH)
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = crate::http::test_client::call(&router, request).await;
    assert_eq!(
        (answer.status.as_u16(), answer.problem().0),
        (405, "method_not_allowed")
    );
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
}
