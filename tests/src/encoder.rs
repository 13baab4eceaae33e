//! Encoders as streamers have them, pushing over real RTMP.

use std::{
    path::Path,
    process::{Command, ExitStatus},
    time::Duration,
};

use tempfile::TempDir;

use crate::process::Process;

/// A running encoder. It is killed when dropped.
#[derive(Debug)]
pub struct Encoder {
    process: Process,
    _log: TempDir,
}

impl Encoder {
    /// ffmpeg pushes the coded packets of `film` in real time, once.
    pub fn ffmpeg(film: &Path, rtmp_url: &str, stream_key: &str) -> Self {
        Self::start(ffmpeg(&[], film, &[]).arg(format!("{rtmp_url}/{stream_key}")))
    }

    /// ffmpeg pushes the coded packets of `film` in real time, again and again.
    pub fn ffmpeg_looped(film: &Path, rtmp_url: &str, stream_key: &str) -> Self {
        let mut command = ffmpeg(&["-stream_loop", "-1"], film, &[]);
        Self::start(command.arg(format!("{rtmp_url}/{stream_key}")))
    }

    /// ffmpeg pushes the first `length` of `film` in real time.
    pub fn ffmpeg_for(length: Duration, film: &Path, rtmp_url: &str, stream_key: &str) -> Self {
        let seconds = length.as_secs_f64().to_string();
        let mut command = ffmpeg(&[], film, &["-t", &seconds]);
        Self::start(command.arg(format!("{rtmp_url}/{stream_key}")))
    }

    /// GStreamer's `rtmp2sink` pushes the coded packets of `film` (MP4) in real time, once.
    pub fn gstreamer_rtmp2sink(film: &Path, rtmp_url: &str, stream_key: &str) -> Self {
        let location = format!("location={rtmp_url}/{stream_key}");
        Self::gstreamer(film, &["rtmp2sink", &location, "sync=true"])
    }

    /// GStreamer's `rtmpsink` (librtmp) pushes the coded packets of `film` (MP4) in real time,
    /// once.
    pub fn gstreamer_rtmpsink(film: &Path, rtmp_url: &str, stream_key: &str) -> Self {
        let location = format!("location={rtmp_url}/{stream_key} live=1");
        Self::gstreamer(film, &["rtmpsink", &location, "sync=true"])
    }

    fn gstreamer(film: &Path, sink: &[&str]) -> Self {
        let mut command = Command::new("gst-launch-1.0");
        command
            .args([
                "--eos-on-shutdown",
                "filesrc",
                &format!("location={}", film.display()),
            ])
            .args(["!", "qtdemux", "name=demux"])
            .args(["flvmux", "name=mux", "streamable=true", "!"])
            .args(sink)
            .args(["demux.video_0", "!", "queue", "!", "h264parse", "!", "mux."])
            .args(["demux.audio_0", "!", "queue", "!", "aacparse", "!", "mux."]);
        Self::start(&mut command)
    }

    /// Any other program that pushes.
    pub fn start(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let process = Process::start("the encoder", command, &folder.path().join("encoder.log"));
        Self {
            process,
            _log: folder,
        }
    }

    /// Ends the push as a streamer would, and waits until it has ended.
    pub fn stop(&mut self) {
        self.process.interrupt();
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// SIGKILL: the connection ends without a word.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Whether the push has ended.
    pub fn exited(&mut self) -> bool {
        self.process.exited().is_some()
    }

    /// Waits until the push ends by itself.
    ///
    /// # Panics
    /// If it has not within `deadline`.
    pub async fn finish(&mut self, deadline: Duration) -> ExitStatus {
        let what = format!("the encoder ends; its log: {}", self.log());
        crate::eventually(&what, deadline, || {
            std::future::ready(self.process.exited())
        })
        .await
    }

    /// What it has written to its standard output and error.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn ffmpeg(input: &[&str], film: &Path, output: &[&str]) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-re"])
        .args(input);
    command
        .arg("-i")
        .arg(film)
        .args(["-map", "0:v:0", "-map", "0:a:0"])
        .args(output);
    command.args(["-c", "copy", "-f", "flv"]);
    command
}
