//! A DASH source: its manifest is asked for again when it says so, and every rendition's timeline
//! is made of it. All that follows is the same as for playlists.

use alloc::string::String;
use alloc::vec::Vec;

use super::Player;
use super::interface::{Failure, Phase};
use super::requests::Purpose;
use super::track::Item;
use crate::boxes::{self, Index};
use crate::command::Command;
use crate::mpd::{Choice, Clock, Listing, Moment, Mpd, date_time};
use crate::playlist::{InvalidPlaylist, Multivariant};
use crate::retry::Retry;
use crate::timeline::Timeline;

/// Whether this build of the module reads manifests. Most pages have no use for that, and the reader
/// is a fifth of the module: there are two builds of it, one without and one with `--cfg dash`, and
/// the shim takes the one that it needs. Everywhere but in a browser there is only the whole.
pub(super) const READS_MANIFESTS: bool = cfg!(any(not(target_arch = "wasm32"), dash));

/// Patience with a manifest, an index or a clock, in ms.
const ANSWER_MS: u64 = 10_000;
/// Least time between two manifests, in ms.
const LEAST_UPDATE_MS: u64 = 500;
/// When a listing that no time changes is made again without a new manifest, in ms.
const LATER_MS: u64 = 3_600_000;
/// A manifest published this long ago by the viewer's clock, in ms, says that the clock is right.
const FRESH_MS: core::ops::Range<f64> = -100.0..10_000.0;
/// Difference between two offsets that can be heard, in seconds.
const AUDIBLE_S: f64 = 1e-3;

/// What a build without a reader says of a manifest. The shim knows it by this word.
const DASH: &str = "DASH";

/// What is known of a DASH source.
#[derive(Debug)]
pub(super) struct Dash {
    mpd: Mpd,
    choices: Vec<Choice>,
    indexes: Vec<(String, Index)>,
    /// When to ask for the next manifest.
    update_at: Option<u64>,
    retry: Retry,
    clock: ClockState,
}

/// What is known of the manifest's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ClockState {
    /// It has to be asked before anything can be listed.
    Awaited,
    /// It is not asked, or has not answered: the viewer's clock stands in for it.
    Assumed,
    /// The viewer's clock is so many ms ahead.
    Known(f64),
}

impl Dash {
    fn now_ms(&self, now: u64) -> f64 {
        match self.clock {
            ClockState::Known(ahead_ms) => now as f64 - ahead_ms,
            ClockState::Awaited | ClockState::Assumed => now as f64,
        }
    }

    /// When to look again, if nothing else happens before.
    pub(super) fn due_at(&self, now: u64) -> Option<u64> {
        let update_at = self.update_at?;
        Some(update_at.max(self.retry.due_at(now).unwrap_or(0))).filter(|at| *at > now)
    }

    /// When the manifest that has just come has to be asked for again.
    fn scheduled(&self, now: u64) -> Option<u64> {
        let update_ms = self.mpd.update_s.filter(|_| self.mpd.dynamic)? * 1000.0;
        Some(now + (update_ms as u64).max(LEAST_UPDATE_MS))
    }

    /// The choice behind a rendition's URL.
    fn choice(&self, url: &str) -> Option<&Choice> {
        let (_, index) = url.rsplit_once('#')?;
        self.choices.get(index.parse::<usize>().ok()?)
    }
}

/// Lets the last segment, if it grows, reach up to now.
fn grow(timeline: &mut Timeline, now_ms: f64) {
    timeline.known_until_ms = timeline.grows().then_some(now_ms);
}

/// Whether a text is a manifest rather than a playlist.
pub(super) fn is_manifest(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .trim_ascii_start()
        .starts_with('<')
}

impl Player {
    /// Reads the first manifest.
    pub(super) fn first_manifest(
        &mut self,
        now: u64,
        text: &str,
    ) -> Result<Multivariant, InvalidPlaylist> {
        if !READS_MANIFESTS {
            return Err(InvalidPlaylist::Unsupported(DASH));
        }
        let mpd = Mpd::parse(text, &self.url)?;
        let offer = mpd.offer()?;
        let age_ms = mpd.published_ms.map(|published| now as f64 - published);
        let plausible = age_ms.is_some_and(|age| FRESH_MS.contains(&age));
        let clock = match &mpd.clock {
            Some(Clock::Direct(server_ms)) => ClockState::Known(now as f64 - server_ms),
            Some(Clock::Fetched(_)) if mpd.needs_clock() && !plausible => ClockState::Awaited,
            _ => ClockState::Assumed,
        };
        let asks = mpd.clock.clone().filter(|_| mpd.needs_clock());
        let mut dash = Dash {
            mpd,
            choices: offer.choices,
            indexes: Vec::new(),
            update_at: None,
            retry: Retry::new(500, 4000),
            clock,
        };
        dash.update_at = dash.scheduled(now);
        self.source.set_dash(dash);
        if let Some(Clock::Fetched(url)) = asks {
            self.fetch(now, url, Purpose::Clock, ANSWER_MS);
        }
        Ok(offer.multivariant)
    }

    /// Names the renditions as the manifest does.
    pub(super) fn name_renditions(&mut self) {
        let Some(dash) = self.source.dash() else {
            return;
        };
        for rendition in self
            .tracks
            .iter_mut()
            .flat_map(|track| &mut track.renditions)
        {
            if let Some(choice) = dash.choice(&rendition.url) {
                rendition.name.clone_from(&choice.id);
            }
        }
    }

    /// Asks for the next manifest when it is time, and lets growing segments grow.
    pub(super) fn plan_manifest(&mut self, now: u64) {
        let Some(dash) = self.source.dash() else {
            return;
        };
        let now_ms = dash.now_ms(now);
        for track in &mut self.tracks {
            let active = track.active;
            let timeline = &mut track.renditions[active].timeline;
            grow(timeline, now_ms);
        }
        let due = dash.update_at.is_some_and(|at| now >= at) && dash.retry.is_due(now);
        let asked = self
            .requests
            .iter()
            .any(|r| matches!(r.purpose, Purpose::Manifest));
        if due && !asked {
            let url = dash.mpd.location.as_ref().unwrap_or(&self.url).clone();
            self.fetch(now, url, Purpose::Manifest, ANSWER_MS);
        }
    }

    /// A later manifest. One that cannot be read is asked for again.
    pub(super) fn manifest(&mut self, now: u64, text: &str) {
        let Some(dash) = self.source.dash_mut() else {
            return;
        };
        let base = dash.mpd.location.as_ref().unwrap_or(&self.url);
        let Ok(mpd) = Mpd::parse(text, base) else {
            dash.retry.failed(now);
            return;
        };
        dash.retry.succeeded();
        // The times of a recording count from its beginning, those of a broadcast from 1970.
        let mpd = if dash.mpd.dynamic && !mpd.dynamic {
            match mpd.placed_like(&dash.mpd) {
                Some(mpd) => mpd,
                None => return self.broadcast_over(),
            }
        } else {
            mpd
        };
        dash.mpd = mpd;
        dash.update_at = dash.scheduled(now);
        for rendition in self
            .tracks
            .iter_mut()
            .flat_map(|track| &mut track.renditions)
        {
            rendition.reload_at = 0;
        }
    }

    /// The broadcast is over and nothing tells how what is left of it lies to what was known: that
    /// is all there is.
    fn broadcast_over(&mut self) {
        if let Some(dash) = self.source.dash_mut() {
            dash.update_at = None;
        }
        for rendition in self
            .tracks
            .iter_mut()
            .flat_map(|track| &mut track.renditions)
        {
            rendition.timeline.ended = true;
        }
        self.tell_duration();
    }

    /// The manifest's clock has answered, or not.
    pub(super) fn clock_answered(&mut self, now: u64, sent_at: u64, text: Option<&str>) {
        let Some(dash) = self.source.dash_mut() else {
            return;
        };
        let told = text.and_then(date_time);
        dash.clock = match told {
            // It was right about half way between question and answer.
            Some(server_ms) => {
                self.clock.dated(now, server_ms);
                ClockState::Known((now + sent_at) as f64 / 2.0 - server_ms)
            }
            None => ClockState::Assumed,
        };
        for rendition in self
            .tracks
            .iter_mut()
            .flat_map(|track| &mut track.renditions)
        {
            rendition.reload_at = 0;
        }
    }

    /// Brings a rendition's timeline up to date, which takes a request only where it is the media
    /// file that has the index.
    pub(super) fn plan_listing(&mut self, now: u64, t: usize, r: usize) {
        let rendition = &self.tracks[t].renditions[r];
        let waits = rendition.reload.is_some()
            || rendition.timeline.ended
            || !rendition.retry.is_due(now)
            || now < rendition.reload_at;
        let Some(dash) = self.source.dash().filter(|_| !waits) else {
            return;
        };
        let Some(choice) = dash.choice(&rendition.url) else {
            return;
        };
        if dash.clock == ClockState::Awaited {
            return;
        }
        let others = self.tracks[t]
            .renditions
            .iter()
            .map(|other| &other.timeline);
        let known: Vec<&Timeline> = [&rendition.timeline]
            .into_iter()
            .chain(others)
            .filter(|timeline| !timeline.is_empty())
            .collect();
        let now_ms = dash.now_ms(now);
        let moment = Moment {
            now_ms,
            indexes: &dash.indexes,
            known: &known,
        };
        match dash.mpd.listing(choice, moment) {
            Listing::Segments {
                playlist,
                more_at_ms,
            } => {
                let wait_ms = more_at_ms.map_or(LATER_MS, |at| (at - now_ms).max(0.0) as u64 + 1);
                self.listed(now, t, r, *playlist);
                let rendition = &mut self.tracks[t].renditions[r];
                // That nothing is new is no failure: it cost no request.
                rendition.retry.succeeded();
                rendition.reload_at = now + wait_ms;
                grow(&mut rendition.timeline, now_ms);
            }
            Listing::WantsIndex(url) => {
                let purpose = Purpose::Index {
                    track: t,
                    rendition: r,
                    url: url.clone(),
                };
                let id = self.fetch(now, url, purpose, ANSWER_MS);
                self.tracks[t].renditions[r].reload = Some(id);
            }
        }
    }

    /// An index has come.
    pub(super) fn indexed(&mut self, now: u64, url: String, bytes: &[u8]) {
        let Some(dash) = self.source.dash_mut() else {
            return;
        };
        match boxes::index(bytes) {
            Some(index) => dash.indexes.push((url, index)),
            None => self.refuse(
                now,
                InvalidPlaylist::Unsupported("an index of indexes (sidx)"),
            ),
        }
    }

    /// A manifest, an index or the clock was asked for in vain.
    pub(super) fn source_failed(&mut self, now: u64, purpose: &Purpose, failure: Failure) {
        let failures = match (purpose, self.source.dash_mut()) {
            (Purpose::Manifest, Some(dash)) => {
                dash.retry.failed(now);
                dash.retry.failures()
            }
            (
                Purpose::Index {
                    track, rendition, ..
                },
                _,
            ) => {
                let rendition = &mut self.tracks[*track].renditions[*rendition];
                rendition.retry.failed(now);
                rendition.retry.failures()
            }
            (Purpose::Probe { track }, _) => {
                let track = &mut self.tracks[*track];
                track.retry.failed(now);
                track.retry.failures()
            }
            (Purpose::Clock, _) => return self.clock_answered(now, now, None),
            _ => return,
        };
        if failures > 3 {
            self.set_phase(Phase::Trouble(failure));
        }
    }

    /// Puts a piece of media where the manifest says that it belongs.
    pub(super) fn place_as_told(&mut self, t: usize, item: &Item, media_s: f64) {
        let Some(origin_ms) = self.origin_ms else {
            return;
        };
        let seconds = (item.start_ms - origin_ms) / 1000.0 - media_s;
        let track = &mut self.tracks[t];
        if track
            .offset
            .is_none_or(|offset| (offset - seconds).abs() > AUDIBLE_S)
        {
            track.offset = Some(seconds);
            let track = track.kind;
            self.commands.push(Command::Offset { track, seconds });
        }
    }
}
