//! The clock, the events in their order, and what [`Live`] asks for: a journal that reserves
//! msns, a transcoder, viewers.

use std::collections::BTreeMap;

use bytes::Bytes;
use weir_media::{
    fmp4::read,
    framing::{EncoderChoice, LadderRung, RungState, VideoCodec},
    live::{Live, LiveConfig, Output, Restored, Warning},
    record::{InitRecord, SegmentRecord},
    track::{FromTrack, TrackIndex},
    unit::{Media, Timestamp, TrackConfig, Unit},
};
use weir_model::{Epoch, Msn, RenditionId, WallTime};

use crate::{
    absence,
    encoder::{self, Encoder, Sent},
    transcoder::Transcoder,
    viewer::Viewer,
};

/// When everything begins.
pub(crate) const BEGIN_MS: u64 = 1_795_000_000_000;

/// Something that happens to the video.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Publish,
    /// Another encoder takes over with what it has brought for so many milliseconds.
    TakeOver(u64),
    Push(Media),
    PushTrack(FromTrack),
    Unpublish,
    End,
    Reserved(Msn),
    /// Of the transcoder child with this number.
    Transcoded(usize, RenditionId, Answer),
    KillTranscoder,
    /// The transcoder leaves its rungs out.
    Shed,
    /// From the next segment on, it makes them again.
    Return,
    /// The slate of an absence is made, or can't be.
    Slate(u64, bool),
}

/// What a transcoder says of a rung.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Media(Media),
    Changed(RungState, Timestamp),
}

pub(crate) struct World {
    pub(crate) live: Live,
    pub(crate) viewer: Viewer,
    pub(crate) now_ms: u64,
    events: BTreeMap<(u64, u64), Event>,
    order: u64,
    config: LiveConfig,
    epoch: u32,
    /// How long the journal takes.
    pub(crate) reserve_ms: u64,
    /// How long the transcoder takes.
    pub(crate) transcode_ms: u64,
    /// How long making a slate takes, and whether it succeeds.
    pub(crate) slate_ms: u64,
    pub(crate) slate_fails: bool,
    transcoders: Vec<Transcoder>,
    running: Option<usize>,
    pub(crate) journal: Journal,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) ended: bool,
    /// Units pushed, in the order of pushing.
    pub(crate) sent: Vec<Unit>,
    /// Number of the next unit that an encoder makes.
    pub(crate) number: u64,
    pub(crate) multivariant_at_ms: Option<u64>,
    /// What came through the tap.
    pub(crate) tapped: Vec<(RenditionId, Media)>,
    /// Whether the encoder sends its tracks twice, and the second ones first.
    pub(crate) echo: Option<bool>,
}

/// What is durable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) reserved: Msn,
    pub(crate) inits: Vec<InitRecord>,
    /// The newest of each rendition.
    pub(crate) init_segments: BTreeMap<RenditionId, Bytes>,
    pub(crate) segments: Vec<(SegmentRecord, Bytes)>,
}

pub(crate) fn rung() -> LadderRung {
    LadderRung {
        id: "480p".parse().unwrap(),
        height: 480,
        bitrate_kbps: 1200,
        fast_bitrate_kbps: 1200,
        codec: VideoCodec::H264,
        encoder: EncoderChoice::Auto,
        preset: None,
    }
}

impl World {
    pub(crate) fn new(ladder: Vec<LadderRung>) -> Self {
        Self::with(LiveConfig {
            ladder,
            ..LiveConfig::default()
        })
    }

    pub(crate) fn with(config: LiveConfig) -> Self {
        let live = Live::new(config.clone(), Epoch(1), None, WallTime(BEGIN_MS));
        let mut world = Self {
            live,
            viewer: Viewer::of_epoch(1),
            now_ms: BEGIN_MS,
            events: BTreeMap::new(),
            order: 0,
            config,
            epoch: 1,
            reserve_ms: 5,
            transcode_ms: 120,
            slate_ms: 600,
            slate_fails: false,
            transcoders: Vec::new(),
            running: None,
            journal: Journal::default(),
            warnings: Vec::new(),
            ended: false,
            sent: Vec::new(),
            number: 0,
            multivariant_at_ms: None,
            tapped: Vec::new(),
            echo: None,
        };
        world.serve();
        world
    }

    /// Lets `event` happen `in_ms` from now.
    pub(crate) fn schedule(&mut self, in_ms: u64, event: Event) {
        self.order += 1;
        self.events.insert((self.now_ms + in_ms, self.order), event);
    }

    pub(crate) fn schedule_all(&mut self, sent: Vec<Sent>) {
        for (in_ms, media) in sent {
            self.schedule(in_ms, Event::Push(media));
        }
    }

    /// An encoder connects, sends for `seconds`, and stays connected.
    pub(crate) fn broadcast(&mut self, encoder: &Encoder, seconds: u64) {
        self.schedule(0, Event::Publish);
        let sent = encoder.run(0, seconds, &mut self.number);
        self.schedule_all(sent);
        self.run_for(seconds * 1000);
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        loop {
            let event = self.events.first_key_value().map(|(&(at, _), _)| at);
            let timeout = self.live.poll_timeout().map(|at| at.0.max(self.now_ms));
            let next = event
                .into_iter()
                .chain(timeout)
                .min()
                .filter(|&at| at <= until);
            let Some(next) = next else { break };
            self.now_ms = next;
            if event == Some(next) {
                let (_, event) = self.events.pop_first().unwrap();
                self.apply(event);
            } else {
                self.live.handle_timeout(WallTime(next));
                self.serve();
                let again = self.live.poll_timeout();
                assert!(
                    again.is_none_or(|at| at.0 > next),
                    "spins at {next}: {again:?}"
                );
            }
        }
        self.now_ms = until;
    }

    fn apply(&mut self, event: Event) {
        let now = WallTime(self.now_ms);
        match event {
            Event::Publish => self.live.publish(now),
            Event::TakeOver(ms) => self.live.take_over(now, WallTime(self.now_ms - ms)),
            Event::Push(media) => {
                if let Media::Unit(unit) = &media {
                    self.sent.push(unit.clone());
                }
                self.push(now, media);
            }
            Event::PushTrack(from_track) => self.live.push_track(now, from_track),
            Event::Unpublish => self.live.unpublish(now),
            Event::Slate(absence, true) => self.live.slate_made(now, absence, absence::slate()),
            Event::Slate(absence, false) => self.live.slate_failed(now, absence),
            Event::End => self.live.end(now),
            Event::Reserved(msn) => {
                self.journal.reserved = self.journal.reserved.max(msn);
                self.live.reserved(now, msn);
            }
            Event::Transcoded(child, rendition, answer) => {
                if self.transcoders[child].alive {
                    match answer {
                        Answer::Media(media) => self.live.push_rendition(now, rendition, media),
                        Answer::Changed(state, at) => {
                            self.live.rung_changed(now, rendition, state, at);
                        }
                    }
                }
            }
            Event::Shed => {
                if let Some(child) = self.running {
                    let said = self.transcoders[child].shed();
                    self.say(child, said);
                }
            }
            Event::Return => {
                if let Some(child) = self.running {
                    let child = &mut self.transcoders[child];
                    child.returns = !child.made;
                }
            }
            Event::KillTranscoder => {
                if let Some(child) = self.running.take() {
                    self.transcoders[child].alive = false;
                    self.live.transcoder_lost(now);
                }
            }
        }
        self.serve();
    }

    fn push(&mut self, now: WallTime, media: Media) {
        let further = self.echo.map(|first| (first, again(&media)));
        if let Some((true, further)) = &further {
            self.live.push_track(now, further.clone());
            self.serve();
        }
        self.live.push(now, media);
        if let Some((false, further)) = further {
            self.serve();
            self.live.push_track(now, further);
        }
    }

    /// Does what is asked for.
    fn serve(&mut self) {
        while let Some(output) = self.live.poll_output() {
            assert!(!self.ended, "{output:?} follows the end");
            match output {
                Output::Reserve(msn) => self.schedule(self.reserve_ms, Event::Reserved(msn)),
                Output::Init { record, bytes } => {
                    let tracks = read::tracks(&bytes).unwrap();
                    assert_eq!(tracks.len(), 1);
                    self.journal.init_segments.insert(record.rendition, bytes);
                    self.journal.inits.push(record);
                }
                Output::Segment { record, bytes } => self.keep(record, &bytes),
                Output::TranscodeStart(job) => {
                    assert!(self.running.is_none(), "two transcoders");
                    self.running = Some(self.transcoders.len());
                    self.transcoders.push(Transcoder::new(job));
                }
                Output::Transcode { media, cut } => self.transcode(Some((media, cut))),
                Output::TranscodeEnd => {
                    self.transcode(None);
                    self.running = None;
                }
                Output::Tapped { rendition, media } => self.tapped.push((rendition, media)),
                Output::MakeSlate { absence, media } => {
                    absence::has_a_group(&media);
                    self.schedule(self.slate_ms, Event::Slate(absence, !self.slate_fails));
                }
                Output::Advanced => self.viewer.look(&self.live, self.now_ms),
                Output::Warning(warning) => self.warnings.push(warning),
                Output::Ended => self.ended = true,
            }
        }
        if self.live.multivariant(None).is_some() {
            self.multivariant_at_ms.get_or_insert(self.now_ms);
        }
    }

    fn keep(&mut self, record: SegmentRecord, chunks: &[Bytes]) {
        let bytes: Bytes = chunks.concat().into();
        let same = |(other, _): &&(SegmentRecord, Bytes)| {
            (other.rendition, other.msn) == (record.rendition, record.msn)
        };
        assert!(
            self.journal.segments.iter().find(same).is_none(),
            "{record:?} comes twice"
        );
        assert!(
            record.msn < self.journal.reserved,
            "{record:?} is not reserved"
        );
        let fragments = read::fragments(&bytes).unwrap();
        if !record.gap {
            assert_eq!(record.bytes, bytes.len() as u64);
            assert_eq!(record.start, fragments[0].base_media_decode_time);
            let total: u64 = fragments.iter().map(|fragment| fragment.duration()).sum();
            assert_eq!(record.duration, total);
            let units: usize = fragments
                .iter()
                .map(|fragment| fragment.samples.len())
                .sum();
            assert_eq!(record.units as usize, units);
            assert_eq!(record.independent, fragments[0].samples[0].keyframe);
        }
        let SegmentRecord {
            epoch,
            rendition,
            msn,
            ..
        } = record;
        self.viewer
            .spool
            .insert(format!("../{epoch}/{rendition}/{msn}.m4s"));
        self.journal.segments.push((record, bytes));
    }

    /// Transcoders started so far.
    pub(crate) fn transcoders(&self) -> &[Transcoder] {
        &self.transcoders
    }

    /// Height of the pictures that each transcoder was given.
    pub(crate) fn transcoded_heights(&self) -> Vec<u32> {
        let height = |child: &Transcoder| match &child.source {
            Some(TrackConfig::Avc(avc)) => avc.height,
            _ => 0,
        };
        self.transcoders.iter().map(height).collect()
    }

    fn transcode(&mut self, media: Option<(Media, bool)>) {
        let Some(child) = self.running else { return };
        let said = self.transcoders[child].feed(media);
        self.say(child, said);
    }

    fn say(&mut self, child: usize, said: Vec<(RenditionId, Answer)>) {
        for (rendition, answer) in said {
            let event = Event::Transcoded(child, rendition, answer);
            self.schedule(self.transcode_ms, event);
        }
    }

    /// The origin dies and starts again `after_ms` later; what is not durable is lost.
    pub(crate) fn crash(&mut self, after_ms: u64) {
        self.events.clear();
        self.running = None;
        self.now_ms += after_ms;
        self.epoch += 1;
        let segments = self
            .journal
            .segments
            .iter()
            .map(|(record, _)| record.clone())
            .collect();
        let inits = self.journal.inits.clone();
        let restored = Restored::from_records(self.journal.reserved, inits, segments);
        let restored = restored.with_last(absence::last_stored(&self.journal));
        let now = WallTime(self.now_ms);
        self.live = Live::new(self.config.clone(), Epoch(self.epoch), Some(restored), now);
        self.viewer.epoch = self.epoch;
        self.serve();
    }

    /// Units of `rendition` in the order of its segments: (number, decode time, presentation
    /// time) in ticks of its timescale.
    pub(crate) fn stored(&self, rendition: &str) -> Vec<(u64, u64, u64)> {
        let mut segments: Vec<_> = self.of(rendition).collect();
        segments.sort_by_key(|(record, _)| record.msn);
        let mut units = Vec::new();
        for (_, bytes) in segments {
            for fragment in read::fragments(bytes).unwrap() {
                let mut decode = fragment.base_media_decode_time;
                for sample in fragment.samples {
                    let number = encoder::number(&sample.data);
                    let shown = decode.saturating_add_signed(sample.composition_offset.into());
                    units.push((number, decode, shown));
                    decode += u64::from(sample.duration);
                }
            }
        }
        units
    }

    pub(crate) fn of(&self, rendition: &str) -> impl Iterator<Item = &(SegmentRecord, Bytes)> {
        self.journal
            .segments
            .iter()
            .filter(move |(record, _)| record.rendition.as_str() == rendition)
    }

    pub(crate) fn records(&self, rendition: &str) -> Vec<&SegmentRecord> {
        self.of(rendition).map(|(record, _)| record).collect()
    }
}

/// The same as a second track, of half as many lines.
fn again(media: &Media) -> FromTrack {
    let media = match media {
        Media::Config(config) => Media::Config(match config.picture() {
            Some(picture) => encoder::avc(picture.height / 32 * 16),
            None => config.clone(),
        }),
        unit => unit.clone(),
    };
    let index = TrackIndex::new(1).unwrap();
    FromTrack::Media { index, media }
}
