//! CPU time of a ladder that is fed as fast as it takes it.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use weir_media::{
    fmp4::read,
    framing::{EncoderChoice, Frame, LadderJob, LadderRung, VideoCodec, encode},
    unit::{TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;

use super::{PRESET, RUNGS};
use crate::process;

/// The film's video.
pub(super) struct Source {
    config: TrackConfig,
    units: Vec<Unit>,
}

impl Source {
    pub(super) fn read(film: &Path) -> Result<Self> {
        let file = Bytes::from(fs::read(film)?);
        let tracks = read::tracks(&file)?;
        let track = tracks
            .into_iter()
            .find(|track| track.config.kind() == TrackKind::Video);
        let track = track.context("the film has no video")?;
        ensure!(
            track.timescale == TIMESCALE,
            "the film has another timescale"
        );
        let mut units = Vec::new();
        let of_video = |fragment: &read::Fragment| fragment.track_id == track.track_id;
        for fragment in read::fragments(&file)?.into_iter().filter(of_video) {
            let mut dts = i64::try_from(fragment.base_media_decode_time)?;
            for sample in fragment.samples {
                units.push(Unit {
                    kind: TrackKind::Video,
                    dts: Timestamp(dts),
                    pts: Timestamp(dts + i64::from(sample.composition_offset)),
                    keyframe: sample.keyframe,
                    data: sample.data,
                });
                dts += i64::from(sample.duration);
            }
        }
        Ok(Self {
            config: track.config,
            units,
        })
    }

    /// How long it is.
    pub(super) fn seconds(&self) -> f64 {
        let times = || self.units.iter().map(|unit| unit.pts.as_secs_f64());
        times().fold(0.0, f64::max) - times().fold(f64::MAX, f64::min)
    }

    fn frames(&self) -> Result<Vec<u8>> {
        let rendition: RenditionId = "source".parse()?;
        let rung = |&(height, bitrate_kbps): &(u32, u32)| -> Result<LadderRung> {
            Ok(LadderRung {
                id: format!("{height}p").parse()?,
                height,
                bitrate_kbps,
                fast_bitrate_kbps: bitrate_kbps,
                codec: VideoCodec::H264,
                encoder: EncoderChoice::X264,
                preset: Some(PRESET.to_owned()),
            })
        };
        let job = LadderJob {
            renditions: RUNGS.iter().map(rung).collect::<Result<_>>()?,
            sound: Vec::new(),
            live: false,
        };
        let config = Frame::Config {
            rendition,
            config: self.config.clone(),
        };
        let units = self.units.iter().map(|unit| Frame::Unit {
            rendition,
            cut: unit.keyframe,
            unit: unit.clone(),
        });
        let mut bytes = Vec::new();
        for frame in [Frame::Job(job), config].into_iter().chain(units) {
            bytes.extend_from_slice(&encode(&frame)?);
        }
        bytes.extend_from_slice(&encode(&Frame::End)?);
        Ok(bytes)
    }
}

/// CPU seconds of `weir-transcode live`.
pub(super) fn of_weir(source: &Source) -> Result<f64> {
    let frames = source.frames()?;
    let mut child = Command::new("target/release/weir-transcode")
        .arg("live")
        .env("RUST_LOG", "warn")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start target/release/weir-transcode")?;
    let mut stdin = child.stdin.take().context("a pipe is missing")?;
    let writer = thread::spawn(move || stdin.write_all(&frames));
    let cpu = cpu_until_end(child)?;
    match writer.join() {
        Ok(written) => written?,
        Err(_) => bail!("the writer panicked"),
    }
    Ok(cpu)
}

/// CPU seconds of one ffmpeg that decodes once and encodes with what weir-transcode tells x264.
pub(super) fn of_ffmpeg(film: &Path) -> Result<f64> {
    let outputs: String = (0..RUNGS.len()).map(|n| format!("[in{n}]")).collect();
    let scales = RUNGS.iter().enumerate().map(|(n, (height, _))| {
        format!(";[in{n}]scale=-2:{height}:flags=bicubic,setsar=1[out{n}]")
    });
    let graph = format!("[0:v]split={}{outputs}", RUNGS.len()) + &scales.collect::<String>();
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(film)
        .args(["-filter_complex", &graph]);
    for (n, (_, kbps)) in RUNGS.iter().enumerate() {
        let (pad, rate) = (format!("[out{n}]"), format!("{kbps}k"));
        command
            .args(["-map", &pad, "-c:v", "libx264", "-preset", PRESET])
            .args([
                "-tune",
                "zerolatency",
                "-thread_type",
                "slice",
                "-threads",
                "1",
            ])
            .args(["-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate])
            .args(["-g", "1000000000", "-sc_threshold", "0", "-forced-idr", "1"])
            .args(["-force_key_frames", "expr:gte(t,n_forced*2)"])
            .args(["-f", "h264", "-y", "/dev/null"]);
    }
    let child = command
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .context("start ffmpeg")?;
    cpu_until_end(child)
}

/// Reads what the child says until it ends. What it has cost is known until it is waited for.
fn cpu_until_end(mut child: Child) -> Result<f64> {
    let mut stdout = child.stdout.take().context("a pipe is missing")?;
    let mut buffer = vec![0; 64 << 10];
    while stdout.read(&mut buffer)? > 0 {}
    // The pipe closes a moment before the last thread has ended.
    while !has_ended(child.id())? {
        thread::sleep(std::time::Duration::from_millis(5));
    }
    let usage = process::usage(child.id())?;
    let status = child.wait()?;
    ensure!(status.success(), "a ladder left with {status}");
    Ok(usage.cpu.as_secs_f64())
}

fn has_ended(pid: u32) -> Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(status
        .lines()
        .any(|line| line.starts_with("State:") && line.contains('Z')))
}
