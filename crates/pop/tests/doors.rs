//! Viewers who come over HTTP/1.1, HTTP/2 and HTTP/3: they get the same, and none can take more
//! than is theirs.

#![allow(clippy::unwrap_used)]

#[path = "support/house.rs"]
mod house;
mod support;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use house::{House, TOKEN, ask, finish, until, uri};
use http::{Request, StatusCode, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use support::{
    config, module,
    origin::{Asked, Origin, Reply},
};

const SEGMENT: &str = "/v/oabcdefghijk/3/480p/12.m4s";
const EVENTS: &str = r#"{"session":"0123456789abcdef","events":[{}]}"#;
const LONG: usize = 3 << 20;

async fn house(origin: &Origin) -> House {
    House::open(config(origin.address, &module::path())).await
}

fn post(path: &str, body: &'static str) -> Request<Bytes> {
    Request::post(uri(path))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from_static(body.as_bytes()))
        .unwrap()
}

/// Bytes that tell where they are.
fn long_body() -> Vec<u8> {
    (0..LONG).map(|i| (i / 1000) as u8).collect()
}

fn whole(body: Vec<u8>) -> Reply {
    Reply::Whole {
        status: 200,
        fields: vec![("content-type", "video/mp4".to_owned())],
        body,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_doors_lead_to_the_same_answers() {
    let origin = Origin::start(|asked: &Asked| match asked.method.as_str() {
        "GET" => whole(long_body()),
        _ => Reply::text(String::from_utf8_lossy(&asked.body)),
    });
    let house = house(&origin).await;
    let (mut http2, _h2) = house.http2().await;
    let (mut http3, _h3) = house.http3().await;

    let over2 = http2.get(SEGMENT).await.unwrap();
    let over3 = http3.get(SEGMENT).await.unwrap();
    assert_eq!(origin.asked_for(SEGMENT), 1, "one cache behind all doors");
    for answer in [&over2, &over3] {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_LENGTH], LONG.to_string());
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "video/mp4");
        assert!(answer.headers().contains_key(header::DATE));
        assert!(answer.headers().contains_key("server-timing"));
        assert_eq!(answer.body(), &long_body());
    }
    let announced = format!("h3=\":{}\"; ma=86400", house.secure.port());
    assert_eq!(over2.headers()["alt-svc"], announced);

    let head = |mut request: Request<Bytes>| {
        *request.method_mut() = http::Method::HEAD;
        request
    };
    let request = ask(SEGMENT).map(|()| Bytes::new());
    for answer in [
        http2.send(head(request.clone())).await.unwrap(),
        http3.send(head(request)).await.unwrap(),
    ] {
        assert_eq!(answer.headers()[header::CONTENT_LENGTH], LONG.to_string());
        assert!(answer.body().is_empty());
    }

    for answer in [
        http2.send(post("/api/v1/events", EVENTS)).await.unwrap(),
        http3.send(post("/api/v1/events", EVENTS)).await.unwrap(),
    ] {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.body(), EVENTS);
    }
    assert_eq!(house.connections("h2").await, 1.0);
    assert_eq!(house.connections("h3").await, 1.0);
    let over3 = house.counter("weir_pop_protocol_requests_total{protocol=\"h3\"}");
    assert_eq!(over3.await, 3.0);
    let sent = house.counter("weir_pop_sent_bytes_total").await;
    assert!(sent >= 2.0 * LONG as f64, "{sent}");
    drop((http2, http3));
    house.empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_too_long_are_refused_at_every_door() {
    let origin = Origin::echo();
    let house = house(&origin).await;
    let (mut http2, _h2) = house.http2().await;
    let (mut http3, _h3) = house.http3().await;
    let request = |len| {
        Request::post(uri("/api/v1/events"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(vec![b' '; len]))
            .unwrap()
    };
    for answer in [
        http2.send(request(20_000)).await.unwrap(),
        http3.send(request(20_000)).await.unwrap(),
    ] {
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(!answer.headers().contains_key(header::CONNECTION));
    }
    assert!(origin.asked().is_empty());
    drop((http2, http3));
    house.empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_followed_to_the_origin() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let origin = Origin::echo();
    let house = house(&origin).await;
    let (mut http2, _h2) = house.http2().await;
    let traced = |request: Request<Bytes>| {
        let mut request = request;
        let field = format!("00-{TRACE}-00f067aa0ba902b7-01");
        request
            .headers_mut()
            .insert("traceparent", field.parse().unwrap());
        request
    };
    let fetched = http2
        .send(traced(ask(SEGMENT).map(|()| Bytes::new())))
        .await;
    assert_eq!(fetched.unwrap().status(), StatusCode::OK);
    let sent = http2.send(traced(post("/api/v1/events", EVENTS))).await;
    assert_eq!(sent.unwrap().status(), StatusCode::OK);
    let asked = origin.asked();
    assert_eq!(asked.len(), 2);
    for asked in asked {
        let field = asked.field("traceparent").expect("the origin is told");
        assert!(field.starts_with(&format!("00-{TRACE}-")), "{field}");
        assert!(!field.contains("00f067aa0ba902b7"), "{field}");
    }
    drop(http2);
    house.empty().await;
}

/// Nobody who holds a connection open by bad manners keeps it, and others are served meanwhile.
async fn is_still_served(house: &House) {
    let (mut http2, _h2) = house.http2().await;
    assert!(http2.get("/healthz-of-nothing").await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_taken_back_in_a_flood_end_the_connection() {
    const MANY: usize = 10_000;
    let origin = Origin::start(|_| {
        std::thread::sleep(Duration::from_millis(200));
        Reply::text("late")
    });
    let house = house(&origin).await;

    let (mut sender, connection) = h2::client::handshake(house.tls("h2").await).await.unwrap();
    let ended = tokio::spawn(connection);
    let flood = async move {
        for i in 0..MANY {
            sender = sender.ready().await?;
            let request = ask(&format!("/v/oabcdefghijk/3/480p/{i}.m4s"));
            let (_answer, mut stream) = sender.send_request(request, true)?;
            stream.send_reset(h2::Reason::CANCEL);
            tokio::task::yield_now().await;
        }
        Ok::<_, h2::Error>(())
    };
    assert!(flood.await.is_err(), "it went on for {MANY} requests");
    // However it ended, it did.
    let _ = ended.await.unwrap();
    until("connection less", async || {
        house.connections("h2").await == 0.0
    })
    .await;

    let connection = house.quic(quinn::TransportConfig::default()).await;
    let (mut http3, ended) = house.http3_over(&connection).await;
    let flood = async {
        for i in 0..MANY {
            let request = ask(&format!("/v/oabcdefghijk/3/360p/{i}.m4s"));
            let Ok(mut stream) = http3.begin(request).await else {
                // What ended it is told by the connection.
                return std::future::pending().await;
            };
            stream.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
            stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = flood => panic!("it went on for {MANY} requests"),
        reason = connection.closed() => {
            assert!(reason.to_string().contains("263"), "H3_EXCESSIVE_LOAD, not {reason}");
        }
    }
    ended.await.unwrap();
    assert!(house.bound_hit("resets").await >= 1.0);
    is_still_served(&house).await;
    house.empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_without_end_are_not_kept() {
    let origin = Origin::echo();
    let house = house(&origin).await;
    let bomb = |len: usize| {
        let mut request = ask(SEGMENT);
        let value = "a".repeat(len).parse().unwrap();
        request.headers_mut().insert("x-bomb", value);
        request
    };

    let (mut http2, _h2) = house.http2().await;
    let answer = http2.send(bomb(60_000).map(|()| Bytes::new())).await;
    let refused = answer.map_or(true, |answer| answer.status().as_u16() == 431);
    assert!(refused, "a head of 60 kB over HTTP/2");

    // The library's own client keeps to what the server says it takes, so by hand: a HEADERS frame
    // that claims 1 GiB.
    let connection = house.quic(quinn::TransportConfig::default()).await;
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(&[0x01, 0xc0, 0, 0, 0, 0x40, 0, 0, 0])
        .await
        .unwrap();
    let mut sent = 0_usize;
    let stopped = loop {
        match send.write(&[0; 16 << 10]).await {
            Ok(len) => sent += len,
            Err(quinn::WriteError::Stopped(code)) => break code.into_inner(),
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 16 << 20, "it takes all of it");
    };
    assert_eq!(stopped, h3::error::Code::H3_EXCESSIVE_LOAD.value());
    assert!(sent < 1 << 20, "it took {sent} bytes");

    assert!(origin.asked().is_empty());
    is_still_served(&house).await;
    drop(http2);
    house.empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_who_take_nothing_are_let_go() {
    let origin = Origin::start(|_| whole(vec![0; 16 << 20]));
    let mut config = config(origin.address, &module::path());
    config.write_timeout = Duration::from_millis(200);
    let house = House::open(config).await;

    // Windows stay as they were, and the socket is read.
    let (mut sender, connection) = h2::client::handshake(house.tls("h2").await).await.unwrap();
    let ended = tokio::spawn(connection);
    let (answer, _) = sender.send_request(ask(SEGMENT), true).unwrap();
    let answer = answer.await.unwrap();
    until("connection less", async || {
        house.connections("h2").await == 0.0
    })
    .await;
    drop(answer);
    drop(sender);
    let _ = ended.await.unwrap();
    assert_eq!(house.bound_hit("patience").await, 1.0);

    let mut transport = quinn::TransportConfig::default();
    transport.stream_receive_window(quinn::VarInt::from_u32(16 << 10));
    let (mut http3, _h3) = house.http3_over(&house.quic(transport).await).await;
    let mut stream = http3.begin(ask(SEGMENT)).await.unwrap();
    stream.finish().await.unwrap();
    assert_eq!(
        stream.recv_response().await.unwrap().status(),
        StatusCode::OK
    );
    until("patience ends", async || {
        house.bound_hit("patience").await == 2.0
    })
    .await;
    assert!(
        finish_body(stream).await.is_err(),
        "what is cut short is no body"
    );
    // The others of the connection go on.
    assert!(http3.get("/healthz-of-nothing").await.is_ok());
    drop(http3);
    house.empty().await;
}

async fn finish_body(mut stream: house::Http3Stream) -> Result<(), h3::error::StreamError> {
    while stream.recv_data().await?.is_some() {}
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_inside_is_served_to_the_end() {
    const HELD: &str = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7";
    static RELEASED: AtomicBool = AtomicBool::new(false);
    let origin = Origin::start(|asked: &Asked| {
        while !RELEASED.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        match asked.target.contains("_HLS_msn") {
            true => Reply::text(asked.target.clone()),
            false => whole(long_body()),
        }
    });
    let mut config = config(origin.address, &module::path());
    config.drain_timeout = Duration::from_secs(20);
    let mut house = House::open(config).await;
    let mut http1 = TcpStream::connect(house.plain).await.unwrap();
    let held = format!("GET {HELD} HTTP/1.1\r\nhost: a\r\n\r\n");
    http1.write_all(held.as_bytes()).await.unwrap();
    let mut quiet = TcpStream::connect(house.plain).await.unwrap();
    let (http2, h2) = house.http2().await;
    let (mut http3, h3) = house.http3().await;

    let mut waits2 = http2.clone();
    let waits2 = tokio::spawn(async move { waits2.get(HELD).await });
    let mut long2 = http2.clone();
    let long2 = tokio::spawn(async move { long2.get(SEGMENT).await });
    let mut waits3 = http3.begin(ask(HELD)).await.unwrap();
    waits3.finish().await.unwrap();
    let mut long3 = http3.begin(ask(SEGMENT)).await.unwrap();
    long3.finish().await.unwrap();
    until("the origin asked for both", async || {
        origin.asked_for(HELD) == 1 && origin.asked_for(SEGMENT) == 1
    })
    .await;
    until("all requests come", async || {
        let h3 = house.counter("weir_pop_protocol_requests_total{protocol=\"h3\"}");
        let h2 = house.counter("weir_pop_protocol_requests_total{protocol=\"h2\"}");
        h3.await == 2.0 && h2.await == 2.0
    })
    .await;

    house.begin_shutdown();
    until("the doors close", async || {
        TcpStream::connect(house.plain).await.is_err()
            && TcpStream::connect(house.secure).await.is_err()
    })
    .await;
    assert_eq!(house.ask_operator("GET", "/readyz", "").await.0, 503);
    assert_eq!(house.ask_operator("GET", "/healthz", "").await.0, 200);
    let mut nothing = Vec::new();
    quiet.read_to_end(&mut nothing).await.unwrap();
    assert!(nothing.is_empty(), "who asks for nothing is let go at once");
    RELEASED.store(true, Ordering::SeqCst);

    let mut over1 = String::new();
    http1.read_to_string(&mut over1).await.unwrap();
    assert!(over1.starts_with("HTTP/1.1 200"), "{over1}");
    assert!(over1.contains("connection: close"), "{over1}");
    assert_eq!(waits2.await.unwrap().unwrap().body(), HELD);
    assert_eq!(long2.await.unwrap().unwrap().body(), &long_body());
    assert_eq!(finish(waits3).await.unwrap().body(), HELD);
    assert_eq!(finish(long3).await.unwrap().body(), &long_body());
    let ended = h3.await.unwrap();
    assert!(ended.is_h3_no_error(), "{ended}");
    drop(http2);
    h2.await.unwrap().unwrap();
    house.empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_and_drain() {
    let origin = Origin::echo();
    let house = house(&origin).await;
    let (mut http2, _h2) = house.http2().await;
    http2.get(SEGMENT).await.unwrap();
    http2.get(SEGMENT).await.unwrap();
    assert_eq!(house.ask_operator("GET", "/readyz", "").await.0, 200);
    assert_eq!(house.ask_operator("GET", "/api/v1/pop", "").await.0, 401);
    assert_eq!(
        house.ask_operator("GET", "/api/v1/pop", "guess").await.0,
        401
    );
    assert_eq!(
        house.ask_operator("POST", "/api/v1/pop/drain", "").await.0,
        401
    );
    assert_eq!(
        house.ask_operator("DELETE", "/api/v1/pop", TOKEN).await.0,
        405
    );
    assert_eq!(house.ask_operator("GET", "/else", TOKEN).await.0, 404);

    let (status, body) = house.ask_operator("GET", "/api/v1/pop", TOKEN).await;
    assert_eq!(status, 200);
    let told: weir_model::pop::Status = serde_json::from_str(&body).unwrap();
    assert_eq!(told.name, "local");
    assert_eq!(told.connections["h2"], 1);
    assert_eq!(told.requests.outcomes["hit"], 1);
    assert_eq!(told.requests.hit_ratio, Some(0.5));
    assert_eq!(told.origin_requests["segment"], 1);
    assert_eq!(told.upstream.answers, 1);
    assert!(told.guest.calls >= 2);
    assert!(!told.draining);

    let (status, body) = house.ask_operator("POST", "/api/v1/pop/drain", TOKEN).await;
    assert_eq!(status, 202);
    let told: weir_model::pop::Status = serde_json::from_str(&body).unwrap();
    assert!(told.draining);
    drop(http2);
    house.empty().await;
}
