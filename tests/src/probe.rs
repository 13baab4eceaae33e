//! What ffprobe and ffmpeg find in a file or at a URL.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, de::DeserializeOwned};
use tempfile::TempDir;

use crate::built;

/// A coded packet. Times are in seconds on the file's own timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// When it is shown.
    pub pts: f64,
    /// When it is decoded.
    pub dts: f64,
    /// How long it is shown.
    pub duration: f64,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// Size in bytes.
    pub size: u64,
    /// MD5 of its bytes.
    pub hash: String,
}

/// A stream as ffprobe describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Stream {
    /// Such as `h264` or `aac`.
    pub codec_name: String,
    /// `video` or `audio`.
    pub codec_type: String,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
}

/// A file of the test's own, gone when dropped.
#[derive(Debug)]
pub struct MediaFile {
    path: PathBuf,
    _folder: TempDir,
}

impl MediaFile {
    /// Writes `bytes` to a new file called `name`.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a temporary file can be written");
        Self {
            path,
            _folder: folder,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The streams of `input`, a path or a URL.
pub fn streams(input: impl AsRef<OsStr>) -> Vec<Stream> {
    #[derive(Deserialize)]
    struct Report {
        streams: Vec<Stream>,
    }
    let report: Report = ffprobe(&["-show_streams"], input.as_ref());
    report.streams
}

/// The packets of one stream in file order. `stream` is a specifier such as `v:0` or `a:0`.
pub fn packets(input: impl AsRef<OsStr>, stream: &str) -> Vec<Packet> {
    #[derive(Deserialize)]
    struct Report {
        packets: Vec<RawPacket>,
    }
    #[derive(Deserialize)]
    struct RawPacket {
        pts_time: String,
        dts_time: String,
        duration_time: Option<String>,
        flags: String,
        size: String,
        data_hash: String,
    }
    let options = [
        "-select_streams",
        stream,
        "-show_packets",
        "-show_data_hash",
        "md5",
    ];
    let report: Report = ffprobe(&options, input.as_ref());
    let seconds = |text: &str| text.parse::<f64>().expect("ffprobe prints seconds");
    let packet = |raw: RawPacket| Packet {
        pts: seconds(&raw.pts_time),
        dts: seconds(&raw.dts_time),
        duration: raw.duration_time.as_deref().map_or(0.0, seconds),
        keyframe: raw.flags.starts_with('K'),
        size: raw.size.parse().expect("ffprobe prints bytes"),
        hash: raw.data_hash,
    };
    report.packets.into_iter().map(packet).collect()
}

/// A decoded picture: when it is shown, in seconds, and the MD5 of its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// When it is shown.
    pub pts: f64,
    /// MD5 of its pixels.
    pub hash: String,
}

/// Decodes the video of `input`, a path or a URL, and yields its frames in the order they are
/// shown.
///
/// # Panics
/// If ffmpeg reports any error on the way.
pub fn decode(input: impl AsRef<OsStr>) -> Vec<Frame> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(input.as_ref());
    command.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-copyts"]);
    command.args(["-enc_time_base", "1:90000", "-f", "framemd5", "-"]);
    let text = run(&mut command);
    let frame = |line: &str| {
        let columns: Vec<&str> = line.split(',').map(str::trim).collect();
        let [_, _, pts, _, _, hash] = columns[..] else {
            panic!("no framemd5 line: {line}")
        };
        let pts: f64 = pts.parse().expect("framemd5 prints ticks");
        Frame {
            pts: pts / 90_000.0,
            hash: hash.to_owned(),
        }
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(frame)
        .collect()
}

/// Decodes all of `input` with FFmpeg 9, which comes without an ffprobe, and yields its complaints.
pub fn decode_with_ffmpeg_9(input: impl AsRef<OsStr>) -> String {
    let mut command = Command::new(built::ffmpeg_9());
    command
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(input.as_ref());
    let output = command.args(["-map", "0", "-f", "null", "-"]).output();
    let output = output.expect("FFmpeg 9 runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.is_empty() && !output.status.success() {
        return output.status.to_string();
    }
    said
}

fn ffprobe<T: DeserializeOwned>(options: &[&str], input: &OsStr) -> T {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-of", "json"])
        .args(options)
        .arg(input);
    let text = run(&mut command);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("ffprobe: {error}: {text}"))
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{command:?}: {complaints}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
