//! Writes transport streams.

use std::collections::BTreeMap;

use crc::{CRC_32_MPEG_2, Crc};

use crate::ts::packet::LEN;

pub(super) const MAP: u16 = 0x1000;
pub(super) const VIDEO: u16 = 0x100;
pub(super) const AUDIO: u16 = 0x101;

/// Stream type, PID and descriptors.
pub(super) type Entry<'a> = (u8, u16, &'a [u8]);

pub(super) struct Muxer {
    pub(super) out: Vec<u8>,
    counters: BTreeMap<u16, u8>,
    map: Vec<u8>,
    version: u8,
}

impl Muxer {
    /// A stream that begins with its tables.
    pub(super) fn new(streams: &[Entry<'_>]) -> Self {
        let mut muxer = Self {
            out: Vec::new(),
            counters: BTreeMap::new(),
            map: Vec::new(),
            version: 0,
        };
        muxer.map = muxer.map_section(streams);
        muxer.tables();
        muxer
    }

    /// Both tables, again.
    pub(super) fn tables(&mut self) {
        let program = [0, 1, 0xe0 | (MAP >> 8) as u8, MAP as u8];
        let association = section(0, 1, 0, &[&[0, 0, 0xe0, 0x10][..], &program].concat());
        self.section(0, &association);
        self.section(MAP, &self.map.clone());
    }

    /// Another program map.
    pub(super) fn map(&mut self, streams: &[Entry<'_>]) {
        self.version += 1;
        self.map = self.map_section(streams);
        self.section(MAP, &self.map.clone());
    }

    pub(super) fn video(&mut self, pts: u64, dts: u64, data: &[u8]) {
        self.pes(VIDEO, 0xe0, Some(pts), Some(dts), data, false);
    }

    pub(super) fn audio(&mut self, pts: Option<u64>, data: &[u8]) {
        self.pes(AUDIO, 0xc0, pts, None, data, true);
    }

    pub(super) fn pes(
        &mut self,
        pid: u16,
        stream_id: u8,
        pts: Option<u64>,
        dts: Option<u64>,
        data: &[u8],
        bounded: bool,
    ) {
        let times: Vec<u8> = match (pts, dts) {
            (Some(pts), Some(dts)) => [timestamp(3, pts), timestamp(1, dts)].concat(),
            (Some(pts), None) => timestamp(2, pts).to_vec(),
            _ => Vec::new(),
        };
        let flags = [0, 0x80, 0xc0][times.len() / 5];
        let len = if bounded {
            3 + times.len() + data.len()
        } else {
            0
        };
        let mut packet = vec![0, 0, 1, stream_id];
        packet.extend((len as u16).to_be_bytes());
        packet.extend([0x80, flags, times.len() as u8]);
        packet.extend(times);
        packet.extend(data);
        self.payload(pid, &packet, true);
    }

    fn map_section(&self, streams: &[Entry<'_>]) -> Vec<u8> {
        let mut body = vec![0xe1, 0, 0xf0, 0];
        for (stream_type, pid, descriptors) in streams {
            body.push(*stream_type);
            body.extend((pid | 0xe000).to_be_bytes());
            body.extend((descriptors.len() as u16 | 0xf000).to_be_bytes());
            body.extend_from_slice(descriptors);
        }
        section(2, 1, self.version, &body)
    }

    fn section(&mut self, pid: u16, section: &[u8]) {
        let pointed = [&[0], section].concat();
        self.payload(pid, &pointed, false);
    }

    /// As many packets as it takes. The last one is filled up: in its adaptation field, or after
    /// the payload.
    fn payload(&mut self, pid: u16, payload: &[u8], stuffed: bool) {
        const ROOM: usize = LEN - 4;
        for (nth, piece) in payload.chunks(ROOM).enumerate() {
            let counter = self.counters.entry(pid).or_default();
            let start = if nth == 0 { 0x40 } else { 0 };
            let missing = ROOM - piece.len();
            let adaptation = stuffed && missing > 0;
            let control = if adaptation { 0x30 } else { 0x10 } | *counter;
            *counter = (*counter + 1) & 0x0f;
            let end = self.out.len() + LEN;
            self.out
                .extend([0x47, start | (pid >> 8) as u8, pid as u8, control]);
            if adaptation {
                self.out.push(missing as u8 - 1);
                let mut field = vec![0xff; missing - 1];
                if let Some(flags) = field.first_mut() {
                    *flags = 0;
                }
                self.out.extend(field);
            }
            self.out.extend_from_slice(piece);
            self.out.resize(end, 0xff);
        }
    }
}

fn section(table_id: u8, id: u16, version: u8, body: &[u8]) -> Vec<u8> {
    let len = 5 + body.len() + 4;
    let mut section = vec![table_id];
    section.extend((len as u16 | 0xb000).to_be_bytes());
    section.extend(id.to_be_bytes());
    section.extend([0xc1 | version << 1, 0, 0]);
    section.extend(body);
    let crc = Crc::<u32>::new(&CRC_32_MPEG_2).checksum(&section);
    section.extend(crc.to_be_bytes());
    section
}

fn timestamp(mark: u8, time: u64) -> [u8; 5] {
    [
        mark << 4 | ((time >> 30) as u8 & 7) << 1 | 1,
        (time >> 22) as u8,
        (time >> 15 << 1) as u8 | 1,
        (time >> 7) as u8,
        (time << 1) as u8 | 1,
    ]
}

/// Parameter sets of a stream of 320x180.
const SPS: &[u8] = b"\x67\x4d\x40\x0c\xec\xa0\xa0\xcf\xcf\x80\x88\x00\x00\x03\x00\x08\x00\x00\x03\x01\x90\x78\xa1\x4c\xb0";
const PPS: &[u8] = b"\x68\xeb\xe3\xcb\x20";

/// An access unit as encoders write it, of one slice.
pub(super) fn picture(keyframe: bool, marker: u8, len: usize) -> Vec<u8> {
    let mut unit = b"\0\0\0\x01\x09\xf0".to_vec();
    if keyframe {
        for set in [SPS, PPS] {
            unit.extend(b"\0\0\0\x01");
            unit.extend(set);
        }
    }
    unit.extend(b"\0\0\0\x01");
    unit.extend(slice(keyframe, marker, len));
    unit
}

/// A slice that is filled with `marker`, and holds neither a start code nor zeros at its end.
pub(super) fn slice(keyframe: bool, marker: u8, len: usize) -> Vec<u8> {
    let mut slice = vec![if keyframe { 0x65 } else { 0x41 }];
    slice.extend((0..len).map(|i| if i % 2 == 0 { 0x80 } else { marker }));
    slice.push(0x80);
    slice
}

/// A frame of AAC-LC, 44.1 kHz, stereo.
pub(super) fn adts_frame(marker: u8, len: usize) -> Vec<u8> {
    let frame_len = len + 7;
    let mut frame = vec![
        0xff,
        0xf1,
        0x50,
        0x80 | (frame_len >> 11) as u8,
        (frame_len >> 3) as u8,
        (frame_len << 5) as u8 | 0x1f,
        0xfc,
    ];
    frame.resize(frame_len, marker);
    frame
}
