use proptest::prelude::*;
use weir_model::WallTime;

use super::*;

fn comment(seq: u64) -> Comment {
    Comment {
        seq,
        author: "Ada".to_owned(),
        text: format!("message {seq}"),
        created_at: WallTime(seq),
    }
}

fn batch(seqs: std::ops::RangeInclusive<u64>) -> Frame {
    Frame::Messages {
        messages: seqs.map(comment).collect(),
    }
}

fn hello(seq: u64) -> Frame {
    Frame::Hello { seq, viewers: 3 }
}

fn read(frame: &Utf8Bytes) -> Frame {
    serde_json::from_str(frame).unwrap()
}

fn read_all(frames: &[Utf8Bytes]) -> Vec<Frame> {
    frames.iter().map(read).collect()
}

/// A hub on virtual time.
struct Desk {
    hub: Hub,
    now: Instant,
}

impl Desk {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            hub: Hub::new(limits, now),
            now,
        }
    }

    /// Greeted by an origin whose newest message is `seq`.
    fn greeted(seq: u64) -> Self {
        let mut desk = Self::new();
        desk.take(hello(seq));
        desk
    }

    fn take(&mut self, frame: Frame) {
        self.hub.handle_frame(self.now, frame);
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.hub.handle_timeout(self.now);
    }

    /// All that the client at `seat` is sent now.
    fn drain(&mut self, seat: &mut Seat) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            match self.hub.next(seat) {
                Next::Send(frame) => frames.push(read(&frame)),
                Next::Wait => return frames,
                Next::Behind(marker) => panic!("behind: {marker}"),
            }
        }
    }
}

#[test]
fn the_first_after_a_pause_goes_at_once_and_the_rest_together() {
    let mut desk = Desk::greeted(0);
    let (mut seat, first) = desk.hub.join(None);
    assert_eq!(read_all(&first), [hello(0)]);
    desk.wait(1000);
    desk.take(batch(1..=1));
    assert_eq!(desk.drain(&mut seat), [batch(1..=1)]);
    desk.take(batch(2..=2));
    desk.take(Frame::Reactions {
        counts: [(Reaction::Heart, 2)].into(),
    });
    desk.take(batch(3..=4));
    desk.take(Frame::Reactions {
        counts: [(Reaction::Heart, 1), (Reaction::Clap, 1)].into(),
    });
    assert_eq!(desk.drain(&mut seat), []);
    assert_eq!(
        desk.hub.next_timeout(desk.now),
        Some(desk.now + Duration::from_millis(60))
    );
    desk.wait(60);
    assert_eq!(
        desk.drain(&mut seat),
        [
            batch(2..=4),
            Frame::Reactions {
                counts: [(Reaction::Heart, 3), (Reaction::Clap, 1)].into()
            }
        ]
    );
    assert_eq!(desk.hub.next_timeout(desk.now), None);
}

#[test]
fn clients_share_the_bytes_of_a_frame() {
    let mut desk = Desk::greeted(0);
    let (mut one, _) = desk.hub.join(None);
    let (mut other, _) = desk.hub.join(Some(0));
    desk.take(batch(1..=3));
    let (Next::Send(to_one), Next::Send(to_other)) =
        (desk.hub.next(&mut one), desk.hub.next(&mut other))
    else {
        panic!("both get it");
    };
    assert_eq!(to_one.as_ptr(), to_other.as_ptr());
}

#[test]
fn who_comes_before_the_origin_answers_is_greeted_when_it_does() {
    let mut desk = Desk::new();
    let (mut new, first) = desk.hub.join(None);
    assert_eq!(first, [] as [Utf8Bytes; 0]);
    let (mut back, _) = desk.hub.join(Some(8));
    assert_eq!(desk.drain(&mut new), []);
    desk.take(hello(9));
    let (mut late, first) = desk.hub.join(Some(9));
    assert_eq!(read_all(&first), [hello(9)]);
    desk.take(batch(5..=9));
    desk.wait(60);
    assert_eq!(desk.drain(&mut new), [hello(9), batch(5..=9)]);
    assert_eq!(desk.drain(&mut back), [hello(9), batch(9..=9)]);
    assert_eq!(desk.drain(&mut late), []);
}

#[test]
fn who_comes_back_gets_what_it_lacks_and_is_told_of_holes() {
    let mut desk = Desk::with(Limits {
        messages: 3,
        ..Limits::default()
    });
    desk.take(hello(7));
    desk.take(batch(1..=7));
    let mut join = |after| read_all(&desk.hub.join(after).1);
    assert_eq!(join(Some(7)), [hello(7)]);
    assert_eq!(join(Some(5)), [hello(7), batch(6..=7)]);
    assert_eq!(
        join(Some(1)),
        [hello(7), Frame::Hole { after: 1 }, batch(5..=7)]
    );
    assert_eq!(join(None), [hello(7), batch(5..=7)]);
    assert_eq!(join(Some(u64::MAX)), [hello(7)]);
}

#[test]
fn who_knows_more_than_the_room_gets_nothing_twice() {
    let mut desk = Desk::greeted(4);
    desk.take(batch(1..=4));
    desk.wait(1000);
    // It has read up to 6 over HTTP.
    let (mut seat, _) = desk.hub.join(Some(6));
    desk.take(batch(5..=8));
    assert_eq!(desk.drain(&mut seat), [batch(7..=8)]);
}

#[test]
fn a_hole_of_the_origins_is_told_to_those_who_miss_it() {
    let mut desk = Desk::greeted(4);
    desk.take(batch(1..=4));
    let (mut seat, _) = desk.hub.join(Some(4));
    let (mut ahead, _) = desk.hub.join(Some(9));
    desk.take(Frame::Hole { after: 4 });
    desk.take(batch(10..=11));
    desk.wait(60);
    assert_eq!(
        desk.drain(&mut seat),
        [Frame::Hole { after: 4 }, batch(10..=11)]
    );
    assert_eq!(desk.drain(&mut ahead), [batch(10..=11)]);
}

#[test]
fn a_client_that_falls_out_of_the_list_is_told_where_it_stopped() {
    let mut desk = Desk::with(Limits {
        behind_bytes: 1000,
        ..Limits::default()
    });
    desk.take(hello(0));
    let (mut slow, _) = desk.hub.join(None);
    let (mut quick, _) = desk.hub.join(None);
    desk.take(batch(1..=2));
    desk.wait(60);
    assert_eq!(desk.drain(&mut slow), [batch(1..=2)]);
    for seq in 3..=40 {
        desk.take(batch(seq..=seq));
        desk.wait(60);
        desk.drain(&mut quick);
    }
    let Next::Behind(marker) = desk.hub.next(&mut slow) else {
        panic!("it is behind");
    };
    assert_eq!(read(&marker), Frame::Hole { after: 2 });
}

#[test]
fn an_origin_that_lost_messages_begins_anew() {
    let mut desk = Desk::greeted(4);
    desk.take(batch(1..=4));
    let (mut seat, _) = desk.hub.join(Some(4));
    assert_eq!(desk.hub.subscribe(), Some(4));
    desk.take(hello(2));
    desk.take(batch(3..=3));
    desk.wait(60);
    assert_eq!(desk.drain(&mut seat), [hello(2), batch(3..=3)]);
}

#[test]
fn notices_and_numbers_are_told_once_and_to_newcomers() {
    let mut desk = Desk::greeted(0);
    let notice = Frame::Notice {
        notice: Notice::Live,
    };
    let (mut seat, _) = desk.hub.join(None);
    for _ in 0..2 {
        desk.take(notice.clone());
        desk.take(Frame::Viewers { viewers: 12 });
        desk.wait(60);
    }
    assert_eq!(
        desk.drain(&mut seat),
        [notice.clone(), Frame::Viewers { viewers: 12 }]
    );
    let (_, first) = desk.hub.join(None);
    let hello = Frame::Hello {
        seq: 0,
        viewers: 12,
    };
    assert_eq!(read_all(&first), [hello, notice]);
}

#[test]
fn viewers_are_reported_when_they_change_and_from_time_to_time() {
    let mut desk = Desk::greeted(0);
    let mut reports = Vec::new();
    for second in 0..12 {
        if second == 2 {
            desk.hub.join(None);
        }
        if second == 3 {
            desk.hub.leave(desk.now);
        }
        if let Some(viewers) = desk.hub.report(desk.now) {
            reports.push((second, viewers));
        }
        desk.wait(1000);
    }
    assert_eq!(reports, [(0, 0), (2, 1), (3, 0), (7, 0), (11, 0)]);
    desk.hub.subscribe();
    assert_eq!(desk.hub.report(desk.now), Some(0), "a new connection");
}

#[test]
fn an_empty_room_is_given_up_after_a_while() {
    let mut desk = Desk::greeted(0);
    let begin = desk.now;
    assert_eq!(
        desk.hub.gives_up_at(),
        Some(begin + Duration::from_secs(10))
    );
    desk.hub.join(None);
    assert_eq!(desk.hub.gives_up_at(), None);
    desk.wait(5000);
    desk.hub.leave(desk.now);
    assert_eq!(
        desk.hub.gives_up_at(),
        Some(begin + Duration::from_secs(15))
    );
}

/// What may happen to a room.
#[derive(Clone, Debug)]
enum Step {
    /// The origin sends messages: how many are left out before them, how many come again.
    Messages { skip: u64, again: u64, len: u64 },
    /// The connection breaks, and the origin greets.
    Greet,
    /// A client comes: how far back is what it has.
    Join(Option<u64>),
    /// One of the clients reads some frames.
    Read { client: usize, frames: usize },
    /// Time passes.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u64, 0..3_u64, 1..60_u64)
            .prop_map(|(skip, again, len)| Step::Messages { skip, again, len }),
        1 => Just(Step::Greet),
        2 => proptest::option::of(0..20_u64).prop_map(Step::Join),
        5 => (0..8_usize, 1..6_usize).prop_map(|(client, frames)| Step::Read { client, frames }),
        3 => (0..100_u64).prop_map(Step::Wait),
    ]
}

/// A client that checks what it is sent.
struct Witness {
    seat: Seat,
    has: Option<u64>,
    /// After which message a hole was told.
    hole: Option<u64>,
    greeted: bool,
    gone: bool,
}

impl Witness {
    fn see(&mut self, frame: &Utf8Bytes) {
        match read(frame) {
            Frame::Hello { .. } => {
                assert!(!self.greeted, "greeted twice");
                self.greeted = true;
            }
            Frame::Hole { after } => {
                assert!(Some(after) >= self.has, "a hole in what it has");
                self.hole = self.has;
            }
            Frame::Messages { messages } => {
                assert!(self.greeted && (1..=MAX_BATCH).contains(&messages.len()));
                for message in messages {
                    if let Some(has) = self.has {
                        assert!(message.seq > has, "{} after {has}", message.seq);
                        let next = message.seq == has + 1;
                        assert!(next || self.hole == Some(has), "untold hole after {has}");
                    }
                    self.has = Some(message.seq);
                }
            }
            other => panic!("nobody sent {other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_comes_twice_or_out_of_order_and_holes_are_told(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let limits = Limits {
            messages: 30,
            message_bytes: 2_000,
            behind_bytes: 6_000,
            ..Limits::default()
        };
        let mut desk = Desk::with(limits);
        let mut newest = 0_u64;
        let mut clients: Vec<Witness> = Vec::new();
        let mut greeted = false;
        for step in steps {
            match step {
                Step::Messages { skip, again, len } if greeted => {
                    let first = (newest + 1 + skip).saturating_sub(again).max(1);
                    desk.take(batch(first..=first + len - 1));
                    newest = newest.max(first + len - 1);
                }
                Step::Messages { .. } => {}
                Step::Greet => {
                    desk.hub.subscribe();
                    desk.take(hello(newest));
                    greeted = true;
                }
                Step::Join(back) => {
                    let after = back.map(|back| newest.saturating_sub(back));
                    let (seat, first) = desk.hub.join(after);
                    let mut client = Witness { seat, has: after, hole: None, greeted: false, gone: false };
                    for frame in &first {
                        client.see(frame);
                    }
                    clients.push(client);
                }
                Step::Read { client, frames } => {
                    let Some(client) = clients.get_mut(client).filter(|client| !client.gone) else {
                        continue;
                    };
                    for _ in 0..frames {
                        match desk.hub.next(&mut client.seat) {
                            Next::Send(frame) => client.see(&frame),
                            Next::Wait => break,
                            Next::Behind(marker) => {
                                let Frame::Hole { after } = read(&marker) else {
                                    panic!("{marker} is no marker");
                                };
                                prop_assert!(after >= client.has.unwrap_or(0));
                                client.gone = true;
                                break;
                            }
                        }
                    }
                }
                Step::Wait(ms) => desk.wait(ms),
            }
            prop_assert!(desk.hub.kept.len() <= limits.messages);
            prop_assert!(desk.hub.kept_bytes <= limits.message_bytes);
            prop_assert!(desk.hub.sent_bytes <= limits.behind_bytes || desk.hub.sent.len() == 1);
        }
        // Whoever reads to the end is where the room is.
        desk.wait(1000);
        for client in clients.iter_mut().filter(|client| !client.gone) {
            let at_end = loop {
                match desk.hub.next(&mut client.seat) {
                    Next::Send(frame) => client.see(&frame),
                    Next::Wait => break true,
                    Next::Behind(_) => break false,
                }
            };
            if at_end
                && let (Some(has), Some(last)) = (client.seat.has, desk.hub.last) {
                prop_assert!(has >= last, "stopped at {has} of {last}");
            }
        }
    }
}
