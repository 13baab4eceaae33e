//! A broadcast with low latency: the marked film, pushed in real time again and again to `weir serve`.

use std::{
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{Instant, sleep},
};
use weir_tests::Http;

use crate::peer::{Server, Weir};

const FILM: &str = "target/film/film.mp4";
const NUMBERS: &str = include_str!("../../../tests/browser/film.json");
const LIVE_DEADLINE: Duration = Duration::from_secs(60);
/// What a live window holds before the first viewer comes.
const WARM_UP: Duration = Duration::from_secs(15);

/// It goes on until it is dropped.
pub(super) struct Broadcast {
    // Ends first: it would complain about a server that has gone.
    _ffmpeg: Child,
    weir: Weir,
    id: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// When a frame left the encoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) index: u32,
    /// Unix time.
    pub(super) at_ms: f64,
}

impl Broadcast {
    /// Begins one without a ladder and with parts of a profile.
    pub(super) async fn start(parts: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Numbers {
            frames: u32,
        }
        let Numbers { frames } = serde_json::from_str(NUMBERS)?;
        ensure!(
            Path::new(FILM).exists(),
            "{FILM} is missing: run `cargo xtask film` first"
        );
        let weir = Weir::start_as("serve", &["--ladder", "none", "--parts", parts]).await?;
        let video = weir.create_video().await?;
        let url = format!("rtmp://{}/live/{}", weir.rtmp(), video.stream_key);
        let mut ffmpeg = push(&url)?;
        let lines = ffmpeg.stdout.take().context("ffmpeg's output is piped")?;
        let sent = Arc::new(Mutex::new(Vec::new()));
        let log = sent.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(lines).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(index) = frame_index(&line, frames) {
                    let at_ms = unix_ms();
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    log.push(Sent { index, at_ms });
                }
            }
        });
        let broadcast = Self {
            weir,
            id: video.id,
            sent,
            _ffmpeg: ffmpeg,
        };
        broadcast.wait_until_live().await?;
        sleep(WARM_UP).await;
        Ok(broadcast)
    }

    /// The server, as viewers have it.
    pub(super) fn server(&self) -> &str {
        self.weir.viewer()
    }

    /// The path of its multivariant playlist.
    pub(super) fn playlist(&self) -> String {
        format!("/v/{}/index.m3u8", self.id)
    }

    /// The path of its manifest.
    pub(super) fn manifest(&self) -> String {
        format!("/v/{}/manifest.mpd", self.id)
    }

    /// Every frame so far.
    pub(super) fn sent(&self) -> Vec<Sent> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.clone()
    }

    async fn wait_until_live(&self) -> Result<()> {
        let viewer = Http::new(self.server());
        let deadline = Instant::now() + LIVE_DEADLINE;
        loop {
            let answer = viewer.get(&self.playlist()).await;
            if answer.text().contains("RESOLUTION=") {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "not live within {LIVE_DEADLINE:?}"
            );
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Each packet of the picture goes to both outputs as it is read; the second one says when.
fn push(url: &str) -> Result<Child> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args([
            "-nostdin",
            "-v",
            "error",
            "-re",
            "-stream_loop",
            "-1",
            "-i",
            FILM,
        ])
        .args([
            "-map", "0:v:0", "-map", "0:a:0", "-c", "copy", "-f", "flv", url,
        ])
        .args(["-map", "0:v:0", "-c", "copy", "-f", "framecrc"])
        .args(["-flush_packets", "1", "pipe:1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    ffmpeg.spawn().context("start ffmpeg")
}

/// The index of the frame that a line of ffmpeg's framecrc muxer tells of:
/// `stream, dts, pts, duration, size, crc`. The turns of the film follow each other without a gap.
fn frame_index(line: &str, frames: u32) -> Option<u32> {
    let mut columns = line.split(',').map(str::trim).skip(2);
    let pts: u64 = columns.next()?.parse().ok()?;
    let duration: u64 = columns.next()?.parse().ok()?;
    let index = pts.checked_div(duration)? % u64::from(frames);
    u32::try_from(index).ok()
}

fn unix_ms() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::frame_index;

    #[test]
    fn a_framecrc_line_names_its_frame() {
        let line = "0,     294912,     295424,      512,   348, 0xcc68a15d";
        assert_eq!(frame_index(line, 576), Some(1));
        assert_eq!(frame_index("#media_type 0: video", 576), None);
    }
}
