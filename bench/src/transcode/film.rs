//! The film in 1080p with an IDR picture every 2 s, as a streamer would send it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

const ORIGINAL: &str = "target/film/package/video.mp4";

/// Encodes it once. Fragments and a timescale of 90 kHz make it easy to read.
pub(super) fn prepare(seconds: u32) -> Result<PathBuf> {
    let film = PathBuf::from(format!("target/film/film-1080p-{seconds}s.mp4"));
    if film.exists() {
        return Ok(film);
    }
    ensure!(
        Path::new(ORIGINAL).exists(),
        "{ORIGINAL} is missing: run `cargo xtask film` first"
    );
    let partial = film.with_extension("partial.mp4");
    let seconds = seconds.to_string();
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i", ORIGINAL, "-t", &seconds])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-b:v", "6M"])
        .args(["-maxrate", "6M", "-bufsize", "6M", "-bf", "2"])
        .args(["-g", "48", "-keyint_min", "48", "-sc_threshold", "0"])
        .args(["-c:a", "aac", "-ar", "48000", "-b:a", "128k"])
        .args(["-video_track_timescale", "90000"])
        .args(["-movflags", "empty_moov+default_base_moof+frag_keyframe"])
        .arg(&partial)
        .status()
        .context("run ffmpeg")?;
    ensure!(status.success(), "ffmpeg could not encode {ORIGINAL}");
    std::fs::rename(partial, &film)?;
    Ok(film)
}
