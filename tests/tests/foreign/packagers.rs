//! Runs Shaka Packager and ffmpeg on a test picture and a tone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use weir_tests::{built, process::Process};

/// How long the recordings are, in seconds, and how long their segments, but for those of ffmpeg's
/// HLS, which are twice as long.
pub(crate) const SECONDS: f64 = 8.0;
const SEGMENT_S: &str = "2";

/// A folder with source files and with what packagers make of them.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        Self { folder }
    }

    /// With the pictures `180.mp4` and `360.mp4` and the sounds `en.mp4` and `fr.mp4`.
    pub(crate) fn with_sources() -> Self {
        let bench = Self::new();
        for height in [180, 360] {
            let picture = picture(height, Some(SECONDS));
            bench.ffmpeg(&format!("{picture} {H264} {height}.mp4"));
        }
        for (language, frequency) in [("en", 440), ("fr", 660)] {
            bench.ffmpeg(&format!(
                "-f lavfi -i sine=frequency={frequency}:sample_rate=48000:duration={SECONDS} {AAC} {language}.mp4"
            ));
        }
        bench
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a folder for an output.
    pub(crate) fn make(&self, name: &str) {
        fs::create_dir_all(self.folder().join(name)).expect("a folder can be made");
    }

    /// Runs ffmpeg with arguments that are separated by spaces.
    pub(crate) fn ffmpeg(&self, arguments: &str) {
        finish(&mut self.command("ffmpeg".into(), &format!("{FFMPEG} {arguments}")));
    }

    /// Runs Shaka Packager, likewise.
    pub(crate) fn shaka(&self, arguments: &str) {
        finish(&mut self.command(built::shaka_packager(), &format!("--quiet {arguments}")));
    }

    /// Has ffmpeg go on until the answer is dropped.
    pub(crate) fn start_ffmpeg(&self, arguments: &str) -> Process {
        let mut command = self.command("ffmpeg".into(), &format!("{FFMPEG} {arguments}"));
        Process::start("ffmpeg", &mut command, &self.folder().join("ffmpeg.log"))
    }

    /// Has Shaka Packager go on until the answer is dropped.
    pub(crate) fn start_shaka(&self, arguments: &str) -> Process {
        let mut command = self.command(built::shaka_packager(), &format!("--quiet {arguments}"));
        Process::start(
            "the packager",
            &mut command,
            &self.folder().join("shaka.log"),
        )
    }

    fn command(&self, program: PathBuf, arguments: &str) -> Command {
        let mut command = Command::new(program);
        // A space in an argument is written as one that does not break.
        let arguments = arguments.split(' ').filter(|argument| !argument.is_empty());
        command
            .args(arguments.map(|argument| argument.replace('\u{a0}', " ")))
            .current_dir(self.folder());
        command
    }
}

const FFMPEG: &str = "-nostdin -v error -y";

/// An IDR every two seconds, B-frames between.
pub(crate) const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 2 -b:v 300k -g 50 -keyint_min 50 -sc_threshold 0";
pub(crate) const AAC: &str = "-c:a aac -b:a 64k";

/// ffmpeg's test picture as its input, 25 a second, for so many seconds or for ever.
pub(crate) fn picture(height: u32, seconds: Option<f64>) -> String {
    let width = height * 16 / 9;
    let duration = seconds.map_or_else(String::new, |seconds| format!(":duration={seconds}"));
    format!("-f lavfi -i testsrc2=size={width}x{height}:rate=25{duration}")
}

/// What Shaka Packager is told of a track: in numbered files, each a segment, or in one with an
/// index.
pub(crate) fn stream(source: &str, numbered: Option<&str>, output: &str) -> String {
    let (kind, sound) = match source {
        "180" | "360" => ("video", String::new()),
        language => {
            let sound = format!(",language={language},hls_group_id=audio,hls_name={language}");
            ("audio", sound)
        }
    };
    let files = match numbered {
        Some(number) => format!(
            "init_segment={output}/{source}/init.mp4,segment_template={output}/{source}/{number}.m4s"
        ),
        None => format!("output={output}/{source}.mp4,iframe_playlist_name=i{source}.m3u8"),
    };
    let files = match kind {
        "audio" => files.split(",iframe").next().unwrap_or_default().to_owned(),
        _ => files,
    };
    format!("in={source}.mp4,stream={kind}{sound},{files}")
}

/// Arguments for a manifest and a multivariant playlist in a folder.
pub(crate) fn lists(output: &str) -> String {
    format!(
        "--segment_duration {SEGMENT_S} --mpd_output {output}/manifest.mpd --hls_master_playlist_output {output}/master.m3u8"
    )
}

fn finish(command: &mut Command) {
    let output = command.output().expect("the packager runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
