//! Rooms through the real binary: what is written and felt reaches those who watch, through the edge
//! module, across a restart, in browsers.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all};
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};
use weir_model::{
    VideoId,
    room::{Frame, Notice, Reaction},
};
use weir_tests::{Encoder, Weir, browser, built, eventually, wait::PATIENCE};

/// One who watches.
struct Viewer {
    socket: WebSocketStream<TcpStream>,
    has: u64,
    claps: u32,
    viewers: u64,
    notice: Option<Notice>,
}

impl Viewer {
    async fn join(weir: &Weir, video: VideoId, after: u64) -> Self {
        let address = weir.viewer().base().replace("http://", "");
        let stream = TcpStream::connect(&address).await.expect("the PoP listens");
        let url = format!("ws://{address}/api/v1/videos/{video}/room?after={after}");
        let (socket, _) = client_async(url, stream).await.expect("the room opens");
        Self {
            socket,
            has: after,
            claps: 0,
            viewers: 0,
            notice: None,
        }
    }

    /// Takes frames in until `enough`. Panics if a message comes twice or out of order.
    async fn watch(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let message = timeout(PATIENCE, self.socket.next()).await;
            let message = message.unwrap_or_else(|_| panic!("waited for {what}"));
            let message = message.expect("the socket is open").expect("a message");
            let Message::Text(text) = message else {
                continue;
            };
            match serde_json::from_str(&text).expect("a frame") {
                Frame::Hello { viewers, .. } | Frame::Viewers { viewers } => self.viewers = viewers,
                Frame::Messages { messages } => {
                    for message in messages {
                        assert_eq!(message.seq, self.has + 1);
                        self.has = message.seq;
                    }
                }
                Frame::Reactions { counts } => {
                    self.claps += counts.get(&Reaction::Clap).copied().unwrap_or(0);
                }
                Frame::Notice { notice } => self.notice = Some(notice),
                Frame::Hole { after } => panic!("a hole after {after}"),
            }
        }
    }
}

async fn say(weir: &Weir, video: VideoId, text: &str) {
    let comment = json!({ "author": "Ada", "text": text });
    let path = format!("/api/v1/videos/{video}/comments");
    assert_eq!(weir.viewer().post_json(&path, &comment).await.status, 201);
}

#[tokio::test]
async fn what_is_said_and_felt_reaches_those_who_watch() {
    let weir = Weir::start().await;
    let video = weir.create_video("rooms").await.video.id;
    let mut one = Viewer::join(&weir, video, 0).await;
    let mut other = Viewer::join(&weir, video, 0).await;
    one.watch("two viewers", |viewer| viewer.viewers == 2).await;
    for n in 1..=5 {
        say(&weir, video, &format!("number {n}")).await;
    }
    one.watch("five comments", |viewer| viewer.has == 5).await;
    other.watch("five comments", |viewer| viewer.has == 5).await;

    let path = format!("/api/v1/videos/{video}/reactions");
    let clap = weir
        .viewer()
        .post_json(&path, &json!({ "kind": "clap" }))
        .await;
    assert_eq!(clap.status, 204, "{}", clap.text());
    other.watch("a clap", |viewer| viewer.claps == 1).await;
    let unknown = weir
        .viewer()
        .post_json(&path, &json!({ "kind": "money" }))
        .await;
    assert_eq!(unknown.status, 400);

    // Taps without end are more than a hand can do.
    eventually("the limit", PATIENCE, async || {
        let clap = json!({ "kind": "clap" });
        let tap = async || weir.viewer().post_json(&path, &clap).await.status == 429;
        let taps = join_all((0..50).map(|_| tap())).await;
        taps.contains(&true).then_some(())
    })
    .await;

    drop(other);
    one.watch("one viewer", |viewer| viewer.viewers == 1).await;
}

#[tokio::test]
async fn what_becomes_of_the_broadcast_is_noticed() {
    let weir = Weir::start().await;
    let created = weir.create_video("rooms").await;
    let video = created.video.id;
    let mut viewer = Viewer::join(&weir, video, 0).await;
    let encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
    let noticed = |notice| move |viewer: &Viewer| viewer.notice == Some(notice);
    viewer.watch("the start", noticed(Notice::Live)).await;
    let mut late = Viewer::join(&weir, video, 0).await;
    late.watch("what began before", noticed(Notice::Live)).await;
    drop(encoder);
    weir.end_video(video).await;
    viewer.watch("the end", noticed(Notice::Ended)).await;
}

#[tokio::test]
async fn a_restart_loses_and_repeats_nothing() {
    let mut weir = Weir::start().await;
    let video = weir.create_video("rooms").await.video.id;
    let mut viewer = Viewer::join(&weir, video, 0).await;
    for n in 1..=3 {
        say(&weir, video, &format!("number {n}")).await;
    }
    viewer
        .watch("three comments", |viewer| viewer.has == 3)
        .await;
    weir.kill();
    weir.restart().await;
    say(&weir, video, "after the crash").await;
    let mut back = Viewer::join(&weir, video, viewer.has).await;
    back.watch("the fourth", |viewer| viewer.has == 4).await;
}

#[tokio::test]
async fn browsers_chat_and_react() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        /// Between sending in one browser and showing in the other, in ms.
        comment_ms: f64,
        /// What the other shows, comments without their time.
        comments: Vec<String>,
        watching: String,
        /// Beside the button, after a reaction from the other page.
        claps: String,
        /// Requests for pages of comments while the socket stood.
        polls: u32,
        /// What was written while the socket was cut, as shown once it stands again.
        missed: Vec<String>,
        role: String,
        errors: Vec<String>,
    }
    let weir = Weir::start().await;
    let created = weir.create_video("chat").await;
    let input = json!({
        "page": weir.viewer().url(&created.video.watch_url),
        "api": weir.viewer().url(&format!("/api/v1/videos/{}", created.video.id)),
        "screenshots": null,
    });
    let answer: Answer = browser::run("rooms", &input, Duration::from_secs(300));
    assert_eq!(answer.comments, ["Ada: Hello", "Ben: Hello back"]);
    assert_eq!(answer.watching, "2 watching");
    assert_eq!(answer.claps, "1");
    assert_eq!(answer.polls, 0, "the socket brings everything");
    assert_eq!(
        answer.missed,
        ["Ada: While you were away", "Ada: And again"]
    );
    assert_eq!(answer.role, "log");
    assert!(answer.comment_ms > 0.0, "{answer:?}");
    assert_eq!(answer.errors, [""; 0]);
}
