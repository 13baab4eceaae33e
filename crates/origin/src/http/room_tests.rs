use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};
use weir_model::{
    WallTime,
    room::{Notice, Reaction},
};

use super::*;
use crate::{
    clock::Clock,
    http::{comments, test_client},
    metrics::Metrics,
    store::SqliteMeta,
};

const VIDEO: &str = "oabcdefghijk";
const DEADLINE: Duration = Duration::from_secs(20);

/// A viewer plane of rooms and comments, on a port of its own.
struct Served {
    address: SocketAddr,
    router: Router,
    shutdown: CancellationToken,
    metrics: Metrics,
    _dir: TempDir,
}

impl Served {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let meta = SqliteMeta::open(&dir.path().join("meta.db")).await.unwrap();
        meta.create_video(VIDEO.parse().unwrap(), "", [1; 32], WallTime(1))
            .await
            .unwrap();
        let meta = Arc::new(meta);
        let metrics = Metrics::default();
        let stage = Arc::new(|_| Some(Notice::Live));
        let rooms = Rooms::new(meta.clone(), stage, None, metrics.clone());
        let shutdown = CancellationToken::new();
        let router = router(RoomState {
            rooms: rooms.clone(),
            comments: meta.clone(),
            meta: meta.clone(),
            shutdown: shutdown.clone(),
        })
        .merge(comments::router(meta, rooms, Clock::anchored()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = router.clone();
        tokio::spawn(async move { axum::serve(listener, serving).await });
        Self {
            address,
            router,
            shutdown,
            metrics,
            _dir: dir,
        }
    }

    async fn listen(&self, query: &str) -> Ear {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://{}/api/v1/videos/{VIDEO}/room{query}", self.address);
        let (socket, _) = client_async(url, stream).await.unwrap();
        Ear { socket }
    }

    async fn say(&self, text: &str) -> u64 {
        let body = json!({"author": "Ada", "text": text}).to_string();
        let path = format!("/api/v1/videos/{VIDEO}/comments");
        let answer = test_client::post(&self.router, &path, "application/json", &body).await;
        assert_eq!(answer.status, 201);
        answer.json["seq"].as_u64().unwrap()
    }

    async fn react(&self, kind: &str) -> u16 {
        let body = json!({"kind": kind}).to_string();
        let path = format!("/api/v1/videos/{VIDEO}/reactions");
        let answer = test_client::post(&self.router, &path, "application/json", &body).await;
        answer.status.as_u16()
    }
}

struct Ear {
    socket: WebSocketStream<TcpStream>,
}

impl Ear {
    /// The next frame that is no number of viewers.
    async fn hear(&mut self) -> Frame {
        loop {
            let message = tokio::time::timeout(DEADLINE, self.socket.next());
            let message = message.await.expect("a frame in time");
            match message.expect("the socket is open").unwrap() {
                tungstenite::Message::Text(text) => match serde_json::from_str(&text).unwrap() {
                    Frame::Viewers { .. } => {}
                    frame => return frame,
                },
                tungstenite::Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Numbers of the next comments, `count` of them in any batches.
    async fn numbers(&mut self, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            match self.hear().await {
                Frame::Messages { messages } => {
                    numbers.extend(messages.iter().map(|comment| comment.seq));
                }
                Frame::Notice { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        numbers
    }
}

#[tokio::test]
async fn what_is_said_is_heard_in_order_by_all() {
    let served = Served::start().await;
    let (mut one, mut other) = (served.listen("").await, served.listen("?after=0").await);
    for ear in [&mut one, &mut other] {
        let greeting = ear.hear().await;
        assert!(
            matches!(greeting, Frame::Hello { seq: 0, .. }),
            "{greeting:?}"
        );
    }
    let said = (0..40).map(|n| {
        let (router, text) = (served.router.clone(), format!("number {n}"));
        tokio::spawn(async move {
            let body = json!({"author": "Ada", "text": text}).to_string();
            let path = format!("/api/v1/videos/{VIDEO}/comments");
            test_client::post(&router, &path, "application/json", &body).await
        })
    });
    for said in said.collect::<Vec<_>>() {
        assert_eq!(said.await.unwrap().status, 201);
    }
    let all: Vec<u64> = (1..=40).collect();
    assert_eq!(one.numbers(40).await, all);
    assert_eq!(other.numbers(40).await, all);
}

#[tokio::test]
async fn who_comes_back_is_sent_what_it_lacks() {
    let served = Served::start().await;
    for n in 1..=60 {
        served.say(&format!("number {n}")).await;
    }
    let mut back = served.listen("?after=57").await;
    assert!(matches!(back.hear().await, Frame::Hello { seq: 60, .. }));
    assert_eq!(back.numbers(3).await, [58, 59, 60]);
    let mut new = served.listen("").await;
    assert!(matches!(new.hear().await, Frame::Hello { seq: 60, .. }));
    assert_eq!(new.numbers(50).await, (11..=60).collect::<Vec<_>>());
    // Numbers that were never given out are of a store that is no more.
    let mut lost = served.listen("?after=900").await;
    assert!(matches!(lost.hear().await, Frame::Hello { seq: 60, .. }));
    served.say("one more").await;
    for ear in [&mut back, &mut new, &mut lost] {
        assert_eq!(ear.numbers(1).await, [61]);
    }
}

#[tokio::test]
async fn who_lacks_too_much_is_told_of_a_hole() {
    let served = Served::start().await;
    for n in 1..=260 {
        served.say(&format!("number {n}")).await;
    }
    let mut back = served.listen("?after=3").await;
    assert!(matches!(back.hear().await, Frame::Hello { seq: 260, .. }));
    loop {
        match back.hear().await {
            Frame::Notice { .. } => {}
            frame => break assert_eq!(frame, Frame::Hole { after: 3 }),
        }
    }
    assert_eq!(back.numbers(50).await, (211..=260).collect::<Vec<_>>());
}

#[tokio::test]
async fn reactions_and_viewers_are_summed_up() {
    let served = Served::start().await;
    assert_eq!(served.react("heart").await, 204, "with nobody there");
    let (mut one, mut other) = (served.listen("").await, served.listen("").await);
    for (ear, viewers) in [(&mut one, 3), (&mut other, 4)] {
        ear.hear().await;
        let report = serde_json::to_string(&Report { viewers }).unwrap();
        ear.socket
            .send(tungstenite::Message::text(report))
            .await
            .unwrap();
    }
    for _ in 0..5 {
        assert_eq!(served.react("clap").await, 204);
    }
    let (mut claps, mut viewers, mut noticed) = (0, 0, false);
    while claps < 5 || viewers < 7 || !noticed {
        let message = tokio::time::timeout(DEADLINE, one.socket.next()).await;
        let message = message.expect("a frame in time").unwrap().unwrap();
        let Ok(frame) = serde_json::from_str(message.to_text().unwrap_or_default()) else {
            continue;
        };
        match frame {
            Frame::Reactions { counts } => claps += counts[&Reaction::Clap],
            Frame::Viewers { viewers: told } => viewers = told,
            Frame::Notice { notice } => noticed = notice == Notice::Live,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((claps, viewers), (5, 7));
    assert_eq!(served.metrics.reactions.get(), 5);
    assert_eq!(served.react("money").await, 400);
}

#[tokio::test]
async fn what_is_no_report_ends_the_line() {
    let served = Served::start().await;
    for text in ["{}", "7", r#"{"acknowledge":1}"#] {
        let mut ear = served.listen("").await;
        ear.socket
            .send(tungstenite::Message::text(text))
            .await
            .unwrap();
        assert_eq!(close_code(&mut ear).await, Some(NO_FRAME), "{text}");
    }
}

#[tokio::test]
async fn listeners_are_told_that_the_origin_goes_down() {
    let served = Served::start().await;
    let mut ear = served.listen("").await;
    ear.hear().await;
    served.shutdown.cancel();
    assert_eq!(close_code(&mut ear).await, Some(GOING_AWAY));
}

async fn close_code(ear: &mut Ear) -> Option<u16> {
    let closing = async {
        loop {
            if let tungstenite::Message::Close(frame) = ear.socket.next().await?.ok()? {
                return frame.map(|frame| frame.code.into());
            }
        }
    };
    let closed = tokio::time::timeout(DEADLINE, closing).await;
    closed.expect("closed in time")
}

#[tokio::test]
async fn what_is_no_socket_and_what_is_no_video_is_told() {
    let served = Served::start().await;
    let answer = test_client::get(&served.router, &format!("/api/v1/videos/{VIDEO}/room")).await;
    assert_eq!(answer.status, 426);
    assert_eq!(answer.problem().0, "upgrade_required");
    let stream = TcpStream::connect(served.address).await.unwrap();
    let url = format!("ws://{}/api/v1/videos/obbbbbbbbbbb/room", served.address);
    match client_async(url, stream).await {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 404),
        other => panic!("{:?}", other.map(drop)),
    }
    let answer = test_client::post(
        &served.router,
        "/api/v1/videos/obbbbbbbbbbb/reactions",
        "application/json",
        r#"{"kind":"wow"}"#,
    );
    assert_eq!(answer.await.problem().0, "video_not_found");
}
