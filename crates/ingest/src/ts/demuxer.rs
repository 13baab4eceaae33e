//! The streams of one program, out of a transport stream.

use std::{collections::VecDeque, time::Instant};

use weir_media::unit::{Media, TIMESCALE, TrackConfig, TrackKind};

use super::{
    adts::{self, Sound},
    coding::Coding,
    framer::Framer,
    packet::{Continuity, Order, Packet},
    pes::{Assembler, Damaged, Pes},
    psi::{self, PAT_PID, Sections, Stream},
    video,
};
use crate::repair::{Repair, Repairs, TsFrame};

/// How long pictures are left out after a hole, in seconds, when no IDR comes.
pub const MAX_KEYFRAME_WAIT: u64 = 4;

/// Most streams that are refused by name; a program has a handful.
const MAX_REFUSED: usize = 32;
const CLOCK_MASK: u64 = (1 << 33) - 1;

/// What comes out of a transport stream.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// Media of the first video and the first audio stream of the first program.
    Media(Media),
    /// A stream is not taken, which is said once.
    Refused {
        /// Its packets' identifier.
        pid: u16,
        /// What it is, or what is wrong with it.
        what: String,
    },
}

/// What was missing or broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Something else stood where a packet should.
    pub lost_step: u64,
    /// A packet was marked as damaged, was scrambled or contradicted itself.
    pub packets: u64,
    /// Packets were missing (continuity_counter).
    pub holes: u64,
    /// A table had a wrong checksum or an impossible length.
    pub tables: u64,
    /// A picture or sound was incomplete, without a time, or contradicted itself.
    pub frames: u64,
    /// A picture was whole, but what it refers to may be lost.
    pub awaiting_keyframe: u64,
}

/// Demultiplexes one transport stream. Feed it with [`handle_input`](Self::handle_input), then
/// take what [`poll_event`](Self::poll_event) yields until it is `None`.
///
/// It holds at most one PES packet of [`MAX_PES_LEN`](super::MAX_PES_LEN) for each of two streams,
/// beside events, which are in proportion to the input they come from.
///
/// A hole in the video costs every picture up to the next IDR. Without what they refer to, some
/// players' decoders give up for good, which is worse than a picture that stands still; and a
/// counter of four bits does not tell how much a hole swallowed, so that a picture that nothing
/// refers to can't be known to be the only one. An encoder that refreshes its picture without
/// IDRs has done so after [`MAX_KEYFRAME_WAIT`]; then the video goes on as it is.
#[derive(Debug, Default)]
pub struct Demuxer {
    framer: Framer,
    association: Table,
    /// The first program's map and its PID.
    map: Option<(u16, Table)>,
    streams: Vec<Stream>,
    video: Option<Elementary<video::Reader>>,
    audio: Option<Elementary<adts::Reader>>,
    reference: Reference,
    repair: Repair,
    damage: Damage,
    refused: Vec<(u16, String)>,
    events: VecDeque<Event>,
}

#[derive(Debug, Default)]
struct Table {
    continuity: Continuity,
    sections: Sections,
}

#[derive(Debug)]
struct Elementary<R> {
    pid: u16,
    continuity: Continuity,
    assembler: Assembler,
    reader: R,
}

/// Whether what a picture refers to was there.
#[derive(Debug, Default)]
enum Reference {
    #[default]
    Whole,
    /// Not since the picture that was decoded then, or the next one.
    Broken { since: Option<u64> },
}

impl Demuxer {
    /// Takes bytes of the stream that came at `now`, cut anywhere.
    pub fn handle_input(&mut self, now: Instant, input: &[u8]) {
        self.framer.push(input);
        while let Some(bytes) = self.framer.next() {
            match Packet::parse(&bytes) {
                Some(packet) => self.packet(now, &packet),
                None => self.damage.packets += 1,
            }
        }
    }

    /// No more bytes follow: what is whole comes out.
    pub fn finish(&mut self, now: Instant) {
        let video = self.video.as_mut().and_then(|it| it.assembler.finish());
        let audio = self.audio.as_mut().and_then(|it| it.assembler.finish());
        if let Some(pes) = video {
            self.picture(now, pes);
        }
        if let Some(pes) = audio {
            self.sound(now, pes);
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What was repaired so far.
    pub fn repairs(&self) -> Repairs {
        self.repair.repairs()
    }

    /// What was missing or broken so far.
    pub fn damage(&self) -> Damage {
        Damage {
            lost_step: self.framer.lost_step(),
            ..self.damage
        }
    }

    fn packet(&mut self, now: Instant, packet: &Packet<'_>) {
        let Some(payload) = packet.payload else {
            return;
        };
        let is = |pid: Option<u16>| pid == Some(packet.pid);
        if packet.pid == PAT_PID {
            let sections = self.association.take(packet, payload, &mut self.damage);
            for pid in sections.iter().filter_map(|s| psi::first_program(s)) {
                self.follow(pid);
            }
        } else if is(self.map.as_ref().map(|(pid, _)| *pid)) {
            let Some((_, table)) = &mut self.map else {
                return;
            };
            let sections = table.take(packet, payload, &mut self.damage);
            for streams in sections.iter().filter_map(|s| psi::program_map(s)) {
                self.choose(streams);
            }
        } else if is(self.video.as_ref().map(|it| it.pid)) {
            let Some(video) = &mut self.video else {
                return;
            };
            let order = video.continuity.take(packet, payload);
            if order == Order::Repeated {
                return;
            }
            if order == Order::AfterHole {
                // The picture before the hole may have been whole.
                let before = video.assembler.finish();
                self.damage.holes += 1;
                if let Some(pes) = before {
                    self.picture(now, pes);
                }
                self.reference = Reference::Broken { since: None };
            }
            let ended = self.video.as_mut().map(|it| it.assemble(packet, payload));
            for pes in ended.into_iter().flatten().flatten() {
                self.picture(now, pes);
            }
        } else if is(self.audio.as_ref().map(|it| it.pid)) {
            let Some(audio) = &mut self.audio else {
                return;
            };
            match audio.continuity.take(packet, payload) {
                Order::Repeated => return,
                Order::Next => {}
                Order::AfterHole => {
                    self.damage.holes += 1;
                    let under_way = audio.assembler.reset() | audio.reader.reset();
                    self.damage.frames += u64::from(under_way);
                }
            }
            for pes in audio.assemble(packet, payload).into_iter().flatten() {
                self.sound(now, pes);
            }
        }
    }

    /// The program map is at `pid`.
    fn follow(&mut self, pid: u16) {
        if self.map.as_ref().is_none_or(|(known, _)| *known != pid) {
            self.map = Some((pid, Table::default()));
        }
    }

    /// The program has these streams. Tables are repeated several times a second, mostly without
    /// a change.
    fn choose(&mut self, streams: Vec<Stream>) {
        if streams == self.streams {
            return;
        }
        let video = streams.iter().find_map(|stream| match stream.coding {
            Coding::Video(coding) => Some((stream.pid, coding)),
            _ => None,
        });
        let audio = streams.iter().find(|it| it.coding == Coding::Adts);
        let audio = audio.map(|stream| stream.pid);
        if self.video.as_ref().map(|it| (it.pid, it.reader.coding())) != video {
            self.video =
                video.map(|(pid, coding)| Elementary::new(pid, video::Reader::new(coding)));
            self.reference = Reference::Whole;
        }
        if self.audio.as_ref().map(|it| it.pid) != audio {
            self.audio = audio.map(|pid| Elementary::new(pid, adts::Reader::default()));
        }
        let is_taken = |pid: u16| video.is_some_and(|(it, _)| it == pid) || audio == Some(pid);
        for Stream { pid, coding } in &streams {
            let what = match coding {
                Coding::Foreign(name) => name.clone(),
                _ if is_taken(*pid) => continue,
                Coding::Video(_) => "a further video stream".to_owned(),
                Coding::Adts => "a further audio stream".to_owned(),
            };
            self.refuse(*pid, what);
        }
        self.streams = streams;
    }

    fn picture(&mut self, now: Instant, pes: Result<Pes, Damaged>) {
        let Some(Elementary { pid, reader, .. }) = &mut self.video else {
            return;
        };
        let pid = *pid;
        let Ok(pes) = pes else {
            self.damage.frames += 1;
            self.reference = Reference::Broken { since: None };
            return;
        };
        let unit = reader.read(&pes.data);
        match unit.config {
            Some(Ok(config)) => self.configure(config),
            Some(Err(what)) => self.refuse(pid, what),
            None => {}
        }
        if unit.data.is_empty() {
            return;
        }
        let (Some(pts), Some(dts)) = (pes.pts, pes.dts) else {
            self.damage.frames += 1;
            self.reference = Reference::Broken { since: None };
            return;
        };
        if !self.reference.allows(unit.keyframe, dts) {
            self.damage.awaiting_keyframe += 1;
            return;
        }
        let frame = TsFrame {
            kind: TrackKind::Video,
            pts,
            dts,
            keyframe: unit.keyframe,
            data: unit.data,
        };
        let media = self.repair.ts_frame(now, frame);
        self.events.extend(media.map(Event::Media));
    }

    fn sound(&mut self, now: Instant, pes: Result<Pes, Damaged>) {
        let Some(Elementary { pid, reader, .. }) = &mut self.audio else {
            return;
        };
        let pid = *pid;
        match pes {
            Ok(pes) => reader.push(pes.pts, &pes.data),
            Err(Damaged) => {
                reader.reset();
                self.damage.frames += 1;
                return;
            }
        }
        while let Some(sound) = self.audio.as_mut().and_then(|it| it.reader.next()) {
            match sound {
                Sound::Config(Ok(config)) => self.configure(TrackConfig::Aac(config)),
                Sound::Config(Err(error)) => self.refuse(pid, error.to_string()),
                Sound::Frame(at, data) => {
                    let at = at & CLOCK_MASK;
                    let frame = TsFrame {
                        kind: TrackKind::Audio,
                        pts: at,
                        dts: at,
                        keyframe: true,
                        data,
                    };
                    let media = self.repair.ts_frame(now, frame);
                    self.events.extend(media.map(Event::Media));
                }
                Sound::Damaged => self.damage.frames += 1,
            }
        }
    }

    fn configure(&mut self, config: TrackConfig) {
        let media = self.repair.config(config);
        self.events.extend(media.map(Event::Media));
    }

    fn refuse(&mut self, pid: u16, what: String) {
        let refused = (pid, what);
        if self.refused.len() < MAX_REFUSED && !self.refused.contains(&refused) {
            self.refused.push(refused.clone());
            let (pid, what) = refused;
            self.events.push_back(Event::Refused { pid, what });
        }
    }
}

impl Table {
    /// Takes a packet; the sections that end in it.
    fn take(&mut self, packet: &Packet<'_>, payload: &[u8], damage: &mut Damage) -> Vec<Vec<u8>> {
        match self.continuity.take(packet, payload) {
            Order::Repeated => return Vec::new(),
            Order::Next => {}
            Order::AfterHole => {
                damage.holes += 1;
                self.sections.reset();
            }
        }
        self.sections
            .push(packet.unit_start, payload, &mut damage.tables)
    }
}

impl<R> Elementary<R> {
    fn new(pid: u16, reader: R) -> Self {
        Self {
            pid,
            continuity: Continuity::default(),
            assembler: Assembler::default(),
            reader,
        }
    }

    /// The PES packets that end with a packet: the one before where another begins, and that one
    /// if it ends in the same packet.
    fn assemble(
        &mut self,
        packet: &Packet<'_>,
        payload: &[u8],
    ) -> [Option<Result<Pes, Damaged>>; 2] {
        let before = packet.unit_start.then(|| self.assembler.begin()).flatten();
        [before, self.assembler.extend(payload, packet.stuffed)]
    }
}

impl Reference {
    /// Whether a picture that is decoded at `dts` goes on.
    fn allows(&mut self, keyframe: bool, dts: u64) -> bool {
        const LONGEST: u64 = MAX_KEYFRAME_WAIT * TIMESCALE as u64;
        if let Self::Broken { since } = self {
            let begun = *since.get_or_insert(dts);
            let waited = dts.wrapping_sub(begun) & CLOCK_MASK;
            if !keyframe && waited < LONGEST {
                return false;
            }
            *self = Self::Whole;
        }
        true
    }
}
