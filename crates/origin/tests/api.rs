//! The API around the media: authorisation, problems, bounds, probes and the contract.

mod support;

use http::Method;
use serde_json::json;
use support::TestOrigin;

#[tokio::test]
async fn the_operator_plane_wants_its_token() {
    let weir = TestOrigin::start().await;
    let operator = weir.origin.operator_address();
    for headers in [
        &[][..],
        &[("authorization", "Bearer wrong")],
        &[("authorization", "Basic d2VpcjpmbG93cw==")],
        &[("authorization", "Bearer")],
    ] {
        let answer = weir
            .send(operator, Method::GET, "/api/v1/videos", None, headers)
            .await;
        answer.assert_problem(401, "unauthorized");
        let body = Some(("application/json", b"{}".to_vec()));
        let answer = weir
            .send(operator, Method::POST, "/api/v1/videos", body, headers)
            .await;
        answer.assert_problem(401, "unauthorized");
    }
    for open in ["/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"] {
        assert_eq!(
            weir.send(operator, Method::GET, open, None, &[])
                .await
                .status,
            200,
            "{open}"
        );
    }
}

#[tokio::test]
async fn videos_are_created_read_changed_and_ended() {
    let weir = TestOrigin::start().await;
    let (id, key) = weir.create_video().await;
    assert_eq!(key.len(), 26);
    let path = format!("/api/v1/videos/{id}");

    let read = weir.get(&path).await.json();
    assert_eq!(read["state"], "waiting");
    assert_eq!(read["title"], "Test");
    assert_eq!(read.get("stream_key"), None, "the key is shown once");

    let change = json!({ "title": "  Renamed " });
    let changed = weir.operate(Method::PATCH, &path, Some(change)).await;
    assert_eq!(changed.json()["title"], "Renamed");

    let rotated = weir
        .operate(Method::POST, &format!("{path}/key"), None)
        .await
        .json();
    assert_ne!(rotated["stream_key"].as_str().unwrap(), key);
    let told = |field: &str| rotated[field].as_str().map(str::to_owned);
    let urls = weir.origin.push_urls();
    assert_eq!(told("rtmp_url").as_ref(), Some(&urls.rtmp));
    assert_eq!(told("srt_url").as_ref(), Some(&urls.srt));
    assert_eq!(told("rtmps_url"), None, "it is not open");

    weir.end(id).await;
    assert_eq!(weir.get(&path).await.json()["state"], "recorded");
    weir.end(id).await;
    let refused = weir
        .operate(Method::POST, &format!("{path}/key"), None)
        .await;
    refused.assert_problem(409, "conflict");
}

#[tokio::test]
async fn viewers_see_open_videos_in_pages() {
    let weir = TestOrigin::start().await;
    let protected = json!({ "title": "Secret", "protected": true });
    let created = weir
        .operate(Method::POST, "/api/v1/videos", Some(protected))
        .await;
    assert_eq!(created.status, 201);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(weir.create_video().await.0.to_string());
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/videos?limit=2".to_owned();
    loop {
        let page = weir.get(&path).await.json();
        let videos = page["videos"].as_array().unwrap();
        seen.extend(
            videos
                .iter()
                .map(|video| video["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page.get("next").and_then(|next| next.as_str()) else {
            break;
        };
        path = format!("/api/v1/videos?limit=2&after={next}");
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    let all = weir
        .operate(Method::GET, "/api/v1/videos", None)
        .await
        .json();
    assert_eq!(all["videos"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let weir = TestOrigin::start().await;
    let (id, _) = weir.create_video().await;
    let check = async |path: &str, status, code| {
        weir.get(path).await.assert_problem(status, code);
    };
    check("/nothing", 404, "not_found").await;
    check("/v/", 404, "not_found").await;
    check("/v/../../etc/passwd", 404, "not_found").await;
    check("/v/%2e%2e/index.m3u8", 404, "not_found").await;
    check("/v/oaaaaaaaaaaa/index.m3u8", 404, "video_not_found").await;
    check(&format!("/v/{id}/index.m3u8"), 404, "media_not_found").await;
    check(
        &format!("/v/{id}/index.m3u8?device=fridge"),
        400,
        "invalid_query",
    )
    .await;
    check("/api/v1/videos/x", 404, "video_not_found").await;
    check("/api/v1/videos/oaaaaaaaaaaa", 404, "video_not_found").await;
    check("/api/v1/videos?limit=0", 400, "invalid_query").await;
    check("/api/v1/videos?limit=many", 400, "invalid_query").await;
    check("/api/v1/videos?after=..", 400, "invalid_query").await;
    check(&format!("/api/v1/videos/{id}/frames"), 400, "invalid_query").await;
    check(
        &format!("/api/v1/videos/{id}/frames?offset=-1"),
        400,
        "invalid_query",
    )
    .await;
    check(
        &format!("/api/v1/videos/{id}/frames?offset=nan"),
        400,
        "invalid_query",
    )
    .await;
    check(
        &format!("/api/v1/videos/{id}/frames?offset=0&device=fridge"),
        400,
        "invalid_query",
    )
    .await;
    check(
        &format!("/api/v1/videos/{id}/frames?offset=0"),
        404,
        "media_not_found",
    )
    .await;
    check(
        "/api/v1/videos/oaaaaaaaaaaa/frames?offset=0",
        404,
        "video_not_found",
    )
    .await;

    let viewer = weir.origin.viewer_address();
    for (method, path) in [
        (Method::POST, "/v/oaaaaaaaaaaa/index.m3u8"),
        (Method::DELETE, "/api/v1/videos"),
        (Method::POST, "/api/v1/videos"),
        (Method::PUT, "/api/v1/events"),
        (Method::POST, "/api/v1/stats"),
    ] {
        let answer = weir.send(viewer, method, path, None, &[]).await;
        answer.assert_problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn bodies_are_checked_and_bounded() {
    let weir = TestOrigin::start().await;
    let operator = weir.origin.operator_address();
    let token = std::fs::read_to_string(weir.origin.operator_token_file()).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("authorization", bearer.as_str())];
    let post = async |content_type: &'static str, body: Vec<u8>| {
        let body = Some((content_type, body));
        weir.send(operator, Method::POST, "/api/v1/videos", body, &headers)
            .await
    };
    let json = "application/json";
    post(json, b"{".to_vec())
        .await
        .assert_problem(400, "invalid_body");
    post(json, b"[]".to_vec())
        .await
        .assert_problem(400, "invalid_body");
    post(json, b"{\"titel\":\"\"}".to_vec())
        .await
        .assert_problem(400, "invalid_body");
    post(json, vec![b'['; 10_000])
        .await
        .assert_problem(400, "invalid_body");
    post("text/plain", b"{}".to_vec())
        .await
        .assert_problem(415, "unsupported_media_type");
    post(json, vec![b' '; 200_000])
        .await
        .assert_problem(413, "too_large");
    let long = json!({ "title": "x".repeat(201) }).to_string().into_bytes();
    post(json, long).await.assert_problem(400, "invalid_body");
    let fits = json!({ "title": "ü".repeat(200) }).to_string().into_bytes();
    assert_eq!(post(json, fits).await.status, 201);
}

#[tokio::test]
async fn what_is_counted_can_be_scraped() {
    let weir = TestOrigin::start().await;
    let operator = weir.origin.operator_address();
    let metrics = weir
        .send(operator, Method::GET, "/metrics", None, &[])
        .await;
    for name in [
        "weir_origin_videos_live",
        "weir_origin_units_total",
        "weir_origin_gaps_total",
    ] {
        assert!(
            metrics.text().contains(&format!("\n{name} 0\n")),
            "{name} in {}",
            metrics.text()
        );
    }
    assert!(metrics.text().ends_with("# EOF\n"));
}

#[test]
fn the_committed_contract_is_the_served_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let served = weir_origin::http::openapi::document_json();
    assert!(
        committed == served,
        "run `weir openapi > docs/openapi.json` and commit the difference"
    );
}

#[tokio::test]
async fn a_second_origin_on_the_same_folder_is_refused() {
    let weir = TestOrigin::start().await;
    let config = weir_origin::origin::Config::new(weir.data.path().to_owned());
    let listeners = weir_origin::origin::Listeners::bind(&config).await.unwrap();
    let second = weir_origin::origin::Origin::start(config, listeners, Default::default()).await;
    let refusal = second.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(refusal.contains("in use by another origin"), "{refusal:?}");
}
