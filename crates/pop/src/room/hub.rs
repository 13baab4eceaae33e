//! One room as this PoP has it: what came from the origin, and what clients are sent of it. Pure: it
//! takes frames and `now`, and says when it wants to be called again.
//!
//! What is sent goes into one list of frames that all clients read, each from its own [`Seat`]: a
//! frame is written once, a thousand clients cost a thousand positions in the list, and a client that
//! falls out of its bounded end is slow. Which messages a client lacks follows from their numbers
//! alone, so that a hole is told whatever made it: a slow origin, a lost connection, a slow client.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use tokio_tungstenite::tungstenite::Utf8Bytes;
use weir_model::{
    api::Comment,
    room::{Frame, MAX_BATCH, Notice, REPORT_EVERY, Reaction, messages_frame},
};

/// Bounds of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Frames go out together, at most once in this time; the first after a pause goes at once.
    pub(super) window: Duration,
    /// Most messages kept for clients that come or come back.
    pub(super) messages: usize,
    /// Most bytes of them.
    pub(super) message_bytes: usize,
    /// Most bytes of frames that a client may be behind. One frame may exceed them.
    pub(super) behind_bytes: usize,
    /// A room without clients is given up after this time.
    pub(super) linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: Duration::from_millis(60),
            messages: 200,
            message_bytes: 128 * 1024,
            behind_bytes: 256 * 1024,
            linger: Duration::from_secs(10),
        }
    }
}

/// The origin is told of another number of viewers at most once in this time.
const REPORT_PAUSE: Duration = Duration::from_secs(1);

/// The place of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// Which frame it reads next.
    next: u64,
    /// Number of the newest message that it has, or was told to be missing.
    has: Option<u64>,
    /// Whether it was sent `hello`.
    greeted: bool,
}

/// What a client is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send this.
    Send(Utf8Bytes),
    /// Wait until the room's [head](Hub::head) moves.
    Wait,
    /// It was too slow: send this marker, if it still can be, and close.
    Behind(Utf8Bytes),
}

/// One room.
#[derive(Debug)]
pub(super) struct Hub {
    limits: Limits,
    /// The newest messages, without holes.
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// Number of the newest of them, or of the last before a window that has yet to begin.
    last: Option<u64>,
    /// Number of the newest message when the origin greeted.
    greeted: Option<u64>,
    /// Frames of the last moments.
    sent: VecDeque<Sent>,
    sent_bytes: usize,
    /// Number of the next frame.
    head: u64,
    pending: Pending,
    flushed: Option<Instant>,
    notice: Option<Notice>,
    /// How many watch, as the origin knows.
    viewers: u64,
    /// How many clients are here.
    here: u64,
    reported: Option<(u64, Instant)>,
    empty_since: Instant,
}

#[derive(Debug)]
struct Kept {
    seq: u64,
    /// The comment in JSON.
    text: Box<str>,
}

#[derive(Debug)]
struct Sent {
    frame: Utf8Bytes,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// Everyone gets it.
    News,
    /// Messages, with the numbers of the first and the last.
    Messages { first: u64, last: u64 },
    /// `hello`: for those that had none, and for those whose numbers are of a former life.
    Hello { seq: u64 },
}

/// What waits for the next frames.
#[derive(Debug, Default)]
struct Pending {
    /// Numbers of the first and the last of [`Hub::kept`] that have yet to be sent.
    messages: Option<(u64, u64)>,
    reactions: BTreeMap<Reaction, u32>,
    notice: Option<Notice>,
    viewers: bool,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.messages.is_none()
            && self.reactions.is_empty()
            && self.notice.is_none()
            && !self.viewers
    }
}

impl Hub {
    /// A room of which nothing is known yet.
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            kept: VecDeque::new(),
            kept_bytes: 0,
            last: None,
            greeted: None,
            sent: VecDeque::new(),
            sent_bytes: 0,
            head: 0,
            pending: Pending::default(),
            flushed: None,
            notice: None,
            viewers: 0,
            here: 0,
            reported: None,
            empty_since: now,
        }
    }

    /// A client comes that has everything up to `after`. It is sent these frames first.
    pub(super) fn join(&mut self, after: Option<u64>) -> (Seat, Vec<Utf8Bytes>) {
        self.here += 1;
        let mut seat = Seat {
            next: self.head,
            has: after,
            greeted: false,
        };
        let Some(newest) = self.last.or(self.greeted) else {
            // The origin's own greeting will be passed on.
            return (seat, Vec::new());
        };
        seat.greeted = true;
        let mut frames = vec![frame(&self.hello(newest))];
        frames.extend(self.notice.map(|notice| frame(&Frame::Notice { notice })));
        let Some(last) = self.last else {
            return (seat, frames);
        };
        let from = match after {
            Some(after) => after.saturating_add(1),
            None => self.kept.front().map_or(last + 1, |kept| kept.seq),
        };
        if from <= last {
            let first = self.kept.front().map_or(last + 1, |kept| kept.seq);
            if first > from {
                frames.push(frame(&Frame::Hole { after: from - 1 }));
            }
            frames.extend(self.batches(first.max(from), last));
        }
        seat.has = Some(after.map_or(last, |after| after.max(last)));
        (seat, frames)
    }

    /// A client has gone.
    pub(super) fn leave(&mut self, now: Instant) {
        self.here = self.here.saturating_sub(1);
        if self.here == 0 {
            self.empty_since = now;
        }
    }

    /// What the client at `seat` is to do. To be called until it is to wait.
    pub(super) fn next(&mut self, seat: &mut Seat) -> Next {
        loop {
            let oldest = self.head - self.sent.len() as u64;
            let Some(ahead) = seat.next.checked_sub(oldest) else {
                let after = seat.has.unwrap_or(0);
                return Next::Behind(frame(&Frame::Hole { after }));
            };
            let Some(sent) = usize::try_from(ahead)
                .ok()
                .and_then(|ahead| self.sent.get(ahead))
            else {
                return Next::Wait;
            };
            seat.next += 1;
            match sent.what {
                What::News if !seat.greeted => {}
                What::News => return Next::Send(sent.frame.clone()),
                What::Hello { seq } => {
                    let of_former_life = seat.has.is_some_and(|has| has > seq);
                    if of_former_life && seat.greeted {
                        seat.has = Some(seq);
                    }
                    if of_former_life || !seat.greeted {
                        seat.greeted = true;
                        return Next::Send(sent.frame.clone());
                    }
                }
                What::Messages { first, last } => {
                    let (frame, has) = match seat.has {
                        Some(has) if has >= last => continue,
                        Some(has) if has + 1 < first => {
                            // The marker goes first, the messages at the next call.
                            seat.next -= 1;
                            (frame(&Frame::Hole { after: has }), first - 1)
                        }
                        Some(has) if has >= first => match self.rest(has + 1, last) {
                            Ok(rest) => (rest, last),
                            Err(kept_from) => {
                                seat.next -= 1;
                                (frame(&Frame::Hole { after: has }), kept_from - 1)
                            }
                        },
                        _ => (sent.frame.clone(), last),
                    };
                    seat.has = Some(has);
                    return Next::Send(frame);
                }
            }
        }
    }

    /// A frame of the origin.
    pub(super) fn handle_frame(&mut self, now: Instant, frame: Frame) {
        match frame {
            Frame::Hello { seq, viewers } => self.greet(seq, viewers),
            Frame::Messages { messages } => {
                for message in messages {
                    self.accept(message);
                }
            }
            // The numbers tell.
            Frame::Hole { .. } => {}
            Frame::Reactions { counts } => {
                for (kind, count) in counts {
                    let sum = self.pending.reactions.entry(kind).or_default();
                    *sum = sum.saturating_add(count);
                }
            }
            Frame::Notice { notice } => {
                if self.notice.replace(notice) != Some(notice) {
                    self.pending.notice = Some(notice);
                }
            }
            Frame::Viewers { viewers } => {
                self.pending.viewers |= self.viewers != viewers;
                self.viewers = viewers;
            }
        }
        self.handle_timeout(now);
    }

    /// Time has passed: sends what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout(now).is_some_and(|at| at <= now) {
            self.flush();
            self.flushed = Some(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing happens before.
    pub(super) fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let due = |flushed| flushed + self.limits.window;
        (!self.pending.is_empty()).then(|| self.flushed.map_or(now, due))
    }

    /// When a room without clients is to be given up.
    pub(super) fn gives_up_at(&self) -> Option<Instant> {
        (self.here == 0).then(|| self.empty_since + self.limits.linger)
    }

    /// Number of the next frame: when it moves, clients have something to read.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// The connection to the origin stands anew: what to ask it for, and the number of viewers will
    /// be reported at once.
    pub(super) fn subscribe(&mut self) -> Option<u64> {
        self.reported = None;
        self.last
    }

    /// How many viewers to tell the origin, if it is time. To be called every second.
    pub(super) fn report(&mut self, now: Instant) -> Option<u64> {
        let due = self.reported.is_none_or(|(viewers, at)| {
            let pause = match viewers == self.here {
                true => REPORT_EVERY.saturating_sub(REPORT_PAUSE),
                false => REPORT_PAUSE,
            };
            now.saturating_duration_since(at) >= pause
        });
        due.then(|| {
            self.reported = Some((self.here, now));
            self.here
        })
    }

    fn hello(&self, seq: u64) -> Frame {
        Frame::Hello {
            seq,
            viewers: self.viewers,
        }
    }

    fn greet(&mut self, seq: u64, viewers: u64) {
        self.pending.viewers |= self.last.is_some() && self.viewers != viewers;
        self.viewers = viewers;
        self.greeted = Some(seq);
        match self.last {
            Some(last) if last <= seq => return,
            // The origin has lost messages: the numbers begin anew.
            Some(_) => self.forget(seq),
            // What comes next says where the window begins.
            None if seq > 0 => {}
            None => self.last = Some(0),
        }
        let hello = frame(&self.hello(seq));
        self.put(hello, What::Hello { seq });
    }

    fn accept(&mut self, message: Comment) {
        let seq = message.seq;
        match self.last {
            Some(last) if seq <= last => return,
            Some(last) if seq > last + 1 => {
                // The window has no holes within.
                self.flush_messages();
                self.forget(seq - 1);
            }
            _ => {}
        }
        let Ok(text) = serde_json::to_string(&message) else {
            return;
        };
        self.last = Some(seq);
        self.kept_bytes += text.len();
        let text = text.into_boxed_str();
        self.kept.push_back(Kept { seq, text });
        let first = self.pending.messages.map_or(seq, |(first, _)| first);
        self.pending.messages = Some((first, seq));
        if seq - first + 1 >= MAX_BATCH as u64 {
            self.flush_messages();
        }
        while self.kept.len() > self.limits.messages || self.kept_bytes > self.limits.message_bytes
        {
            // What is to be sent is sent before it is dropped.
            let oldest = self.kept.front().map(|kept| kept.seq);
            if self
                .pending
                .messages
                .is_some_and(|(first, _)| Some(first) == oldest)
            {
                self.flush_messages();
            }
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes -= oldest.text.len();
        }
    }

    fn forget(&mut self, last: u64) {
        self.kept.clear();
        self.kept_bytes = 0;
        self.pending.messages = None;
        self.last = Some(last);
    }

    fn flush(&mut self) {
        self.flush_messages();
        let pending = std::mem::take(&mut self.pending);
        if !pending.reactions.is_empty() {
            let counts = pending.reactions;
            self.put(frame(&Frame::Reactions { counts }), What::News);
        }
        if let Some(notice) = pending.notice {
            self.put(frame(&Frame::Notice { notice }), What::News);
        }
        if pending.viewers {
            let viewers = self.viewers;
            self.put(frame(&Frame::Viewers { viewers }), What::News);
        }
    }

    fn flush_messages(&mut self) {
        if let Some((first, last)) = self.pending.messages.take() {
            // At most one batch waits at any time, and it is kept.
            if let Some(batch) = self.batches(first, last).pop() {
                self.put(batch, What::Messages { first, last });
            }
        }
    }

    /// The end of a batch, from `from` on; or from where on it is kept.
    fn rest(&self, from: u64, last: u64) -> Result<Utf8Bytes, u64> {
        match self.kept.front() {
            Some(kept) if kept.seq <= from => self.batches(from, last).pop().ok_or(last + 1),
            Some(kept) => Err(kept.seq.min(last + 1)),
            None => Err(last + 1),
        }
    }

    /// The kept messages of these numbers, in frames.
    fn batches(&self, first: u64, last: u64) -> Vec<Utf8Bytes> {
        let texts: Vec<&str> = self
            .kept
            .iter()
            .filter(|kept| (first..=last).contains(&kept.seq))
            .map(|kept| &*kept.text)
            .collect();
        texts
            .chunks(MAX_BATCH)
            .map(|batch| messages_frame(batch.iter().copied()).into())
            .collect()
    }

    fn put(&mut self, frame: Utf8Bytes, what: What) {
        self.sent_bytes += frame.len();
        self.sent.push_back(Sent { frame, what });
        self.head += 1;
        while self.sent_bytes > self.limits.behind_bytes && self.sent.len() > 1 {
            let Some(oldest) = self.sent.pop_front() else {
                break;
            };
            self.sent_bytes -= oldest.frame.len();
        }
    }
}

fn frame(frame: &Frame) -> Utf8Bytes {
    // What has only names and numbers in it can be written.
    serde_json::to_string(frame).unwrap_or_default().into()
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
