//! Hostile streams: each a well-made stream with one defect, as encoders in the field have them,
//! and what must become of it.
//!
//! - [`Stream`]: what is sent, and when
//! - [`clocks`]: timestamps that jump, wrap, drift or stand still
//! - [`tracks`]: tracks that are missing, come late, change or are of an odd kind
//!
//! The well-made stream is ten seconds of ffmpeg's test picture with B-frames and a tone, so that
//! the corpus needs no file.

use std::{process::Command, sync::OnceLock};

use crate::{
    flv::{self, Tag},
    probe::{self, MediaFile, Packet},
};

mod clocks;
mod tracks;

/// A hostile stream and what must become of it.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What is wrong with it.
    pub name: &'static str,
    /// What is sent, in order.
    pub messages: Vec<Message>,
    /// What must come out.
    pub expected: Expected,
}

/// One message of an encoder.
#[derive(Clone, Debug)]
pub struct Message {
    /// When it is sent, in milliseconds after the first.
    pub at_ms: u64,
    /// What is sent.
    pub tag: Tag,
    /// MD5 of its access unit as ffprobe prints it; none for a sequence header.
    pub hash: Option<String>,
}

/// What must come out of a hostile stream. What came in is served in order, each access unit at
/// most once, with decoding times that rise.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Pictures that may be left out.
    pub lost_pictures: usize,
    /// Audio frames that may be left out.
    pub lost_sounds: usize,
    /// Discontinuities in the playlist.
    pub discontinuities: usize,
    /// From the first segment's start to the last one's end, in seconds, and how far it may be off.
    pub length: (f64, f64),
    /// The same for sound, where it differs.
    pub sound_length: Option<(f64, f64)>,
    /// Presentation of the first sound after that of the first picture in seconds, and how far it
    /// may be off; none where there is only one of them.
    pub sound_after_picture: Option<(f64, f64)>,
    /// A counter of the operator's status that must not be 0.
    pub counted: Option<&'static str>,
}

/// Ten seconds without loss.
pub const UNHARMED: Expected = Expected {
    lost_pictures: 0,
    lost_sounds: 3,
    discontinuities: 0,
    length: (10.0, 0.15),
    sound_length: None,
    sound_after_picture: Some((0.0, 0.04)),
    counted: None,
};

/// All of them.
pub fn all() -> Vec<Stream> {
    let mut streams = clocks::all();
    streams.extend(tracks::all());
    streams
}

/// Ten seconds of 480x270 at 25 pictures a second, an IDR each 2 s, two B-frames; stereo at 48 kHz.
fn well_made() -> Vec<Message> {
    static MADE: OnceLock<Vec<Message>> = OnceLock::new();
    MADE.get_or_init(|| make(&["size=480x270:rate=25"], &[]))
        .clone()
}

/// Makes ten seconds with further options of the picture's source and of ffmpeg.
fn make(picture: &[&str], options: &[&str]) -> Vec<Message> {
    let file = MediaFile::new("made.flv", &[]);
    let picture = format!("testsrc2={}:duration=10", picture.join(":"));
    let mut command = Command::new("ffmpeg");
    command
        .args([
            "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &picture,
        ])
        .args([
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=48000:duration=10",
        ])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            "2",
            "-b:v",
            "400k",
        ])
        .args(["-g", "50", "-keyint_min", "50", "-sc_threshold", "0"])
        .args(["-c:a", "aac", "-b:a", "64k"])
        .args(options)
        .args(["-f", "flv"])
        .arg(file.path());
    let status = command.status().expect("ffmpeg runs");
    assert!(status.success(), "{command:?}");
    let tags = std::fs::read(file.path()).expect("ffmpeg wrote the file");
    let tags = flv::read(tags.into()).expect("ffmpeg writes FLV");
    let hashes = |stream| -> Vec<Packet> {
        let stream_is_there = probe::streams(file.path())
            .iter()
            .any(|found| found.codec_type.starts_with(stream));
        match stream_is_there {
            true => probe::packets(file.path(), &format!("{stream}:0")),
            false => Vec::new(),
        }
    };
    let (mut pictures, mut sounds) = (hashes("v").into_iter(), hashes("a").into_iter());
    tags.into_iter()
        // ffmpeg ends H.264 in FLV with a tag that says so, and that holds nothing.
        .filter(|tag| !(tag.video && tag.body.get(1) == Some(&2)))
        .map(|tag| {
            let packets = if tag.video {
                &mut pictures
            } else {
                &mut sounds
            };
            let packet = (!tag.is_sequence_header()).then(|| packets.next());
            Message {
                at_ms: tag.time_ms.into(),
                hash: packet.flatten().map(|packet| packet.hash),
                tag,
            }
        })
        .collect()
}

/// The well-made stream with each tag's time changed.
fn retimed(change: impl Fn(&Message) -> u32) -> Vec<Message> {
    let mut messages = well_made();
    for message in &mut messages {
        message.tag.time_ms = change(message);
    }
    messages
}
