//! The live edge watched over a recorded network, part by part.
//!
//! Parts are asked for before they exist and sent when they are complete; a rendition is entered at
//! the beginning of a segment, which is fetched again if what is under way is given up. Everybody
//! plays with the player's own latency control, so that what differs is the rule alone.

use weir_player_wasm::latency::{Adjustment, LatencyControl, Standing};

use super::{
    movie::Movie,
    recording::Moment,
    rules::{Progress, Rule, Transfer, View},
    score::Score,
    trace::Trace,
};

/// Length that parts have, about, in s.
const PART_S: f64 = 1.0 / 3.0;
/// Hold back in parts.
const HOLD_BACK: f64 = 3.0;
/// How long after its last frame a part can be sent, in s.
const MADE_S: f64 = 0.05;
/// What of the broadcast has been when a viewer comes, in s.
const BEFORE_S: f64 = 60.0;
/// How often the media element is looked at and a rule may give something up, in s.
const STEP_S: f64 = 0.05;
const STEER_S: f64 = 0.25;
/// Playback goes on after a stall with this much, in parts.
const RESUME: f64 = 1.0;

struct Session<'a> {
    trace: &'a Trace,
    movie: &'a Movie,
    part_s: f64,
    now_s: f64,
    /// Media times: of the playhead, and up to where there is something to play.
    playhead_s: f64,
    end_s: f64,
    playing: bool,
    started: bool,
    rate: f64,
    steered_s: f64,
    control: LatencyControl,
    last: usize,
    score: Score,
    /// Latency and rate of this segment, summed over its time: seconds, latency, rate's distance.
    segment: (f64, f64, f64),
}

/// Watches a broadcast for a while.
pub(crate) fn watch(
    rule: &mut dyn Rule,
    trace: &Trace,
    movie: &Movie,
    length_s: f64,
    mut moments: Option<&mut Vec<Moment>>,
) -> Score {
    let parts = (movie.segment_s / PART_S).round().max(1.0);
    let mut session = Session {
        trace,
        movie,
        part_s: movie.segment_s / parts,
        now_s: 0.0,
        playhead_s: 0.0,
        end_s: 0.0,
        playing: false,
        started: false,
        rate: 1.0,
        steered_s: 0.0,
        control: LatencyControl::default(),
        last: 0,
        score: Score {
            sessions: 1.0,
            ..Score::default()
        },
        segment: (0.0, 0.0, 0.0),
    };
    let mut segment = session.enter();
    let mut rung = rule.begin(&session.view(segment));
    while session.now_s < length_s {
        let outcome = session.fetch(rule, segment, rung);
        match outcome {
            Outcome::Whole => {
                session.arrived(segment, rung);
                segment += 1;
                if let Some(moments) = moments.as_deref_mut() {
                    moments.push(Moment {
                        at_s: session.now_s,
                        kbit: movie.ladder[rung] / 1000.0,
                        seconds: session.latency_s(),
                    });
                }
                rung = rule
                    .choose(&session.view(segment))
                    .min(movie.ladder.len() - 1);
            }
            Outcome::Instead(other) => rung = other,
            Outcome::Left => segment = session.enter(),
        }
    }
    session.score
}

enum Outcome {
    /// All parts are in.
    Whole,
    /// Given up for another rung.
    Instead(usize),
    /// Playback went elsewhere.
    Left,
}

impl<'a> Session<'a> {
    /// The media time at the live edge.
    fn edge_s(&self) -> f64 {
        let made_s = self.now_s + BEFORE_S - MADE_S;
        (made_s / self.part_s).floor() * self.part_s
    }

    fn latency_s(&self) -> f64 {
        self.now_s + BEFORE_S - self.playhead_s
    }

    fn buffer_s(&self) -> f64 {
        (self.end_s - self.playhead_s).max(0.0)
    }

    fn ms(&self) -> u64 {
        (self.now_s * 1000.0) as u64
    }

    fn distance_s(&self) -> f64 {
        let (part_ms, hold_back_ms) = self.pace_ms();
        self.control.distance_ms(self.ms(), part_ms, hold_back_ms) / 1000.0
    }

    fn target_s(&self) -> f64 {
        let (part_ms, hold_back_ms) = self.pace_ms();
        self.control.target_ms(self.ms(), part_ms, hold_back_ms) / 1000.0
    }

    fn pace_ms(&self) -> (f64, f64) {
        let part_ms = self.part_s * 1000.0;
        (part_ms, HOLD_BACK * part_ms)
    }

    /// Goes to the live edge, and says with which segment to begin.
    fn enter(&mut self) -> usize {
        self.playhead_s = self.edge_s() - self.distance_s();
        let segment = (self.playhead_s / self.movie.segment_s).floor();
        self.end_s = segment * self.movie.segment_s;
        self.playing = false;
        segment as usize
    }

    fn sizes(&self, segment: usize) -> &'a [Vec<f64>] {
        &self.movie.sizes[segment % self.movie.sizes.len()..]
    }

    fn view(&self, segment: usize) -> View<'a> {
        let target_s = self.target_s();
        View {
            now_s: self.now_s,
            ladder: &self.movie.ladder,
            sizes: self.sizes(segment),
            last: self.last,
            buffer_s: self.buffer_s(),
            capacity_s: target_s,
            segment_s: self.movie.segment_s,
            rate: self.rate,
            live: Some((self.latency_s(), target_s)),
        }
    }

    /// Lets time go by; says whether playback is still where it was.
    fn play_on(&mut self, rule: &mut dyn Rule, seconds: f64) -> bool {
        self.now_s += seconds;
        let enough_s = if self.playing {
            1e-6
        } else {
            RESUME * self.part_s
        };
        if self.buffer_s() < enough_s {
            self.wait(rule, seconds);
        } else {
            if !self.started {
                // Nobody sees a seek before the first frame.
                let latest_s = (self.edge_s() - self.distance_s()).min(self.end_s - self.part_s);
                self.playhead_s = self.playhead_s.max(latest_s);
            }
            (self.started, self.playing) = (true, true);
            let played_s = (seconds * self.rate).min(self.buffer_s());
            self.playhead_s += played_s;
        }
        if self.started {
            let latency_s = self.latency_s();
            self.score.media_s += seconds;
            self.score.latency_s2 += latency_s * seconds;
            self.score.target_s2 += self.target_s() * seconds;
            let (all_s, latency, rate) = self.segment;
            let off = (self.rate - 1.0).abs();
            self.segment = (
                all_s + seconds,
                latency + latency_s * seconds,
                rate + off * seconds,
            );
        }
        self.now_s < self.steered_s + STEER_S || self.steer()
    }

    fn wait(&mut self, rule: &mut dyn Rule, seconds: f64) {
        if !self.started {
            self.score.startup_s += seconds;
            return;
        }
        self.score.stall_s += seconds;
        self.score.stall_penalty += seconds * self.top();
        if self.playing {
            self.playing = false;
            self.score.stalls += 1.0;
            rule.stalled(self.now_s);
            self.control.stalled(self.ms());
        }
    }

    fn top(&self) -> f64 {
        self.movie.ladder[self.movie.ladder.len() - 1] / 1e6
    }

    fn steer(&mut self) -> bool {
        self.steered_s = self.now_s;
        if !self.started {
            return true;
        }
        let (part_ms, hold_back_ms) = self.pace_ms();
        let standing = Standing {
            latency_ms: self.latency_s() * 1000.0,
            buffer_ms: self.buffer_s() * 1000.0,
            part_ms,
            hold_back_ms,
        };
        match self.control.steer(self.ms(), standing) {
            Adjustment::Rate(rate) => self.rate = rate,
            Adjustment::Seek => {
                self.rate = 1.0;
                let to_s = self.edge_s() - self.distance_s();
                if to_s < self.end_s - self.part_s {
                    self.playhead_s = self.playhead_s.max(to_s);
                } else if to_s > self.end_s + self.movie.segment_s {
                    return false;
                }
            }
        }
        true
    }

    /// Fetches the parts of a segment.
    fn fetch(&mut self, rule: &mut dyn Rule, segment: usize, rung: usize) -> Outcome {
        let parts = (self.movie.segment_s / self.part_s).round();
        let part_bits = self.sizes(segment)[0][rung] / parts;
        // Entering a rendition takes a round trip; from then on requests are ahead of the parts.
        let mut first_s = self.now_s + self.trace.latency_s(self.now_s);
        for part in 0..parts as usize {
            let begin_s = segment as f64 * self.movie.segment_s + part as f64 * self.part_s;
            let made_s = begin_s + self.part_s + MADE_S - BEFORE_S;
            let sent_s = self.now_s;
            let hinted = made_s > sent_s;
            first_s = first_s
                .max(made_s + self.trace.latency_s(sent_s) / 2.0)
                .max(sent_s);
            let through_s = self.trace.through(first_s, part_bits);
            let before = self.trace.bits_by(first_s);
            while self.now_s < through_s {
                let step_s = STEP_S.min(through_s - self.now_s);
                if !self.play_on(rule, step_s) {
                    return Outcome::Left;
                }
                if self.now_s >= through_s || self.now_s <= made_s {
                    continue;
                }
                let bits = match self.now_s > first_s {
                    true => (self.trace.bits_by(self.now_s) - before).min(part_bits),
                    false => 0.0,
                };
                let since_s = self.now_s - made_s.max(sent_s);
                let progress = Progress {
                    rung,
                    since_s,
                    wait_s: (bits > 0.0).then_some(since_s - (self.now_s - first_s)),
                    bits,
                    total: part_bits,
                    left: part_bits * (parts - part as f64) - bits,
                    media_s: self.part_s,
                };
                let view = View {
                    last: rung,
                    ..self.view(segment)
                };
                let instead = rule.abandon(&view, &progress).filter(|other| *other < rung);
                if let Some(other) = instead {
                    self.account(rule, bits, self.now_s - first_s, None);
                    self.score.wasted_bits += bits + part_bits * part as f64;
                    return Outcome::Instead(other);
                }
            }
            self.account(
                rule,
                part_bits,
                through_s - first_s,
                hinted.then_some(self.part_s),
            );
            self.end_s = self.end_s.max(begin_s + self.part_s);
            if hinted {
                let lag_s = self.now_s + BEFORE_S - (begin_s + self.part_s);
                self.control.arrived(self.ms(), lag_s * 1000.0);
            }
            first_s = through_s;
        }
        Outcome::Whole
    }

    fn account(&mut self, rule: &mut dyn Rule, bits: f64, body_s: f64, live_s: Option<f64>) {
        self.score.bits += bits;
        if bits > 0.0 {
            rule.fetched(&Transfer {
                now_s: self.now_s,
                bits,
                wait_s: 0.0,
                body_s,
                live_s,
            });
        }
    }

    /// A segment is in. Latency and rate cost what dash.js's LoL+ takes them to cost.
    fn arrived(&mut self, segment: usize, rung: usize) {
        let ladder = &self.movie.ladder;
        let (lowest, top) = (ladder[0] / 1e6, self.top());
        let (all_s, latency, rate) = std::mem::take(&mut self.segment);
        let latency_s = latency / all_s.max(1e-9);
        let meant_s = HOLD_BACK * self.part_s + MADE_S;
        let weight = if latency_s <= 1.1 * meant_s {
            0.05 * lowest
        } else {
            0.1 * top
        };
        self.score.live_penalty += weight * latency_s + lowest * rate / all_s.max(1e-9);
        self.score.segments += 1.0;
        self.score.quality += ladder[rung] / 1e6;
        if rung != self.last && segment > 0 {
            self.score.switches += f64::from(self.score.segments > 1.0);
            if self.score.segments > 1.0 {
                self.score.steps += (ladder[rung] - ladder[self.last]).abs() / 1e6;
            }
        }
        self.last = rung;
    }
}
