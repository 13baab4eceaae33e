//! A client that plays: units as its frames. No clock, no socket.

use std::time::{Duration, Instant};

use str0m::{
    format::Codec,
    media::{Direction, Frequency, MediaKind, MediaTime, Mid, Pt},
    net::Transmit,
};
use weir_media::{
    codec::AvcConfig,
    live::tap::Track,
    unit::{Media, TIMESCALE, TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;

use super::{
    choice::{self, Payload, Pictures, Unplayable},
    packet::{Packet, Source},
    peer::{Happened, Over, Peer},
};
use crate::broadcast::tap::Tapped;

/// How much browsers are to delay pictures for the sake of smoothness, at least and at most.
const PLAYOUT_DELAY: (MediaTime, MediaTime) = (MediaTime::ZERO, MediaTime::from_millis(400));

/// What is to be done, in order.
#[derive(Debug)]
pub(super) enum Outcome {
    /// To be sent.
    Transmit(Transmit),
    /// The publisher is to send a keyframe, if it can be told.
    WantKeyframe,
    /// The client is gone. What is to be sent has been told before.
    Over(Over),
}

/// A client that plays.
pub(super) struct Player {
    peer: Peer,
    pictures: Option<PictureLine>,
    sound: Option<SoundLine>,
    /// When media time 0 was, by the first unit sent.
    epoch: Option<Instant>,
    want_keyframe: bool,
    frames_dropped: u64,
}

struct PictureLine {
    mid: Mid,
    payloads: Vec<Payload>,
    chosen: Option<Pictures>,
    config: Option<AvcConfig>,
    /// Nothing can be decoded before the next keyframe.
    waiting: bool,
    /// When the last one sent is shown.
    last: Option<i64>,
}

struct SoundLine {
    mid: Mid,
    pt: Pt,
    chosen: Option<RenditionId>,
    last: Option<i64>,
}

impl Player {
    /// Plays what `tracks` tell there is.
    ///
    /// # Errors
    /// If that is nothing that the client could play.
    pub(super) fn new(mut peer: Peer, tracks: &[Track]) -> Result<Self, Unplayable> {
        let pictures = peer.section(MediaKind::Video, Direction::is_sending);
        let pictures = pictures.map(|mid| PictureLine {
            mid,
            payloads: peer.change(|rtc| {
                let writer = rtc.writer(mid);
                let params = writer.iter().flat_map(|writer| writer.payload_params());
                params.filter_map(Payload::of).collect()
            }),
            chosen: None,
            config: None,
            waiting: true,
            last: None,
        });
        let sound = peer.section(MediaKind::Audio, Direction::is_sending);
        let sound = sound.and_then(|mid| {
            let pt = peer.change(|rtc| {
                let writer = rtc.writer(mid)?;
                let mut params = writer.payload_params();
                let opus = params.find(|params| params.spec().codec == Codec::Opus)?;
                Some(opus.pt())
            })?;
            Some(SoundLine {
                mid,
                pt,
                chosen: None,
                last: None,
            })
        });
        let payloads = pictures.as_ref().map(|line| line.payloads.as_slice());
        choice::check(tracks, payloads, sound.is_some())?;
        let mut player = Self {
            peer,
            pictures,
            sound,
            epoch: None,
            want_keyframe: false,
            frames_dropped: 0,
        };
        player.choose(tracks);
        Ok(player)
    }

    /// Takes a packet. The source, if it is the client's and new.
    pub(super) fn handle_packet(&mut self, packet: &Packet) -> Option<Source> {
        self.peer.handle_packet(packet)
    }

    /// Call when [`poll_timeout`](Self::poll_timeout) is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.peer.handle_timeout(now);
    }

    /// Takes what came of any rendition. `tracks` tells what there is; it is asked when something
    /// else than before may be the best.
    pub(super) fn handle_media(
        &mut self,
        now: Instant,
        tapped: &Tapped,
        tracks: impl FnOnce() -> Vec<Track>,
    ) {
        match &tapped.media {
            Media::Config(_) => self.choose(&tracks()),
            Media::Unit(unit) => match unit.kind {
                TrackKind::Video => {
                    let line = self.pictures.as_ref();
                    let chosen = line.and_then(|line| line.chosen);
                    if chosen.is_some_and(|chosen| chosen.rendition == tapped.rendition) {
                        if unit.pts > unit.dts {
                            self.choose(&tracks());
                        } else {
                            self.show(now, tapped, unit);
                        }
                    }
                }
                TrackKind::Audio => {
                    let line = self.sound.as_ref();
                    if line.is_some_and(|line| line.chosen == Some(tapped.rendition)) {
                        self.sound(now, unit);
                    }
                }
            },
        }
    }

    /// The client did not keep up: pictures go on with the next keyframe.
    pub(super) fn skip(&mut self, frames: u64) {
        self.frames_dropped += frames;
        if let Some(line) = &mut self.pictures
            && !std::mem::replace(&mut line.waiting, true)
        {
            self.want_keyframe = true;
        }
    }

    /// Says goodbye.
    pub(super) fn close(&mut self) {
        self.peer.close();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). Ask anew after every other call.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.peer.poll_timeout()
    }

    /// What is to be done. Call until `None` after every other call.
    pub(super) fn poll(&mut self) -> Option<Outcome> {
        if let Some(transmit) = self.peer.poll_transmit() {
            return Some(Outcome::Transmit(transmit));
        }
        while let Some(happened) = self.peer.poll_happened() {
            match happened {
                Happened::Connected | Happened::KeyframeWanted => self.want_keyframe = true,
                Happened::Frame(_) | Happened::Broken(_) => {}
            }
        }
        if std::mem::take(&mut self.want_keyframe) {
            return Some(Outcome::WantKeyframe);
        }
        self.peer.over().cloned().map(Outcome::Over)
    }

    /// Frames that the client did not get because it did not keep up.
    pub(super) fn frames_dropped(&self) -> u64 {
        self.frames_dropped
    }

    fn choose(&mut self, tracks: &[Track]) {
        if let Some(line) = &mut self.pictures {
            let chosen = choice::pictures(tracks, &line.payloads);
            let track = chosen.and_then(|chosen| {
                let is_chosen = |track: &&Track| track.rendition == chosen.rendition;
                tracks.iter().find(is_chosen)
            });
            let config = track.and_then(|track| match &track.config {
                TrackConfig::Avc(config) => Some(config.clone()),
                _ => None,
            });
            if (chosen, &config) != (line.chosen, &line.config) {
                (line.chosen, line.config) = (chosen, config);
                line.waiting = true;
                self.want_keyframe = true;
            }
        }
        if let Some(line) = &mut self.sound {
            line.chosen = choice::sound(tracks);
        }
    }

    fn show(&mut self, now: Instant, tapped: &Tapped, unit: &Unit) {
        let Some(line) = self.pictures.as_mut().filter(|_| self.peer.is_connected()) else {
            return;
        };
        let (Some(chosen), Some(config)) = (line.chosen, &line.config) else {
            return;
        };
        // Another rendition may be late against the one before.
        let goes_on = line.last.is_none_or(|last| unit.pts.0 > last);
        if !goes_on || (line.waiting && !unit.keyframe) {
            return;
        }
        let Some(stream) = tapped.annex_b(config) else {
            return;
        };
        line.waiting = false;
        line.last = Some(unit.pts.0);
        let (mid, pt, at) = (line.mid, chosen.pt, unit.pts.0);
        let wall_clock = self.wall_clock(now, at);
        let (least, most) = PLAYOUT_DELAY;
        let time = MediaTime::from_90khz(at.unsigned_abs());
        let written = self.peer.change(|rtc| {
            let writer = rtc.writer(mid)?.playout_delay(least, most);
            writer.write(pt, wall_clock, time, stream).ok()
        });
        if written.is_none() {
            self.skip(1);
        }
    }

    fn sound(&mut self, now: Instant, unit: &Unit) {
        let Some(line) = self.sound.as_mut().filter(|_| self.peer.is_connected()) else {
            return;
        };
        if line.last.is_some_and(|last| unit.pts.0 <= last) {
            return;
        }
        line.last = Some(unit.pts.0);
        let (mid, pt, at) = (line.mid, line.pt, unit.pts.0);
        let wall_clock = self.wall_clock(now, at);
        let ticks = u128::from(at.unsigned_abs()) * 48_000 / u128::from(TIMESCALE);
        let time = MediaTime::new(ticks as u64, Frequency::FORTY_EIGHT_KHZ);
        // What can't be written is a packet lost.
        let _ = self.peer.change(|rtc| {
            let writer = rtc.writer(mid)?;
            writer.write(pt, wall_clock, time, &unit.data[..]).ok()
        });
    }

    /// When a moment of media time is, on a clock that sound and pictures share: sender reports
    /// are made of it.
    fn wall_clock(&mut self, now: Instant, at: i64) -> Instant {
        let micros = at.unsigned_abs() * 100 / 9;
        let since = Duration::from_micros(micros);
        let epoch = *self
            .epoch
            .get_or_insert_with(|| now.checked_sub(since).unwrap_or(now));
        epoch + since
    }
}
