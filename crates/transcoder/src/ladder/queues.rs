//! What waits between the threads of a ladder, bounded in milliseconds of media.
//!
//! Coded units wait for the decoder, pictures wait for each rung. A rung whose queue is full holds
//! the decoder up, a decoder that is held up makes units wait, and when they wait for too long
//! [`Overload`] leaves out a rung. The reader thus never waits for long on a live source.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use weir_media::{
    codec::FrameRate,
    unit::{TIMESCALE, Timestamp, TrackConfig, Unit},
};

use crate::{
    av::Picture,
    overload::{Behind, Overload},
};

/// Coded media that may wait for the decoder, in ticks: 2 s.
const UNITS: i64 = 2 * TIMESCALE as i64;
/// The same in bytes.
const UNIT_BYTES: usize = 32 << 20;
/// Decoded media that may wait for a rung, in ticks: 400 ms. They are large.
const PICTURES: i64 = 2 * TIMESCALE as i64 / 5;
/// The same in pictures.
const MOST_PICTURES: usize = 32;
/// So many may always wait, however far apart they are.
const LEAST: usize = 2;
/// How often a reader that waits looks how far behind the ladder is.
const LOOK: Duration = Duration::from_millis(100);

/// For the decoder, in order.
pub(super) enum Input {
    Config(TrackConfig),
    /// A unit, and whether a segment begins with it.
    Unit(Unit, bool),
}

/// A picture for the rungs.
pub(super) struct Decoded {
    pub(super) picture: Picture,
    pub(super) pts: Timestamp,
    pub(super) idr: bool,
    /// What the source says of its rate, or what was measured at its start.
    pub(super) frame_rate: FrameRate,
}

/// For a rung.
pub(super) enum Work {
    Picture {
        decoded: Arc<Decoded>,
        /// The rung was left out until this picture.
        returns: bool,
    },
    /// The rung is left out from this time on.
    Shed(Timestamp),
    /// Nothing follows.
    End,
}

/// When something came, and with which decode time.
#[derive(Clone, Copy)]
struct Stamp {
    at: Duration,
    dts: Timestamp,
}

struct State {
    units: VecDeque<(Input, Stamp)>,
    unit_bytes: usize,
    newest: Timestamp,
    /// What the decoder has in hand.
    decoding: Option<Stamp>,
    lanes: Vec<Lane>,
    overload: Option<Overload>,
    /// No input follows.
    closed: bool,
    /// No picture follows.
    decoded: bool,
    /// Nobody takes what is made.
    abandoned: bool,
}

/// The way to one rung.
struct Lane {
    made: Made,
    pictures: VecDeque<(Arc<Decoded>, Stamp)>,
    /// What the rung has in hand.
    encoding: Option<Stamp>,
    /// What the rung is to be told before the next picture.
    shed_at: Option<Timestamp>,
    returns: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Made {
    Yes,
    No,
    /// From the first IDR picture at this time or later.
    From(Timestamp),
}

/// The queues of one ladder.
pub(super) struct Queues {
    began: Instant,
    state: Mutex<State>,
    /// For the decoder: there is input.
    input: Condvar,
    /// For the reader and the decoder: there is room.
    room: Condvar,
    /// For each rung: there is work.
    work: Vec<Condvar>,
}

impl Queues {
    /// For a ladder of `rungs` rungs, which keeps up with the clock if it is live.
    pub(super) fn new(rungs: usize, live: bool) -> Self {
        let lane = || Lane {
            made: Made::Yes,
            pictures: VecDeque::new(),
            encoding: None,
            shed_at: None,
            returns: false,
        };
        Self {
            began: Instant::now(),
            state: Mutex::new(State {
                units: VecDeque::new(),
                unit_bytes: 0,
                newest: Timestamp::default(),
                decoding: None,
                lanes: (0..rungs).map(|_| lane()).collect(),
                overload: live.then(|| Overload::new(rungs)),
                closed: false,
                decoded: false,
                abandoned: false,
            }),
            input: Condvar::new(),
            room: Condvar::new(),
            work: (0..rungs).map(|_| Condvar::new()).collect(),
        }
    }

    /// The reader brings a configuration.
    pub(super) fn put_config(&self, config: TrackConfig) {
        let mut state = self.lock();
        let stamp = Stamp {
            at: self.began.elapsed(),
            dts: state.newest,
        };
        state.units.push_back((Input::Config(config), stamp));
        self.input.notify_one();
    }

    /// The reader brings a unit, and waits until there is room for it.
    pub(super) fn put_unit(&self, unit: Unit, cut: bool) {
        let arrived = self.began.elapsed();
        let mut state = self.lock();
        state.newest = unit.dts;
        loop {
            self.shed_if_late(&mut state);
            if state.has_room(unit.dts) || state.abandoned {
                break;
            }
            state = match self.room.wait_timeout(state, LOOK) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        state.unit_bytes += unit.data.len();
        let stamp = Stamp {
            at: arrived,
            dts: unit.dts,
        };
        state.units.push_back((Input::Unit(unit, cut), stamp));
        self.input.notify_one();
    }

    /// The reader brings nothing more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.input.notify_all();
    }

    /// Nobody takes what is made: every thread may end.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        state.closed = true;
        drop(state);
        self.input.notify_all();
        self.room.notify_all();
        self.work.iter().for_each(Condvar::notify_all);
    }

    /// The decoder takes what is next. `None` when nothing follows.
    pub(super) fn take(&self) -> Option<Input> {
        let mut state = self.lock();
        state.decoding = None;
        loop {
            if state.abandoned {
                return None;
            }
            if let Some((input, stamp)) = state.units.pop_front() {
                if let Input::Unit(unit, _) = &input {
                    state.unit_bytes -= unit.data.len();
                }
                state.decoding = Some(stamp);
                self.room.notify_all();
                return Some(input);
            }
            if state.closed {
                return None;
            }
            state = wait(&self.input, state);
        }
    }

    /// The decoder is about to decode a keyframe that begins a segment: a rung may return with it.
    pub(super) fn segment_begins(&self, pts: Timestamp) {
        let now = self.began.elapsed();
        let mut state = self.lock();
        let returning = state
            .overload
            .as_mut()
            .and_then(|overload| overload.segment_begins(now));
        if let Some(lane) = returning.and_then(|rung| state.lanes.get_mut(rung)) {
            lane.made = Made::From(pts);
        }
    }

    /// Whether no rung is made: decoding is of no use then.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().lanes.iter().all(|lane| lane.made == Made::No)
    }

    /// The decoder hands a picture to all rungs that are made, and waits until each has room.
    pub(super) fn hand_out(&self, decoded: Decoded) {
        let decoded = Arc::new(decoded);
        let mut state = self.lock();
        let stamp = state.decoding.unwrap_or(Stamp {
            at: self.began.elapsed(),
            dts: decoded.pts,
        });
        let mut waiting: Vec<usize> = (0..state.lanes.len()).collect();
        loop {
            waiting.retain(|&rung| {
                let settled = state.lanes[rung].offer(&decoded, stamp);
                self.work[rung].notify_one();
                !settled
            });
            if waiting.is_empty() || state.abandoned {
                return;
            }
            state = wait(&self.room, state);
        }
    }

    /// The decoder has nothing more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.decoding = None;
        state.decoded = true;
        drop(state);
        self.work.iter().for_each(Condvar::notify_all);
    }

    /// A rung is done with what it had and takes what is next.
    pub(super) fn next(&self, rung: usize) -> Work {
        let mut state = self.lock();
        state.lanes[rung].encoding = None;
        loop {
            if state.abandoned {
                return Work::End;
            }
            let lane = &mut state.lanes[rung];
            if let Some(at) = lane.shed_at.take() {
                return Work::Shed(at);
            }
            if let Some((decoded, stamp)) = lane.pictures.pop_front() {
                lane.encoding = Some(stamp);
                let returns = std::mem::take(&mut lane.returns);
                self.room.notify_all();
                return Work::Picture { decoded, returns };
            }
            if state.decoded {
                return Work::End;
            }
            state = wait(&self.work[rung], state);
        }
    }

    fn shed_if_late(&self, state: &mut State) {
        let now = self.began.elapsed();
        let behind = state.behind(now);
        let shed = state
            .overload
            .as_mut()
            .and_then(|overload| overload.observe(now, behind));
        if let Some(rung) = shed {
            state.lanes[rung].shed();
            self.room.notify_all();
            self.work[rung].notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition
        .wait(state)
        .unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn has_room(&self, dts: Timestamp) -> bool {
        let Some((_, first)) = self.units.front() else {
            return true;
        };
        let span = dts.0.saturating_sub(first.dts.0);
        self.units.len() < LEAST || (span <= UNITS && self.unit_bytes <= UNIT_BYTES)
    }

    fn behind(&self, now: Duration) -> Behind {
        let lanes = self.lanes.iter().filter_map(Lane::oldest);
        let units = self.units.front().map(|(_, stamp)| *stamp);
        // The oldest comes first everywhere, so that it is among these.
        let waiting = units.into_iter().chain(self.decoding).chain(lanes);
        let Some(oldest) = waiting.min_by_key(|stamp| stamp.at) else {
            return Behind::default();
        };
        let ticks = self.newest.0.saturating_sub(oldest.dts.0).max(0);
        Behind {
            waited: now.saturating_sub(oldest.at),
            media: Duration::from_secs_f64(Timestamp(ticks).as_secs_f64()),
        }
    }
}

impl Lane {
    /// Answers whether the picture is where it belongs: in the queue, or nowhere.
    fn offer(&mut self, decoded: &Arc<Decoded>, stamp: Stamp) -> bool {
        match self.made {
            Made::No => return true,
            Made::From(from) if !decoded.idr || decoded.pts < from => return true,
            Made::From(_) => {
                self.made = Made::Yes;
                self.returns = true;
            }
            Made::Yes => {}
        }
        let span = self
            .pictures
            .front()
            .map_or(0, |(first, _)| decoded.pts.0.saturating_sub(first.pts.0));
        let len = self.pictures.len();
        let has_room = len < LEAST || (span <= PICTURES && len < MOST_PICTURES);
        if has_room {
            self.pictures.push_back((decoded.clone(), stamp));
        }
        has_room
    }

    fn shed(&mut self) {
        if self.made == Made::Yes {
            let waiting = self.pictures.front();
            // What is in hand comes out still, if it is not stuck.
            self.shed_at = Some(waiting.map_or_else(Timestamp::default, |(first, _)| first.pts));
        }
        self.made = Made::No;
        self.returns = false;
        self.pictures.clear();
    }

    /// What has waited longest for a rung that is made.
    fn oldest(&self) -> Option<Stamp> {
        if self.made == Made::No {
            return None;
        }
        self.encoding
            .or_else(|| self.pictures.front().map(|(_, stamp)| *stamp))
    }
}
