//! A recording watched over a recorded network, segment by segment.
//!
//! A segment can be played when it is in whole; one request is under way at a time; nothing is
//! asked for while the buffer is full. Start-up is counted apart from stalls.

use weir_player_wasm::abr::Params;

use super::{
    movie::Movie,
    rules::{Progress, Rule, Transfer, View},
    score::Score,
    trace::Trace,
};

/// How often a rule may give something up, in s.
const LOOK_S: f64 = 0.1;
/// Virtual time after which a session that does not get on is ended, in s.
const LONGEST_S: f64 = 3.0 * 3600.0;

/// One moment of a session, for charts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at_s: f64,
    pub(crate) kbit: f64,
    /// What is buffered; live the latency.
    pub(crate) seconds: f64,
}

/// How far ahead of the playhead media is fetched, for everyone alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    pub(crate) least_s: f64,
    /// As long as it is no more than `bits`.
    pub(crate) most_s: f64,
    pub(crate) bits: f64,
}

impl Buffer {
    /// What the player does.
    pub(crate) const PLAYER: Self = Self {
        least_s: Params::CHOSEN.forward_s,
        most_s: Params::CHOSEN.forward_most_s,
        bits: Params::CHOSEN.forward_bits,
    };

    /// So many seconds, whatever they weigh.
    pub(crate) fn fixed(seconds: u32) -> Self {
        let seconds = f64::from(seconds);
        Self {
            least_s: seconds,
            most_s: seconds,
            bits: f64::INFINITY,
        }
    }
}

struct Session<'a> {
    trace: &'a Trace,
    movie: &'a Movie,
    buffer: Buffer,
    now_s: f64,
    buffer_s: f64,
    started: bool,
    stalled: bool,
    last: usize,
    score: Score,
}

/// Watches a movie from its beginning to its end.
pub(crate) fn watch(
    rule: &mut dyn Rule,
    trace: &Trace,
    movie: &Movie,
    buffer: Buffer,
    mut moments: Option<&mut Vec<Moment>>,
) -> Score {
    let mut session = Session {
        trace,
        movie,
        buffer,
        now_s: 0.0,
        buffer_s: 0.0,
        started: false,
        stalled: false,
        last: 0,
        score: Score {
            sessions: 1.0,
            ..Score::default()
        },
    };
    for segment in 0..movie.sizes.len() {
        if session.now_s > LONGEST_S {
            break;
        }
        let full_s = session.buffer_s + movie.segment_s - session.capacity_s();
        if full_s > 0.0 {
            session.play_on(rule, full_s);
        }
        let view = session.view(segment);
        let wanted = match segment {
            0 => rule.begin(&view),
            _ => rule.choose(&view),
        };
        let rung = session.fetch(rule, segment, wanted);
        session.arrived(segment, rung);
        if let Some(moments) = moments.as_deref_mut() {
            moments.push(Moment {
                at_s: session.now_s,
                kbit: movie.ladder[rung] / 1000.0,
                seconds: session.buffer_s,
            });
        }
    }
    session.score
}

impl<'a> Session<'a> {
    fn view(&self, segment: usize) -> View<'a> {
        View {
            now_s: self.now_s,
            ladder: &self.movie.ladder,
            sizes: &self.movie.sizes[segment..],
            last: self.last,
            buffer_s: self.buffer_s,
            capacity_s: self.capacity_s(),
            segment_s: self.movie.segment_s,
            rate: 1.0,
            live: None,
        }
    }

    fn capacity_s(&self) -> f64 {
        let affordable_s = self.buffer.bits / self.movie.ladder[self.last];
        let least_s = self.buffer.least_s.max(self.movie.segment_s);
        affordable_s.min(self.buffer.most_s).max(least_s)
    }

    /// Lets time go by.
    fn play_on(&mut self, rule: &mut dyn Rule, seconds: f64) {
        self.now_s += seconds;
        if !self.started {
            self.score.startup_s += seconds;
            return;
        }
        let missing_s = seconds - self.buffer_s;
        self.buffer_s = (self.buffer_s - seconds).max(0.0);
        if missing_s > 1e-9 {
            self.score.stall_s += missing_s;
            self.score.stall_penalty +=
                missing_s * self.movie.ladder[self.movie.ladder.len() - 1] / 1e6;
            if !self.stalled {
                self.stalled = true;
                self.score.stalls += 1.0;
                rule.stalled(self.now_s);
            }
        }
    }

    /// Fetches a segment, and says from which rung it came in the end.
    fn fetch(&mut self, rule: &mut dyn Rule, segment: usize, wanted: usize) -> usize {
        let mut rung = wanted.min(self.movie.ladder.len() - 1);
        loop {
            let total = self.movie.sizes[segment][rung];
            let sent_s = self.now_s;
            let first_s = sent_s + self.trace.latency_s(sent_s);
            let through_s = self.trace.through(first_s, total);
            let before = self.trace.bits_by(first_s);
            let mut instead = None;
            while self.now_s < through_s {
                self.play_on(rule, LOOK_S.min(through_s - self.now_s));
                if self.now_s >= through_s {
                    break;
                }
                let bits = match self.now_s - first_s {
                    body_s if body_s > 0.0 => (self.trace.bits_by(self.now_s) - before).min(total),
                    _ => 0.0,
                };
                let progress = Progress {
                    rung,
                    since_s: self.now_s - sent_s,
                    wait_s: (bits > 0.0).then_some(first_s - sent_s),
                    bits,
                    total,
                    left: total - bits,
                    media_s: self.movie.segment_s,
                };
                let view = View {
                    last: rung,
                    ..self.view(segment)
                };
                instead = rule.abandon(&view, &progress).filter(|other| *other < rung);
                if let Some(other) = instead {
                    self.account(rule, bits, first_s - sent_s, self.now_s - first_s);
                    self.score.wasted_bits += bits;
                    rung = other;
                    break;
                }
            }
            if instead.is_none() {
                self.account(rule, total, first_s - sent_s, through_s - first_s);
                return rung;
            }
        }
    }

    fn account(&mut self, rule: &mut dyn Rule, bits: f64, wait_s: f64, body_s: f64) {
        self.score.bits += bits;
        if bits > 0.0 {
            rule.fetched(&Transfer {
                now_s: self.now_s,
                bits,
                wait_s,
                body_s,
                live_s: None,
            });
        }
    }

    fn arrived(&mut self, segment: usize, rung: usize) {
        let ladder = &self.movie.ladder;
        self.buffer_s += self.movie.segment_s;
        (self.started, self.stalled) = (true, false);
        self.score.segments += 1.0;
        self.score.media_s += self.movie.segment_s;
        self.score.quality += ladder[rung] / 1e6;
        if segment > 0 && rung != self.last {
            self.score.switches += 1.0;
            self.score.steps += (ladder[rung] - ladder[self.last]).abs() / 1e6;
        }
        self.last = rung;
    }
}
