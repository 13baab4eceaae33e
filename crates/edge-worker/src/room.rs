//! Numbering, backfill and slow clients of a room whose host cannot see how much waits in a client's
//! socket, as a Durable Object. The origin numbers the messages; the room keeps a window of the newest
//! and answers nobody for older ones: a client that missed some reads them over HTTP, by number.
//! The frames are [`weir_model::room`]'s.

use std::collections::VecDeque;

/// Bounds of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most messages in the window.
    pub messages: usize,
    /// Most bytes of messages in the window.
    pub bytes: usize,
    /// Most messages that a client may leave unacknowledged before it counts as slow.
    pub unacknowledged: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: 200,
            bytes: 64 * 1024,
            unacknowledged: 200,
        }
    }
}

/// One numbered message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number within the room, from 1, without holes.
    pub seq: u64,
    /// The comment in JSON, as it stands in a frame.
    pub text: String,
}

/// What became of a message from the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is the next: send it to every client.
    Next,
    /// It was here before: the origin sent it again.
    Known,
    /// Messages from `expected` on are missing: send it, and a marker before it.
    AfterHole {
        /// The number that should have come.
        expected: u64,
    },
}

/// What is new in a batch from the origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Number of the last message before a hole, if messages are missing before these.
    pub hole: Option<u64>,
    /// The new ones, in order and without holes.
    pub messages: Vec<Message>,
}

/// What a client that joins is sent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backfill {
    /// Whether messages before the first one here are missing: a marker goes before it.
    pub hole: bool,
    /// The messages, in order.
    pub messages: Vec<Message>,
}

/// The newest messages of one room.
#[derive(Clone, Debug, Default)]
pub struct Room {
    limits: Limits,
    window: VecDeque<Message>,
    bytes: usize,
    last: u64,
}

impl Room {
    /// An empty room.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Number of the newest message; 0 if there was none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Takes a message from the origin. The first one sets where the numbers begin.
    pub fn accept(&mut self, message: Message) -> Accepted {
        let expected = self.last.saturating_add(1);
        let accepted = match message.seq {
            seq if seq <= self.last => return Accepted::Known,
            seq if seq == expected || self.last == 0 => Accepted::Next,
            _ => Accepted::AfterHole { expected },
        };
        if accepted != Accepted::Next {
            // A backfill has no holes within.
            self.window.clear();
            self.bytes = 0;
        }
        self.last = message.seq;
        self.bytes = self.bytes.saturating_add(message.text.len());
        self.window.push_back(message);
        while self.window.len() > self.limits.messages || self.bytes > self.limits.bytes {
            let Some(oldest) = self.window.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(oldest.text.len());
        }
        accepted
    }

    /// Takes a batch from the origin: messages in order and without holes.
    pub fn accept_batch(&mut self, batch: impl IntoIterator<Item = Message>) -> News {
        let mut news = News::default();
        for message in batch {
            match self.accept(message.clone()) {
                Accepted::Known => continue,
                Accepted::Next => {}
                Accepted::AfterHole { expected } => {
                    // What is within a batch has no holes; if it had, only its end counts.
                    news.messages.clear();
                    news.hole.get_or_insert(expected.saturating_sub(1));
                }
            }
            news.messages.push(message);
        }
        news
    }

    /// What a client is sent that has everything up to `after`; a new client gives `None` and is
    /// sent the whole window.
    pub fn backfill(&self, after: Option<u64>) -> Backfill {
        let from = after.map_or(0, |after| after.saturating_add(1));
        let messages: Vec<_> = self
            .window
            .iter()
            .filter(|message| message.seq >= from)
            .cloned()
            .collect();
        let first = messages
            .first()
            .map_or(self.last.saturating_add(1), |message| message.seq);
        Backfill {
            hole: after.is_some() && first > from,
            messages,
        }
    }
}

/// How far one client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Number of the newest message sent to it.
    pub sent: u64,
    /// Number of the newest message that it said it has.
    pub acknowledged: u64,
}

/// What to do for a client when messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Send them.
    Send,
    /// It is too far behind: close its socket with a marker that names its last acknowledged
    /// message, from where it catches up over HTTP.
    Drop {
        /// Where it catches up from.
        after: u64,
    },
}

impl Client {
    /// What to do with what the room has just accepted.
    pub fn deliver(&mut self, news: &News, limits: Limits) -> Delivery {
        if self.sent.saturating_sub(self.acknowledged) >= limits.unacknowledged {
            return Delivery::Drop {
                after: self.acknowledged,
            };
        }
        if let (Some(first), Some(last)) = (news.messages.first(), news.messages.last()) {
            // Nobody is behind for what was never sent: before a client came, or in a hole.
            if self.sent == 0 || news.hole.is_some() {
                self.acknowledged = self.acknowledged.max(first.seq.saturating_sub(1));
            }
            self.sent = last.seq;
        }
        Delivery::Send
    }

    /// The client says that it has everything up to `seq`; it cannot have what it was not sent.
    pub fn acknowledge(&mut self, seq: u64) {
        self.acknowledged = self.acknowledged.max(seq.min(self.sent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: u64) -> Message {
        Message {
            seq,
            text: format!("message {seq:03}"),
        }
    }

    fn seqs(backfill: &Backfill) -> Vec<u64> {
        backfill
            .messages
            .iter()
            .map(|message| message.seq)
            .collect()
    }

    const LIMITS: Limits = Limits {
        messages: 3,
        bytes: 1000,
        unacknowledged: 5,
    };

    #[test]
    fn numbers_go_on_without_repeats() {
        let mut room = Room::new(LIMITS);
        assert_eq!(
            room.accept(message(40)),
            Accepted::Next,
            "the first sets the beginning"
        );
        assert_eq!(room.accept(message(41)), Accepted::Next);
        assert_eq!(room.accept(message(41)), Accepted::Known);
        assert_eq!(room.accept(message(12)), Accepted::Known);
        assert_eq!(
            room.accept(message(44)),
            Accepted::AfterHole { expected: 42 }
        );
        assert_eq!(seqs(&room.backfill(None)), [44]);
        assert_eq!(room.last(), 44);
    }

    #[test]
    fn the_window_is_bounded_and_tells_of_holes() {
        let mut room = Room::new(LIMITS);
        for seq in 1..=6 {
            room.accept(message(seq));
        }
        let whole = room.backfill(None);
        assert_eq!((seqs(&whole), whole.hole), (vec![4, 5, 6], false));
        let near = room.backfill(Some(4));
        assert_eq!((seqs(&near), near.hole), (vec![5, 6], false));
        let far = room.backfill(Some(1));
        assert_eq!((seqs(&far), far.hole), (vec![4, 5, 6], true));
        let up_to_date = room.backfill(Some(6));
        assert_eq!((seqs(&up_to_date), up_to_date.hole), (vec![], false));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut room = Room::new(Limits {
            bytes: 25,
            ..LIMITS
        });
        for seq in 1..=3 {
            room.accept(message(seq));
        }
        assert_eq!(seqs(&room.backfill(None)), [2, 3]);
        let hole = Room::new(Limits { bytes: 4, ..LIMITS });
        let mut room = hole;
        room.accept(message(1));
        assert!(
            room.backfill(Some(0)).hole,
            "a message over the bound is not kept"
        );
    }

    #[test]
    fn only_what_is_new_of_a_batch_is_news() {
        let mut room = Room::new(Limits::default());
        let seqs = |news: &News| news.messages.iter().map(|m| m.seq).collect::<Vec<_>>();
        let first = room.accept_batch((7..=9).map(message));
        assert_eq!((first.hole, seqs(&first)), (None, vec![7, 8, 9]));
        let again = room.accept_batch((8..=10).map(message));
        assert_eq!((again.hole, seqs(&again)), (None, vec![10]));
        let later = room.accept_batch((20..=21).map(message));
        assert_eq!((later.hole, seqs(&later)), (Some(10), vec![20, 21]));
        assert_eq!(room.accept_batch((20..=21).map(message)), News::default());
    }

    fn news(seqs: std::ops::RangeInclusive<u64>, hole: Option<u64>) -> News {
        News {
            hole,
            messages: seqs.map(message).collect(),
        }
    }

    #[test]
    fn a_slow_client_is_dropped_where_it_stopped() {
        let mut client = Client::default();
        assert_eq!(client.deliver(&news(1..=5, None), LIMITS), Delivery::Send);
        client.acknowledge(99);
        assert_eq!(client.acknowledged, 5);
        for seq in 6..=10 {
            let one = news(seq..=seq, None);
            assert_eq!(client.deliver(&one, LIMITS), Delivery::Send);
        }
        client.acknowledge(3);
        assert_eq!(
            client.deliver(&news(11..=11, None), LIMITS),
            Delivery::Drop { after: 5 }
        );
    }

    #[test]
    fn nobody_is_slow_for_what_was_never_sent() {
        let mut client = Client::default();
        let deliveries = [
            news(500..=500, None),
            news(900..=903, Some(500)),
            news(904..=904, None),
        ];
        for news in &deliveries {
            assert_eq!(client.deliver(news, LIMITS), Delivery::Send);
        }
    }
}
