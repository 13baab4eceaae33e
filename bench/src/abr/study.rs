//! Every rule on every trace.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use weir_player_wasm::abr::Params;

use super::{
    live,
    movie::Movie,
    recording::{self, Buffer, Moment},
    report,
    rules::Kind,
    score::Score,
    trace::Trace,
};

/// Bounds of a live session's length, in s; within them it is the trace's.
const LIVE_S: (f64, f64) = (120.0, 600.0);

/// What is watched, and over what.
pub(crate) struct Study {
    pub(crate) traces: Vec<Trace>,
    pub(crate) movies: Vec<Movie>,
    pub(crate) broadcast: Movie,
    pub(crate) buffer: Buffer,
    /// Whether nothing was chosen on any of the traces.
    pub(crate) all: bool,
}

/// What one viewer watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// One of the movies.
    Movie(usize),
    /// The broadcast, live.
    Live,
}

/// One viewer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) show: Show,
    pub(crate) trace: usize,
    pub(crate) rule: Kind,
    pub(crate) score: Score,
}

/// Scores by family and rule.
pub(crate) type Families<'a> = BTreeMap<&'a str, Vec<Score>>;

impl Study {
    /// What there is to watch.
    pub(crate) fn shows(&self) -> Vec<Show> {
        let movies = (0..self.movies.len()).map(Show::Movie);
        movies.chain([Show::Live]).collect()
    }

    pub(crate) fn name(&self, show: Show) -> &str {
        match show {
            Show::Movie(movie) => &self.movies[movie].name,
            Show::Live => "live",
        }
    }

    /// Whether parameters were chosen without a look at this trace: every second one of a family, in
    /// the order of names.
    pub(crate) fn held_out(&self, trace: usize) -> bool {
        let family = &self.traces[trace].family;
        let before = self.traces[..trace].iter().filter(|t| t.family == *family);
        self.all || before.count() % 2 == 1
    }

    /// One viewer's session, with its moments if they are asked for.
    pub(crate) fn watch(
        &self,
        show: Show,
        trace: usize,
        rule: Kind,
        moments: Option<&mut Vec<Moment>>,
    ) -> Score {
        let trace = &self.traces[trace];
        let mut chooser = rule.make(&Params::CHOSEN);
        match show {
            Show::Movie(movie) => {
                let movie = &self.movies[movie];
                recording::watch(&mut *chooser, trace, movie, self.buffer, moments)
            }
            Show::Live => {
                let length_s = trace.length_s().clamp(LIVE_S.0, LIVE_S.1);
                live::watch(&mut *chooser, trace, &self.broadcast, length_s, moments)
            }
        }
    }

    /// Everyone watches everything. In the same order however many threads there are.
    pub(crate) fn run(&self) -> Vec<Session> {
        let shows = self.shows();
        let total = shows.len() * self.traces.len();
        let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= total {
                    return;
                }
                let (show, trace) = (shows[at / self.traces.len()], at % self.traces.len());
                let sessions = Kind::ALL.map(|rule| Session {
                    show,
                    trace,
                    rule,
                    score: self.watch(show, trace, rule, None),
                });
                let mut done = done
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                done.insert(at, sessions);
                report::progress(done.len(), total);
            }
        };
        thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(2, |n| n.get());
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        let done = done
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        done.into_values().flatten().collect()
    }

    /// The sums of a half of the sessions, by family and rule in the order of [`Kind::ALL`].
    pub(crate) fn families(
        &self,
        sessions: &[Session],
        show: Show,
        held_out: bool,
    ) -> Families<'_> {
        let mut families = Families::new();
        let held: Vec<bool> = (0..self.traces.len()).map(|t| self.held_out(t)).collect();
        let of_half = |s: &&Session| s.show == show && held[s.trace] == held_out;
        for session in sessions.iter().filter(of_half) {
            let family = families
                .entry(&*self.traces[session.trace].family)
                .or_insert_with(|| vec![Score::default(); Kind::ALL.len()]);
            let rule = Kind::ALL.iter().position(|rule| *rule == session.rule);
            family[rule.unwrap_or(0)].add(&session.score);
        }
        families
    }
}
