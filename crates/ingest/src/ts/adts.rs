//! AAC frames out of PES packets: ADTS (ISO/IEC 14496-3 section 1.A.2.2). A PES packet may hold
//! several frames, and a frame may go on in the next one.

use bytes::{Buf, Bytes, BytesMut};
use weir_media::{
    codec::{AacConfig, InvalidAac, aac::SAMPLES_PER_FRAME},
    unit::TIMESCALE,
};

const SHORTEST_HEADER_LEN: usize = 7;
const CRC_LEN: usize = 2;

/// Reads the frames of one stream. Holds less than one frame, which is at most 8 KiB, between
/// PES packets.
#[derive(Debug, Default)]
pub(super) struct Reader {
    unread: BytesMut,
    /// Where in `unread` the first frame begins that a PES packet's time is meant for.
    timed: Option<(usize, u64)>,
    /// The time of the last timed frame, and how many came since.
    base: Option<(u64, u64)>,
    format: Option<Format>,
    /// The next byte begins a frame. If not, a frame begins where its header says the format.
    in_step: bool,
}

/// What an ADTS header says of the coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    object_type: u8,
    sampling_frequency_index: u8,
    channel_configuration: u8,
}

/// What comes out of a stream.
#[derive(Debug)]
pub(super) enum Sound {
    /// The coding, where it is another than before.
    Config(Result<AacConfig, InvalidAac>),
    /// One raw frame, with the time at which it is heard.
    Frame(u64, Bytes),
    /// Bytes that are no frame, or a frame that can't be used.
    Damaged,
}

impl Reader {
    /// Takes a PES packet's data and the time of the first frame that begins in it.
    pub(super) fn push(&mut self, pts: Option<u64>, data: &[u8]) {
        if self.unread.is_empty() {
            self.in_step = true;
        }
        if let Some(pts) = pts {
            self.timed = Some((self.unread.len(), pts));
        }
        self.unread.extend_from_slice(data);
    }

    /// Forgets the frame that is under way, whose rest is lost, and what time it is. Whether there
    /// was such a frame.
    pub(super) fn reset(&mut self) -> bool {
        (self.timed, self.base) = (None, None);
        let under_way = !self.unread.is_empty();
        self.unread.clear();
        under_way
    }

    /// What comes next; `None` until more is pushed.
    pub(super) fn next(&mut self) -> Option<Sound> {
        if !self.in_step {
            self.seek();
        }
        let header: &[u8; SHORTEST_HEADER_LEN] = self.unread.first_chunk()?;
        let Some(header) = Header::parse(header) else {
            self.in_step = false;
            return Some(Sound::Damaged);
        };
        if self.unread.len() < header.frame_len {
            return None;
        }
        if self.format != Some(header.format) {
            self.format = Some(header.format);
            return Some(Sound::Config(header.format.config()));
        }
        self.in_step = true;
        let at = self.time(header.format);
        let mut frame = self.unread.split_to(header.frame_len).freeze();
        self.moved(header.frame_len);
        frame.advance(header.header_len);
        Some(match at {
            Some(at) if header.blocks == 1 && !frame.is_empty() => Sound::Frame(at, frame),
            _ => Sound::Damaged,
        })
    }

    /// Drops bytes up to what may be a header of the format.
    fn seek(&mut self) {
        let may_begin = |at: &usize| match self.unread[*at..].first_chunk() {
            Some(header) => Header::parse(header)
                .is_some_and(|header| self.format.is_none_or(|format| format == header.format)),
            None => true,
        };
        let begin = (0..self.unread.len()).find(may_begin);
        let skipped = begin.unwrap_or(self.unread.len());
        self.unread.advance(skipped);
        self.moved(skipped);
    }

    fn moved(&mut self, len: usize) {
        if let Some((at, _)) = &mut self.timed {
            *at = at.saturating_sub(len);
        }
    }

    /// When the frame at the front is heard.
    fn time(&mut self, format: Format) -> Option<u64> {
        let rate = u64::from(format.config().ok()?.sample_rate);
        if let Some((0, pts)) = self.timed {
            self.timed = None;
            self.base = Some((pts, 0));
        }
        let (base, frames) = self.base.as_mut()?;
        let samples = *frames * u64::from(SAMPLES_PER_FRAME);
        *frames += 1;
        Some(base.wrapping_add(samples * u64::from(TIMESCALE) / rate))
    }
}

struct Header {
    format: Format,
    header_len: usize,
    /// With the header.
    frame_len: usize,
    /// Raw data blocks in the frame.
    blocks: u8,
}

impl Header {
    fn parse(bytes: &[u8; SHORTEST_HEADER_LEN]) -> Option<Self> {
        let [sync, flags, format, lengths, len_middle, len_low, blocks] = *bytes;
        // Twelve bits of sync and a layer of 0.
        if sync != 0xff || flags & 0xf6 != 0xf0 {
            return None;
        }
        let has_crc = flags & 1 == 0;
        let header_len = SHORTEST_HEADER_LEN + if has_crc { CRC_LEN } else { 0 };
        let frame_len = usize::from(lengths & 3) << 11
            | usize::from(len_middle) << 3
            | usize::from(len_low >> 5);
        (frame_len >= header_len).then_some(Self {
            format: Format {
                object_type: (format >> 6) + 1,
                sampling_frequency_index: format >> 2 & 0x0f,
                channel_configuration: (format & 1) << 2 | lengths >> 6,
            },
            header_len,
            frame_len,
            blocks: (blocks & 3) + 1,
        })
    }
}

impl Format {
    /// The AudioSpecificConfig of it.
    fn config(self) -> Result<AacConfig, InvalidAac> {
        let bits = u16::from(self.object_type) << 11
            | u16::from(self.sampling_frequency_index) << 7
            | u16::from(self.channel_configuration) << 3;
        AacConfig::parse(Bytes::copy_from_slice(&bits.to_be_bytes()))
    }
}
