//! How an elementary stream is coded (section 2.4.4.9, table 2-34), and what that is called.

use super::video::Video;

/// The coding of an elementary stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// H.264 or HEVC with start codes.
    Video(Video),
    /// AAC in ADTS.
    Adts,
    /// Something that is not taken, by a name that a person knows.
    Foreign(String),
}

impl Coding {
    pub(super) fn of(stream_type: u8, descriptors: &[u8]) -> Self {
        let name = match stream_type {
            0x1b => return Self::Video(Video::Avc),
            0x24 => return Self::Video(Video::Hevc),
            0x0f => return Self::Adts,
            0x01 => "MPEG-1 video",
            0x02 => "MPEG-2 video",
            0x03 | 0x04 => "MPEG audio (MP2 or MP3)",
            0x06 => return Self::Foreign(private_name(descriptors)),
            0x10 => "MPEG-4 part 2 video",
            0x11 => "AAC in LATM",
            0x15 => "metadata",
            0x1c => "AAC without ADTS",
            0x21 => "JPEG 2000",
            0x33 => "VVC",
            0x81 => "AC-3",
            0x86 => "SCTE-35 cues",
            0x87 => "E-AC-3",
            other => return Self::Foreign(format!("of stream type {other:#04x}")),
        };
        Self::Foreign(name.to_owned())
    }
}

/// What private data (stream type 6) is by its descriptors.
fn private_name(mut descriptors: &[u8]) -> String {
    const REGISTRATION: u8 = 0x05;
    while let [tag, len, rest @ ..] = descriptors {
        let Some((body, after)) = rest.split_at_checked(usize::from(*len)) else {
            break;
        };
        let name = match (*tag, body.first_chunk::<4>()) {
            (REGISTRATION, Some(b"Opus")) => "Opus",
            (REGISTRATION, Some(b"AC-3")) => "AC-3",
            (REGISTRATION, Some(b"EAC3")) => "E-AC-3",
            (REGISTRATION, Some(b"HEVC")) => "HEVC",
            (REGISTRATION, Some(b"AV01")) => "AV1",
            (REGISTRATION, Some(b"BSSD")) => "SMPTE 302M audio",
            (REGISTRATION, Some(other)) => {
                return format!("private data of format {}", other.escape_ascii());
            }
            // Of EN 300 468.
            (0x56, _) => "teletext",
            (0x59, _) => "DVB subtitles",
            (0x6a, _) => "AC-3",
            (0x7a, _) => "E-AC-3",
            _ => {
                descriptors = after;
                continue;
            }
        };
        return name.to_owned();
    }
    "private data".to_owned()
}
