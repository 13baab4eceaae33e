//! Rooms over real sockets: viewers on one side, an origin's room on the other.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt, future::join_all};
use support::{RunningPop, config, module};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    sync::{broadcast, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};
use weir_model::{
    WallTime,
    api::Comment,
    room::{Frame, GOING_AWAY, Notice, Reaction, Report, TOO_SLOW},
};

const VIDEO: &str = "oabcdefghijk";
const DEADLINE: Duration = Duration::from_secs(60);

/// An origin's room: keeps what is said, tells it to whoever listens, and counts.
#[derive(Clone)]
struct Room(Arc<Inner>);

struct Inner {
    said: Mutex<Vec<Comment>>,
    news: broadcast::Sender<Frame>,
    /// What listeners asked for, in the order in which they came.
    asked: Mutex<Vec<String>>,
    listening: AtomicUsize,
    reported: watch::Sender<u64>,
}

impl Room {
    fn new() -> Self {
        Self(Arc::new(Inner {
            said: Mutex::default(),
            news: broadcast::Sender::new(4096),
            asked: Mutex::default(),
            listening: AtomicUsize::new(0),
            reported: watch::Sender::new(0),
        }))
    }

    /// Serves on `address` until the task is aborted.
    async fn open(&self, address: SocketAddr) -> (SocketAddr, Server) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let room = self.clone();
        let accepting = tokio::spawn(async move {
            let mut lines = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                lines.spawn(room.clone().line(stream));
            }
        });
        (address, Server(accepting))
    }

    async fn line(self, mut stream: TcpStream) {
        let mut head = [0; 4096];
        let len = stream.peek(&mut head).await.unwrap_or(0);
        let head = String::from_utf8_lossy(&head[..len]).to_ascii_lowercase();
        if !head.contains("upgrade: websocket") {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
            return;
        }
        let mut target = String::new();
        // The callback's type is the library's.
        #[allow(clippy::result_large_err)]
        let note = |request: &Request, response: Response| {
            target = request.uri().to_string();
            Ok(response)
        };
        let Ok(mut socket) = accept_hdr_async(stream, note).await else {
            return;
        };
        self.0.asked.lock().unwrap().push(target.clone());
        let mut news = self.0.news.subscribe();
        let after: usize = target
            .split_once("after=")
            .map_or(0, |(_, after)| after.parse().unwrap());
        let said = self.0.said.lock().unwrap().clone();
        let seq = said.len() as u64;
        let mut frames = vec![Frame::Hello { seq, viewers: 0 }];
        let missing = said.get(after..).unwrap_or_default();
        frames.extend(missing.chunks(50).map(|batch| Frame::Messages {
            messages: batch.to_vec(),
        }));
        for frame in frames {
            if socket.send(text(&frame)).await.is_err() {
                return;
            }
        }
        let _listening = Listening::begin(&self);
        loop {
            tokio::select! {
                frame = news.recv() => {
                    if socket.send(text(&frame.unwrap())).await.is_err() {
                        break;
                    }
                }
                message = socket.next() => match message {
                    Some(Ok(Message::Text(report))) => {
                        let report: Report = serde_json::from_str(&report).unwrap();
                        self.0.reported.send_replace(report.viewers);
                    }
                    Some(Ok(_)) => {}
                    _ => break,
                },
            }
        }
    }

    /// Says `count` more things of `len` bytes, in one frame.
    fn say(&self, count: u64, len: usize) {
        let mut said = self.0.said.lock().unwrap();
        let from = said.len() as u64;
        let messages: Vec<_> = (from + 1..=from + count)
            .map(|seq| Comment {
                seq,
                author: "Ada".to_owned(),
                text: "x".repeat(len),
                created_at: WallTime(seq),
            })
            .collect();
        said.extend(messages.clone());
        // Nobody may listen.
        let _ = self.0.news.send(Frame::Messages { messages });
    }

    fn tell(&self, frame: Frame) {
        let _ = self.0.news.send(frame);
    }

    async fn heard(&self, listeners: usize) {
        until("the PoP to listen", || {
            self.0.listening.load(Ordering::SeqCst) == listeners
        })
        .await;
    }

    fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }
}

/// Counts a listener until it is dropped.
struct Listening(Room);

impl Listening {
    fn begin(room: &Room) -> Self {
        room.0.listening.fetch_add(1, Ordering::SeqCst);
        Self(room.clone())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.0.listening.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Accepts until it is dropped.
struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn text(frame: &Frame) -> Message {
    Message::text(serde_json::to_string(frame).unwrap())
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        timeout(DEADLINE, waiting).await.is_ok(),
        "waited for {what}"
    );
}

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// One who watches, and checks that nothing comes twice or out of order.
struct Viewer {
    socket: WebSocketStream<TcpStream>,
    /// Number of the newest message that it has.
    has: u64,
}

impl Viewer {
    async fn join(pop: SocketAddr, after: Option<u64>) -> Self {
        Self::over(TcpStream::connect(pop).await.unwrap(), pop, after).await
    }

    async fn over(stream: TcpStream, pop: SocketAddr, after: Option<u64>) -> Self {
        let after_field = after.map_or(String::new(), |after| format!("?after={after}"));
        let url = format!("ws://{pop}/api/v1/videos/{VIDEO}/room{after_field}");
        let (socket, _) = client_async(url, stream).await.unwrap();
        let mut viewer = Self {
            socket,
            has: after.unwrap_or(0),
        };
        let greeting = viewer.hear().await;
        assert!(matches!(greeting, Frame::Hello { .. }), "{greeting:?}");
        viewer
    }

    async fn next(&mut self) -> Message {
        loop {
            let message = timeout(DEADLINE, self.socket.next()).await;
            match message.expect("a message in time").unwrap().unwrap() {
                Message::Ping(_) => {}
                message => return message,
            }
        }
    }

    async fn hear(&mut self) -> Frame {
        let message = self.next().await;
        serde_json::from_str(message.to_text().unwrap()).unwrap_or_else(|_| panic!("{message:?}"))
    }

    /// Listens until it has `seq`. How many frames that took.
    async fn has(&mut self, seq: u64) -> usize {
        let mut frames = 0;
        while self.has < seq {
            if let Frame::Messages { messages } = self.hear().await {
                frames += 1;
                for message in messages {
                    assert_eq!(message.seq, self.has + 1);
                    self.has = message.seq;
                }
            }
        }
        frames
    }

    async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.map(|frame| frame.code.into());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_viewers_cost_the_origin_one_connection() {
    let room = Room::new();
    let (address, _server) = room.open(any()).await;
    let pop = RunningPop::start(address);
    room.say(3, 10);
    let mut viewers = Vec::new();
    for _ in 0..20 {
        let joining = (0..50).map(|_| Viewer::join(pop.address, Some(0)));
        viewers.extend(join_all(joining).await);
    }
    room.heard(1).await;
    for _ in 0..20 {
        room.say(2, 100);
        sleep(Duration::from_millis(5)).await;
    }
    let frames = join_all(viewers.iter_mut().map(|viewer| viewer.has(43))).await;
    // 40 messages came in 20 frames within moments: they go on in fewer.
    let most = frames.iter().max().unwrap();
    assert!(*most <= 20, "{most} frames");
    assert_eq!(room.asked().len(), 1, "{:?}", room.asked());
    let mut reported = room.0.reported.subscribe();
    let all = timeout(DEADLINE, reported.wait_for(|viewers| *viewers == 1000));
    all.await.expect("a report in time").unwrap();
    assert_eq!(pop.counter("weir_pop_room_clients"), 1000.0);
    drop(viewers);
    let none = timeout(DEADLINE, reported.wait_for(|viewers| *viewers == 0));
    none.await.expect("a report in time").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_viewer_is_dropped_and_the_others_get_everything() {
    let room = Room::new();
    let (address, _server) = room.open(any()).await;
    let pop = RunningPop::start(address);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(pop.address).await.unwrap();
    let mut slow = Viewer::over(stream, pop.address, Some(0)).await;
    let mut quick = Viewer::join(pop.address, Some(0)).await;
    room.heard(1).await;
    // 20 MB, which no socket's buffers take.
    for batch in 1..=200 {
        room.say(50, 2000);
        quick.has(50 * batch).await;
    }
    assert_eq!(
        pop.counter("weir_pop_room_slow_clients_total"),
        0.0,
        "it may still come"
    );
    // It reads on: what was under way, then that it lacks the rest.
    let after = loop {
        match slow.hear().await {
            Frame::Messages { messages } => {
                assert_eq!(messages[0].seq, slow.has + 1);
                slow.has = messages.last().unwrap().seq;
            }
            Frame::Hole { after } => break after,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(after, slow.has);
    assert!(slow.has < 10_000);
    assert_eq!(slow.closed().await, Some(TOO_SLOW));
    assert_eq!(pop.counter("weir_pop_room_slow_clients_total"), 1.0);
    room.say(1, 10);
    quick.has(10_001).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_gets_the_rest_once() {
    let room = Room::new();
    let (address, _server) = room.open(any()).await;
    let pop = RunningPop::start(address);
    let mut stays = Viewer::join(pop.address, Some(0)).await;
    let mut leaves = Viewer::join(pop.address, Some(0)).await;
    room.heard(1).await;
    room.say(5, 10);
    leaves.has(5).await;
    drop(leaves);
    room.say(4, 10);
    stays.has(9).await;
    let mut back = Viewer::join(pop.address, Some(5)).await;
    assert_eq!(back.has(9).await, 1, "in one frame");
    room.say(1, 10);
    back.has(10).await;
    stays.has(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_restarts_is_found_again() {
    let room = Room::new();
    let (address, server) = room.open(any()).await;
    let pop = RunningPop::start(address);
    let mut viewer = Viewer::join(pop.address, Some(0)).await;
    room.heard(1).await;
    room.say(3, 10);
    viewer.has(3).await;
    drop(server);
    room.heard(0).await;
    // Said while the PoP was away.
    room.say(2, 10);
    let (_, _server) = room.open(address).await;
    viewer.has(5).await;
    room.heard(1).await;
    room.say(1, 10);
    viewer.has(6).await;
    let asked: BTreeSet<String> = room.asked().into_iter().collect();
    let expected = ["", "?after=3"].map(|after| format!("/api/v1/videos/{VIDEO}/room{after}"));
    assert_eq!(asked, expected.into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactions_notices_and_numbers_come_through() {
    let room = Room::new();
    let (address, _server) = room.open(any()).await;
    let pop = RunningPop::start(address);
    let mut viewer = Viewer::join(pop.address, None).await;
    room.heard(1).await;
    let frames = [
        Frame::Reactions {
            counts: [(Reaction::Fire, 7)].into(),
        },
        Frame::Notice {
            notice: Notice::Live,
        },
        Frame::Viewers { viewers: 12 },
    ];
    for frame in &frames {
        room.tell(frame.clone());
        assert_eq!(viewer.hear().await, *frame);
    }
    viewer
        .socket
        .send(Message::text(r#"{"acknowledge":1}"#))
        .await
        .unwrap();
    viewer.socket.send(Message::text("{}")).await.unwrap();
    assert_eq!(viewer.closed().await, Some(1008), "no frame");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_are_closed_when_nobody_is_there_and_when_the_pop_goes() {
    let room = Room::new();
    let (address, _server) = room.open(any()).await;
    let mut pop = RunningPop::start(address);
    let viewer = Viewer::join(pop.address, None).await;
    room.heard(1).await;
    drop(viewer);
    room.heard(0).await;
    until("the room to go", || pop.counter("weir_pop_rooms") == 0.0).await;
    let mut viewer = Viewer::join(pop.address, None).await;
    pop.begin_shutdown();
    assert_eq!(viewer.closed().await, Some(GOING_AWAY));
    drop(viewer);
    tokio::task::spawn_blocking(move || pop.finish())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_told_why() {
    let room = Room::new();
    let (address, _server) = room.open(any()).await;
    let mut settings = config(address, &module::path());
    settings.rooms.max_clients_per_address = 2;
    settings.rooms.page_origins = vec!["https://pages.example".to_owned()];
    let pop = RunningPop::start_with(settings);
    let ask = async |origin: Option<&'static str>| {
        let url = format!("ws://{}/api/v1/videos/{VIDEO}/room", pop.address);
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            let origin = HeaderValue::from_static(origin);
            request.headers_mut().insert("origin", origin);
        }
        let stream = TcpStream::connect(pop.address).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(ask(Some("https://evil.example")).await.err(), Some(403));
    let _one = ask(Some("https://pages.example")).await.unwrap();
    let _two = ask(None).await.unwrap();
    assert_eq!(ask(None).await.err(), Some(429));

    let address = pop.address;
    let plain = tokio::task::spawn_blocking(move || {
        support::client::get(address, &format!("/api/v1/videos/{VIDEO}/room"))
    });
    assert_eq!(plain.await.unwrap().status, 426);
}
