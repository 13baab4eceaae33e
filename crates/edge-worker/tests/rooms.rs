//! Rooms under Cloudflare's runtime: the two Workers, over real WebSockets.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/workerd.rs"]
mod workerd;

use std::{
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use support::{
    client::{Answer, Call, get},
    origin::Origin,
};
use tungstenite::{
    Error, Message, WebSocket,
    client::{IntoClientRequest, client},
    http::HeaderValue,
};
use weir_model::{
    WallTime,
    api::Comment,
    room::{Acknowledgement, Frame, NO_FRAME, Notice, Reaction, Report, TOO_SLOW},
};
use workerd::{Setup, Workerd};

/// As in the rooms' configuration for tests.
const SECRET: &str = "Bearer a secret of the origin";
const ROOM: &str = "/api/v1/videos/oabcdefghijk/room";
const FRAMES: &str = "/rooms/oabcdefghijk/frames";

/// Longest that a frame may take to come.
const TIMEOUT: Duration = Duration::from_secs(20);

struct Viewer(WebSocket<TcpStream>);

impl Viewer {
    /// A viewer that is in the room, and what it was told of it.
    fn join(edge: &Workerd, target: &str) -> (Self, Frame) {
        let mut viewer = Self(connect(edge.address, target, None).unwrap());
        let hello = viewer.frame();
        (viewer, hello)
    }

    fn frame(&mut self) -> Frame {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                message => panic!("{message:?}"),
            }
        }
    }

    /// Numbers of the messages that come next.
    fn numbers(&mut self) -> Vec<u64> {
        match self.frame() {
            Frame::Messages { messages } => messages.iter().map(|message| message.seq).collect(),
            frame => panic!("{frame:?}"),
        }
    }

    fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// The code that the room closes the socket with.
    fn closed(&mut self) -> u16 {
        match self.0.read() {
            Ok(Message::Close(Some(frame))) => frame.code.into(),
            read => panic!("{read:?}"),
        }
    }
}

fn connect(
    address: SocketAddr,
    target: &str,
    page: Option<&str>,
) -> Result<WebSocket<TcpStream>, u16> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut request = format!("ws://edge{target}").into_client_request().unwrap();
    if let Some(page) = page {
        let page = HeaderValue::from_str(page).unwrap();
        request.headers_mut().insert("origin", page);
    }
    match client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(Error::Http(refusal))) => {
            Err(refusal.status().as_u16())
        }
        Err(error) => panic!("{error}"),
    }
}

fn post(edge: &Workerd, secret: &str, frame: &str) -> Answer {
    Call::new("POST", FRAMES)
        .field("authorization", secret)
        .body(frame.as_bytes())
        .send(edge.address)
}

/// Posts as the origin does; gives how many viewers the room has.
fn tell(edge: &Workerd, frame: &Frame) -> u64 {
    let answer = post(edge, SECRET, &serde_json::to_string(frame).unwrap());
    assert_eq!(answer.status, 200, "{answer:?}");
    let report: Report = serde_json::from_slice(&answer.body).unwrap();
    report.viewers
}

fn messages(numbers: impl IntoIterator<Item = u64>) -> Frame {
    let message = |seq| Comment {
        seq,
        author: "Ada".to_owned(),
        text: "Hi \u{263a}".to_owned(),
        created_at: WallTime(5),
    };
    Frame::Messages {
        messages: numbers.into_iter().map(message).collect(),
    }
}

fn start() -> (Origin, Workerd) {
    let origin = Origin::echo();
    let edge = Setup::with_rooms().start(origin.address);
    (origin, edge)
}

#[test]
fn everyone_in_the_room_is_told_whichever_object_holds_them() {
    let (_origin, edge) = start();
    let mut viewers: Vec<_> = (0..8).map(|_| Viewer::join(&edge, ROOM).0).collect();
    assert_eq!(tell(&edge, &messages([1, 2])), 8);
    let reactions = Frame::Reactions {
        counts: [(Reaction::Heart, 3)].into(),
    };
    tell(&edge, &reactions);
    tell(&edge, &Frame::Viewers { viewers: 70 });
    let notice = Frame::Notice {
        notice: Notice::Ended,
    };
    tell(&edge, &notice);
    for viewer in &mut viewers {
        assert_eq!(viewer.frame(), messages([1, 2]));
        assert_eq!(viewer.frame(), reactions);
        assert_eq!(viewer.frame(), Frame::Viewers { viewers: 70 });
        assert_eq!(viewer.frame(), notice);
    }
    // Told again, it is no news; a hole is told of.
    tell(&edge, &messages([2]));
    tell(&edge, &messages([7]));
    assert_eq!(viewers[0].frame(), Frame::Hole { after: 2 });
    assert_eq!(viewers[0].numbers(), [7]);
    let (_, hello) = Viewer::join(&edge, ROOM);
    assert_eq!(
        hello,
        Frame::Hello {
            seq: 7,
            viewers: 70
        }
    );
    viewers.pop().unwrap().0.close(None).unwrap();
    support::origin::wait_until("one to be gone", || tell(&edge, &messages([7])) < 9);
}

#[test]
fn whoever_comes_back_is_sent_what_it_missed() {
    let (_origin, edge) = start();
    tell(&edge, &messages(1..=150));
    let (mut viewer, hello) = Viewer::join(&edge, &format!("{ROOM}?after=140"));
    assert!(matches!(hello, Frame::Hello { seq: 150, .. }), "{hello:?}");
    assert_eq!(viewer.numbers(), Vec::from_iter(141..=150));
    // The window ends somewhere: what is older is read over HTTP.
    tell(&edge, &messages(151..=300));
    let (mut viewer, _) = Viewer::join(&edge, &format!("{ROOM}?after=1"));
    assert_eq!(viewer.frame(), Frame::Hole { after: 1 });
    assert_eq!(viewer.numbers().first(), Some(&101));
}

#[test]
fn a_viewer_that_acknowledges_nothing_is_dropped() {
    let (_origin, edge) = start();
    let (mut slow, _) = Viewer::join(&edge, ROOM);
    let (mut quick, _) = Viewer::join(&edge, ROOM);
    for batch in 0..6 {
        tell(&edge, &messages(batch * 50 + 1..=batch * 50 + 50));
        let last = *quick.numbers().last().unwrap();
        quick.say(&serde_json::to_string(&Acknowledgement { acknowledge: last }).unwrap());
        if batch < 4 {
            slow.numbers();
        }
    }
    assert_eq!(slow.frame(), Frame::Hole { after: 0 });
    assert_eq!(slow.closed(), TOO_SLOW);
    quick.say("nonsense");
    assert_eq!(quick.closed(), NO_FRAME);
}

#[test]
fn a_room_that_slept_goes_on() {
    let (_origin, edge) = start();
    tell(&edge, &messages([1]));
    let (mut viewer, _) = Viewer::join(&edge, ROOM);
    assert_eq!(viewer.numbers(), [1]);
    // workerd puts an object to sleep after ten seconds in which nothing happens.
    thread::sleep(Duration::from_secs(12));
    tell(&edge, &messages([2]));
    assert_eq!(viewer.numbers(), [2]);
    let (mut other, _) = Viewer::join(&edge, &format!("{ROOM}?after=0"));
    assert_eq!(other.numbers(), [1, 2]);
}

#[test]
fn nobody_gets_in_but_through_the_edge() {
    let (origin, edge) = start();
    assert_eq!(get(edge.address, ROOM).status, 426);
    let join = |target, page| connect(edge.address, target, page).err();
    assert_eq!(join("/rooms/oabcdefghijk/socket", None), Some(404));
    assert_eq!(join("/api/v1/videos/pabcdefghijk/room", None), Some(403));
    assert_eq!(join(ROOM, Some("https://elsewhere.example")), Some(403));
    assert_eq!(join(ROOM, Some("http://edge")), None);
    let frame = serde_json::to_string(&messages([1])).unwrap();
    assert_eq!(post(&edge, "Bearer guess", &frame).status, 401);
    assert_eq!(post(&edge, "", &frame).status, 401);
    assert_eq!(post(&edge, SECRET, "nonsense").status, 400);
    assert_eq!(post(&edge, SECRET, &"a".repeat(200_000)).status, 413);
    assert!(origin.asked().is_empty());
}

/// As the origin does, which posts again what failed.
fn tell_up_to_three_times(edge: &Workerd, frame: &Frame) {
    let frame = serde_json::to_string(frame).unwrap();
    let failed: Vec<_> = (0..3)
        .map(|_| post(edge, SECRET, &frame).status)
        .take_while(|status| *status != 200)
        .collect();
    assert!(failed.len() < 3, "{failed:?}");
}

#[test]
fn a_panic_costs_a_call_and_no_room() {
    let origin = Origin::echo();
    let edge = Setup::with_faulty_rooms().start(origin.address);
    tell(&edge, &messages([1]));
    let mut viewers: Vec<_> = (0..4).map(|_| Viewer::join(&edge, ROOM).0).collect();
    for viewer in &mut viewers {
        assert_eq!(viewer.numbers(), [1]);
    }
    // What the origin posts is read by the Worker, and by its objects after that.
    for (panic, number) in [("PANIC1", 2), ("PANIC2", 3), ("PANIC1 again", 4)] {
        let began = Instant::now();
        assert_eq!(post(&edge, SECRET, panic).status, 503, "{panic}");
        assert!(began.elapsed() < TIMEOUT, "{panic}");
        assert_eq!(tell(&edge, &messages([number])), 4, "{panic}");
        for viewer in &mut viewers {
            assert_eq!(viewer.numbers(), [number], "{panic} cut nobody off");
        }
    }
    // And in the middle of what a viewer says.
    viewers[0].say("PANIC1 said");
    tell_up_to_three_times(&edge, &messages([5]));
    let (mut late, hello) = Viewer::join(&edge, &format!("{ROOM}?after=0"));
    assert!(matches!(hello, Frame::Hello { seq: 5, .. }), "{hello:?}");
    assert_eq!(late.numbers(), [1, 2, 3, 4, 5], "nothing is lost");
}
