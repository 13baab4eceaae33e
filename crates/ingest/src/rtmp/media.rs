//! Audio and video messages of a publisher: read, repaired, told by track.

use std::{collections::VecDeque, time::Instant};

use weir_media::track::{FromTrack, TrackIndex};

use super::{
    message::{Message, kind},
    session::Event,
};
use crate::{
    flv::{Demuxer, FlvError, RefusedTrack, Tag},
    repair::{Repair, Repairs},
};

/// Reads the media messages of one stream. After each, ask
/// [`poll_refused`](Self::poll_refused) and [`poll_event`](Self::poll_event) until they are `None`.
#[derive(Debug, Default)]
pub(super) struct MediaReader {
    demuxer: Demuxer,
    repair: Repair,
    events: VecDeque<Event>,
}

impl MediaReader {
    /// Reads a message that came at `now`.
    ///
    /// # Errors
    /// If a track that leads is malformed, or coded in a way that is not taken.
    pub(super) fn read(&mut self, now: Instant, message: Message) -> Result<(), FlvError> {
        let timestamp_ms = message.timestamp_ms;
        let tag = if message.kind == kind::VIDEO {
            self.demuxer.video(message.payload)?
        } else {
            self.demuxer.audio(message.payload)?
        };
        self.tag(now, TrackIndex::LEAD, timestamp_ms, tag);
        while let Some((index, tag)) = self.demuxer.poll_track() {
            self.tag(now, index, timestamp_ms, tag);
        }
        Ok(())
    }

    /// A track that came and is not taken; each is told once.
    pub(super) fn poll_refused(&mut self) -> Option<RefusedTrack> {
        let refused = self.demuxer.poll_refused_track()?;
        self.repair.track_refused();
        Some(refused)
    }

    /// Media of the last message.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What was repaired so far.
    pub(super) fn repairs(&self) -> Repairs {
        self.repair.repairs()
    }

    fn tag(&mut self, now: Instant, index: TrackIndex, timestamp_ms: u32, tag: Tag) {
        let (config, frame) = match tag {
            Tag::Config(config) => (Some(config), None),
            Tag::Frame(frame) => (None, Some(frame)),
            Tag::ConfiguredFrame(config, frame) => (Some(config), Some(frame)),
            Tag::EndOfSequence(_) | Tag::Ignored => (None, None),
        };
        let config = config.and_then(|config| self.repair.track_config(index, config));
        let frame = frame.and_then(|frame| self.repair.frame(now, index, timestamp_ms, frame));
        for media in config.into_iter().chain(frame) {
            self.events.push_back(match index.is_lead() {
                true => Event::Media(media),
                false => Event::Track(FromTrack::Media { index, media }),
            });
        }
    }
}
