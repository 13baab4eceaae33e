//! Sources made by the `ffmpeg` command, and judgement of what comes out by `ffprobe`.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::mpsc,
    time::Duration,
};

use bytes::Bytes;
use weir_media::{
    fmp4::{self, Sample, read},
    framing::{EncoderChoice, Frame, LadderJob, LadderRung, VideoCodec},
    unit::{TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;
use weir_transcoder::ladder::{LadderError, LiveLadder};

/// A coded stream.
pub(crate) struct Source {
    pub(crate) config: TrackConfig,
    pub(crate) units: Vec<Unit>,
}

impl Source {
    /// Two seconds of ffmpeg's test picture, coded with the arguments given.
    pub(crate) fn make(size: &str, codec_arguments: &[&str]) -> Self {
        Self::make_long(2, size, codec_arguments)
    }

    /// As [`make`](Self::make), but of another length.
    pub(crate) fn make_long(seconds: u32, size: &str, codec_arguments: &[&str]) -> Self {
        Self::make_at(30, seconds, size, codec_arguments)
    }

    /// As [`make_long`](Self::make_long), of so many pictures a second.
    pub(crate) fn make_at(rate: u32, seconds: u32, size: &str, codec_arguments: &[&str]) -> Self {
        weir_transcoder::quiet_libav();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("source.mp4");
        let input = format!("testsrc2=size={size}:rate={rate}:duration={seconds}");
        let status = Command::new("ffmpeg")
            .args([
                "-v", "error", "-f", "lavfi", "-i", &input, "-pix_fmt", "yuv420p",
            ])
            .args(["-c:v", "libx264", "-preset", "veryfast"])
            .args(codec_arguments)
            .args(["-video_track_timescale", &TIMESCALE.to_string()])
            .args(["-movflags", "empty_moov+default_base_moof+frag_keyframe"])
            .arg(&file)
            .status()
            .unwrap();
        assert!(status.success());
        Self::read(&file)
    }

    /// Sound that an expression of ffmpeg's `aevalsrc` describes, coded with the arguments given.
    pub(crate) fn make_sound(expression: &str, arguments: &[&str]) -> Self {
        weir_transcoder::quiet_libav();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sound.mp4");
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", expression])
            .args(arguments)
            // Units are then dated as they are heard, as live ones are.
            .args(["-use_editlist", "0", "-strict", "-2"])
            .args(["-movflags", "empty_moov+default_base_moof+frag_every_frame"])
            .arg(&file)
            .status()
            .unwrap();
        assert!(status.success());
        Self::read(&file)
    }

    fn read(file: &Path) -> Self {
        let file = Bytes::from(fs::read(file).unwrap());
        let track = read::tracks(&file).unwrap().remove(0);
        let kind = track.config.kind();
        let time =
            |ticks: i64| Timestamp(ticks * i64::from(TIMESCALE) / i64::from(track.timescale));
        let mut units = Vec::new();
        for fragment in read::fragments(&file).unwrap() {
            let mut dts = fragment.base_media_decode_time as i64;
            for sample in fragment.samples {
                units.push(Unit {
                    kind,
                    dts: time(dts),
                    pts: time(dts + i64::from(sample.composition_offset)),
                    keyframe: sample.keyframe,
                    data: sample.data,
                });
                dts += i64::from(sample.duration);
            }
        }
        Self {
            config: track.config,
            units,
        }
    }

    /// When pictures are shown, in that order.
    pub(crate) fn shown(&self) -> Vec<Timestamp> {
        let mut shown: Vec<_> = self.units.iter().map(|unit| unit.pts).collect();
        shown.sort();
        shown
    }

    pub(crate) fn keyframes(&self) -> Vec<Timestamp> {
        self.units
            .iter()
            .filter(|unit| unit.keyframe)
            .map(|unit| unit.pts)
            .collect()
    }
}

pub(crate) fn rendition(name: &str) -> RenditionId {
    name.parse().unwrap()
}

/// An H.264 rung of 600 kbit/s by x264.
pub(crate) fn rung(id: &str, height: u32) -> LadderRung {
    LadderRung {
        id: rendition(id),
        height,
        bitrate_kbps: 600,
        fast_bitrate_kbps: 900,
        codec: VideoCodec::H264,
        encoder: EncoderChoice::X264,
        preset: None,
    }
}

/// Such rungs, which take the time that they need.
pub(crate) fn job(rungs: &[(&str, u32)]) -> LadderJob {
    LadderJob {
        renditions: rungs.iter().map(|&(id, height)| rung(id, height)).collect(),
        sound: Vec::new(),
        live: false,
    }
}

/// A ladder at work, and what it makes.
pub(crate) struct Running {
    pub(crate) ladder: LiveLadder,
    made: mpsc::Receiver<Result<Frame, LadderError>>,
}

impl Running {
    pub(crate) fn start(job: LadderJob) -> Self {
        let (output, made) = mpsc::sync_channel(100_000);
        let ladder = LiveLadder::start(job, output).unwrap();
        Self { ladder, made }
    }

    /// The next frame.
    pub(crate) fn next(&self) -> Frame {
        let frame = self.made.recv_timeout(PATIENCE);
        frame.expect("the ladder makes something").unwrap()
    }

    /// All that is made of a source.
    pub(crate) fn all(job: LadderJob, source: &Source) -> Vec<Frame> {
        let running = Self::start(job);
        running.ladder.configure(source.config.clone());
        for unit in &source.units {
            running.ladder.push(unit.clone(), false);
        }
        running.finish()
    }

    /// What is made until the ladder has ended.
    pub(crate) fn finish(self) -> Vec<Frame> {
        self.ladder.finish();
        self.made.iter().map(Result::unwrap).collect()
    }
}

/// How long a picture may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back of one rendition.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) configs: Vec<TrackConfig>,
    pub(crate) units: Vec<Unit>,
}

impl Received {
    pub(crate) fn of(name: &str, frames: &[Frame]) -> Self {
        let mut received = Self::default();
        for frame in frames {
            match frame {
                Frame::Config { rendition, config } if rendition.as_str() == name => {
                    received.configs.push(config.clone());
                }
                Frame::Unit {
                    rendition, unit, ..
                } if rendition.as_str() == name => {
                    assert!(
                        !received.configs.is_empty(),
                        "a unit before its configuration"
                    );
                    received.units.push(unit.clone());
                }
                _ => {}
            }
        }
        received
    }

    pub(crate) fn shown(&self) -> Vec<Timestamp> {
        self.units.iter().map(|unit| unit.pts).collect()
    }

    pub(crate) fn keyframes(&self) -> Vec<Timestamp> {
        self.units
            .iter()
            .filter(|unit| unit.keyframe)
            .map(|unit| unit.pts)
            .collect()
    }

    /// One for each configuration.
    pub(crate) fn sizes(&self) -> Vec<(u32, u32)> {
        let size = |config: &TrackConfig| {
            let picture = config.picture().expect("a rung is video");
            (picture.width, picture.height)
        };
        self.configs.iter().map(size).collect()
    }

    /// Mean bitrate from a time on.
    pub(crate) fn kbps_from(&self, start: Timestamp) -> u64 {
        let units = self.units.iter().filter(|unit| unit.pts >= start);
        let bytes: usize = units.map(|unit| unit.data.len()).sum();
        let ticks = self.units.last().unwrap().pts.0 - start.0;
        bytes as u64 * 8 * u64::from(TIMESCALE) / ticks as u64 / 1000
    }

    /// Packages the units and has ffmpeg decode them without a complaint. Answers the times, in
    /// ticks, that ffprobe finds.
    pub(crate) fn decode(&self) -> Vec<String> {
        self.probe("frame=pts")
    }

    /// The same, for any entries that ffprobe knows.
    pub(crate) fn probe(&self, entries: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rung.mp4");
        self.write(&file);
        let output = Command::new("ffprobe")
            .args(["-v", "warning", "-of", "csv=p=0"])
            .args(["-show_entries", entries])
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        // A frame's side data makes a line of its own, which is empty.
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| line.trim_end_matches(',').to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// What ffmpeg writes to its standard output with these arguments, the first input being this.
    pub(crate) fn ffmpeg(&self, arguments: &[&str]) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rung.mp4");
        self.write(&file);
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-copyts", "-i"])
            .arg(&file)
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        output
    }

    /// Packages the units.
    fn write(&self, file: &Path) {
        let config = &self.configs[0];
        let track = match config.kind() {
            TrackKind::Video => fmp4::VIDEO_TRACK,
            TrackKind::Audio => fmp4::AUDIO_TRACK,
        };
        // Audio is counted in samples.
        let timescale = i64::from(fmp4::timescale(config));
        let time = |at: Timestamp| {
            let ticks = i64::from(TIMESCALE);
            (at.0 * timescale + ticks / 2).div_euclid(ticks)
        };
        let usual = config.usual_audio_samples().unwrap_or(3000);
        let ends = self.units[1..].iter().map(|next| Some(time(next.dts)));
        let samples: Vec<_> = self
            .units
            .iter()
            .zip(ends.chain([None]))
            .map(|(unit, end)| Sample {
                duration: end.map_or(usual, |end| (end - time(unit.dts)) as u32),
                composition_offset: 0,
                keyframe: unit.keyframe,
                data: unit.data.clone(),
            })
            .collect();
        let mut written = fmp4::init_segment(track, config).to_vec();
        let mut decode_time = time(self.units[0].dts) as u64;
        for (sequence, part) in (1..).zip(samples.chunks(10)) {
            written.extend(fmp4::chunk(sequence, track, decode_time, part));
            decode_time += part
                .iter()
                .map(|sample| u64::from(sample.duration))
                .sum::<u64>();
        }
        fs::write(file, written).unwrap();
    }
}
