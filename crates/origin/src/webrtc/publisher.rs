//! A client that publishes: its frames as units, and requests for keyframes. No clock, no socket.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use str0m::{
    media::{Direction, KeyframeRequestKind, MediaData, MediaKind, Mid},
    net::Transmit,
};
use weir_ingest::repair::{Repair, Repairs, TsFrame};
use weir_media::{
    codec::{OpusConfig, annexb, avc},
    unit::{Media, TrackConfig, TrackKind},
};

use super::{
    keyframes::Keyframes,
    packet::{Packet, Source},
    peer::{Happened, Over, Peer},
    timeline::{Report, RtpTime, Timeline},
};

/// Longest without a frame.
pub(super) const NO_MEDIA: Duration = Duration::from_secs(30);

/// The identification header (RFC 7845 section 5.1) of what RTP carries: two channels, which a
/// decoder makes of a mono packet too (RFC 7587 section 7), and nothing to be skipped.
const OPUS_HEAD: &[u8] = b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00";
/// Bits of the clock that [`TsFrame`] has.
const CLOCK_MASK: i64 = (1 << 33) - 1;

/// What is to be done, in order.
#[derive(Debug)]
pub(super) enum Outcome {
    /// To be sent.
    Transmit(Transmit),
    /// Media can flow.
    Connected,
    /// Media.
    Media(Media),
    /// The client is gone, or of no use. What is to be sent has been told before.
    Over(Over),
}

/// What was done and lost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Keyframes asked for.
    pub(super) plis: u64,
    /// Frames that were incomplete, or referred to one that was, or had no place.
    pub(super) frames_dropped: u64,
}

/// A client that publishes.
pub(super) struct Publisher {
    peer: Peer,
    video: Option<Mid>,
    audio: Option<Mid>,
    timeline: Timeline,
    repair: Repair,
    keyframes: Keyframes,
    /// Whether what the next picture refers to is there.
    whole: bool,
    last_media: Instant,
    media: VecDeque<Media>,
    counters: Counters,
}

impl Publisher {
    pub(super) fn new(peer: Peer, now: Instant) -> Self {
        Self {
            video: peer.section(MediaKind::Video, Direction::is_receiving),
            audio: peer.section(MediaKind::Audio, Direction::is_receiving),
            peer,
            timeline: Timeline::starting(now),
            repair: Repair::default(),
            keyframes: Keyframes::missing(now),
            whole: false,
            last_media: now,
            media: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Whether the client sends anything that is taken.
    pub(super) fn is_of_use(&self) -> bool {
        self.video.or(self.audio).is_some()
    }

    /// Takes a packet. The source, if it is the client's and new.
    pub(super) fn handle_packet(&mut self, packet: &Packet) -> Option<Source> {
        let source = self.peer.handle_packet(packet);
        self.look(packet.received);
        source
    }

    /// Call when [`poll_timeout`](Self::poll_timeout) is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.peer.handle_timeout(now);
        self.look(now);
    }

    /// Somebody waits for a keyframe.
    pub(super) fn want_keyframe(&mut self, now: Instant) {
        self.keyframes.want(now);
        self.look(now);
    }

    /// Says goodbye.
    pub(super) fn close(&mut self) {
        self.peer.close();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). Ask anew after every other call.
    pub(super) fn poll_timeout(&self) -> Instant {
        let mut next = self.peer.poll_timeout();
        if self.peer.is_connected() {
            next = next.min(self.last_media + NO_MEDIA);
            if self.video.is_some() {
                next = next.min(self.keyframes.due());
            }
        }
        next
    }

    /// What is to be done. Call until `None` after every other call.
    pub(super) fn poll(&mut self) -> Option<Outcome> {
        if let Some(transmit) = self.peer.poll_transmit() {
            return Some(Outcome::Transmit(transmit));
        }
        loop {
            if let Some(media) = self.media.pop_front() {
                return Some(Outcome::Media(media));
            }
            match self.peer.poll_happened() {
                Some(Happened::Connected) => return Some(Outcome::Connected),
                Some(Happened::Frame(data)) => self.take_frame(*data),
                Some(Happened::Broken(mid)) if Some(mid) == self.video => self.lose_picture(),
                Some(Happened::Broken(_)) => self.counters.frames_dropped += 1,
                Some(Happened::KeyframeWanted) => {}
                None => break,
            }
        }
        self.peer.over().cloned().map(Outcome::Over)
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// What was repaired of timestamps.
    pub(super) fn repairs(&self) -> Repairs {
        self.repair.repairs()
    }

    /// Does what is due.
    fn look(&mut self, now: Instant) {
        if !self.peer.is_connected() {
            // What comes first does so after the connection stands.
            self.last_media = now;
            return;
        }
        if now >= self.last_media + NO_MEDIA {
            self.peer.give_up(Over::NoMedia(NO_MEDIA));
        }
        let Some(video) = self.video.filter(|_| now >= self.keyframes.due()) else {
            return;
        };
        self.keyframes.asked(now);
        let asked = self.peer.change(|rtc| {
            let mut api = rtc.direct_api();
            let stream = api.stream_rx_by_mid(video, None)?;
            stream.request_keyframe(KeyframeRequestKind::Pli);
            Some(())
        });
        self.counters.plis += u64::from(asked.is_some());
    }

    fn take_frame(&mut self, data: MediaData) {
        self.last_media = self.last_media.max(data.network_time);
        if Some(data.mid) == self.video {
            self.take_picture(data);
        } else if Some(data.mid) == self.audio {
            self.take_sound(data);
        }
    }

    fn take_picture(&mut self, data: MediaData) {
        let Ok(encoded) = annexb::to_length_prefixed(&data.data) else {
            return self.lose_picture();
        };
        if let Some(config) = encoded.config {
            self.media
                .extend(self.repair.config(TrackConfig::Avc(config)));
        }
        if encoded.data.is_empty() {
            return;
        }
        let keyframe = annexb::length_prefixed_nal_units(&encoded.data)
            .flatten()
            .any(|nal| nal.first().is_some_and(|b| b & 0x1f == avc::nal_type::IDR));
        let lost = !data.contiguous && self.whole;
        self.whole = keyframe || (self.whole && data.contiguous);
        if keyframe {
            self.keyframes.came(data.network_time);
        } else if lost {
            self.keyframes.want(data.network_time);
        }
        if !self.whole {
            self.counters.frames_dropped += 1;
            return;
        }
        self.place(TrackKind::Video, &data, keyframe, encoded.data);
    }

    fn take_sound(&mut self, data: MediaData) {
        if data.data.is_empty() {
            return;
        }
        if let Ok(config) = OpusConfig::parse(Bytes::from_static(OPUS_HEAD)) {
            self.media
                .extend(self.repair.config(TrackConfig::Opus(config)));
        }
        let packet = Bytes::copy_from_slice(&data.data);
        self.place(TrackKind::Audio, &data, true, packet);
    }

    fn place(&mut self, kind: TrackKind, data: &MediaData, keyframe: bool, unit: Bytes) {
        let time = RtpTime {
            ticks: data.time.numer(),
            rate: data.time.denom(),
        };
        let report = data.last_sender_info.map(|info| Report {
            rtp: info.rtp_time.numer(),
            ntp: info.ntp_time,
        });
        let arrived = data.network_time;
        let Some(at) = self.timeline.place(kind, time, arrived, report) else {
            self.counters.frames_dropped += 1;
            return;
        };
        let at = (at & CLOCK_MASK) as u64;
        let frame = TsFrame {
            kind,
            pts: at,
            dts: at,
            keyframe,
            data: unit,
        };
        self.media.extend(self.repair.ts_frame(arrived, frame));
    }

    /// A picture is lost, and with it those that refer to it.
    fn lose_picture(&mut self) {
        self.counters.frames_dropped += 1;
        if std::mem::take(&mut self.whole) {
            self.keyframes.want(self.last_media);
        }
    }
}
