//! Malformed requests: each gets a 4xx that says what is wrong, and nothing else happens.

use bytes::Bytes;
use hyper::Method;
use weir_model::Code;
use weir_tests::{Http, Weir};

async fn refuses(http: &Http, method: Method, path: &str, body: impl Into<Bytes>, code: Code) {
    let headers = [("content-type", "application/json")];
    let answer = http.send(method.clone(), path, &headers, body.into()).await;
    let about = format!("{method} {path}: {}", answer.text());
    assert!(answer.status.is_client_error(), "{about}");
    assert_eq!(answer.problem().code, code, "{about}");
}

#[tokio::test]
async fn viewers_requests() {
    let weir = Weir::start().await;
    let id = weir.create_video("bad input").await.video.id;
    let http = weir.viewer();
    let unknown = "oaaaaaaaaaaa";

    for path in [
        "/v/".to_owned(),
        "/v/x/index.m3u8".to_owned(),
        format!("/v/{id}/../../operator-token"),
        format!("/v/{id}/%2e%2e/%2e%2e/operator-token"),
        "/../operator-token".to_owned(),
        "/assets/../../operator-token".to_owned(),
        "/assets/%2e%2e/%2e%2e/operator-token".to_owned(),
        format!("/v/{id}/1/source/00.m4s"),
        format!("/v/{id}/1/source/99999999999999999999999.m4s"),
        "/api/v1/nothing".to_owned(),
    ] {
        refuses(http, Method::GET, &path, "", Code::NotFound).await;
    }
    let video = format!("/api/v1/videos/{unknown}");
    refuses(http, Method::GET, &video, "", Code::VideoNotFound).await;
    let playlist = format!("/v/{unknown}/index.m3u8");
    refuses(http, Method::GET, &playlist, "", Code::VideoNotFound).await;
    let directive = format!("/v/{id}/source/index.m3u8?_HLS_part=1");
    refuses(http, Method::GET, &directive, "", Code::InvalidQuery).await;
    let playlist = format!("/v/{id}/index.m3u8");
    refuses(http, Method::DELETE, &playlist, "", Code::MethodNotAllowed).await;

    let comments = format!("/api/v1/videos/{id}/comments");
    for body in [
        "",
        "{",
        "[]",
        r#"{"author":"","text":"x"}"#,
        r#"{"author":"a","text":1}"#,
    ] {
        refuses(http, Method::POST, &comments, body, Code::InvalidBody).await;
    }
    let long = "x".repeat(200_000);
    let huge = format!(r#"{{"author":"a","text":"{long}"}}"#);
    refuses(http, Method::POST, &comments, huge, Code::TooLarge).await;
    for body in [
        "{",
        r#"{"session":"short","events":[]}"#,
        r#"{"events":[]}"#,
    ] {
        refuses(
            http,
            Method::POST,
            "/api/v1/events",
            body,
            Code::InvalidBody,
        )
        .await;
    }
    refuses(http, Method::POST, "/api/v1/events", long, Code::TooLarge).await;
    let stats = format!("/api/v1/stats?video={id}&event=view&function=count&start=x&end=1&step=60");
    refuses(http, Method::GET, &stats, "", Code::InvalidQuery).await;
    let frames = format!("/api/v1/videos/{id}/frames?device=phone&offset=-1");
    refuses(http, Method::GET, &frames, "", Code::InvalidQuery).await;

    // The operator's plane is not to be had here.
    let answer = http
        .send(Method::POST, "/api/v1/videos", &[], Bytes::from("{}"))
        .await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert_eq!(http.get("/metrics").await.status, 404);
    // And the server is as well as before.
    http.get(&format!("/api/v1/videos/{id}")).await.expect_ok();
}

#[tokio::test]
async fn operators_requests() {
    let weir = Weir::start().await;
    let http = weir.operator();
    for body in ["", "{", "[]", r#"{"title":1}"#, r#"{"titel":"x"}"#] {
        refuses(
            http,
            Method::POST,
            "/api/v1/videos",
            body,
            Code::InvalidBody,
        )
        .await;
    }
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(201));
    refuses(
        http,
        Method::POST,
        "/api/v1/videos",
        long,
        Code::InvalidBody,
    )
    .await;
    let huge = format!(r#"{{"title":"{}"}}"#, "x".repeat(100_000));
    refuses(http, Method::POST, "/api/v1/videos", huge, Code::TooLarge).await;
    let unknown = "/api/v1/videos/oaaaaaaaaaaa/end";
    refuses(http, Method::POST, unknown, "", Code::VideoNotFound).await;
    refuses(http, Method::GET, "/api/v1/nothing", "", Code::NotFound).await;

    for stranger in [
        Http::new(http.base()),
        Http::new(http.base()).with_bearer("guess"),
    ] {
        refuses(
            &stranger,
            Method::GET,
            "/api/v1/videos",
            "",
            Code::Unauthorized,
        )
        .await;
        refuses(
            &stranger,
            Method::POST,
            "/api/v1/videos",
            "{}",
            Code::Unauthorized,
        )
        .await;
    }
}
