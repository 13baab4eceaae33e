//! Sources made by the `ffmpeg` command, and judgement of what comes out by `ffprobe`.

use std::{fs, path::Path, process::Command};

use bytes::Bytes;
use weir_media::{
    fmp4::{self, Sample, read},
    framing::{Frame, LadderJob, LadderRung},
    unit::{TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;

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
        weir_transcoder::quiet_libav();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("source.mp4");
        let input = format!("testsrc2=size={size}:rate=30:duration={seconds}");
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

    fn read(file: &Path) -> Self {
        let file = Bytes::from(fs::read(file).unwrap());
        let track = read::tracks(&file).unwrap().remove(0);
        assert_eq!(track.timescale, TIMESCALE);
        let mut units = Vec::new();
        for fragment in read::fragments(&file).unwrap() {
            let mut dts = fragment.base_media_decode_time as i64;
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

pub(crate) fn job(rungs: &[(&str, u32)]) -> LadderJob {
    let rung = |&(id, height): &(&str, u32)| LadderRung {
        id: rendition(id),
        height,
        bitrate_kbps: 600,
    };
    LadderJob {
        renditions: rungs.iter().map(rung).collect(),
    }
}

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
        let size = |config: &TrackConfig| match config {
            TrackConfig::Avc(avc) => (avc.width, avc.height),
            TrackConfig::Aac(_) => panic!("a rung is AVC"),
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
        let samples: Vec<_> = self
            .units
            .iter()
            .zip(
                self.units[1..]
                    .iter()
                    .map(|next| next.dts)
                    .chain([Timestamp(i64::MAX)]),
            )
            .map(|(unit, next_dts)| Sample {
                duration: u32::try_from(next_dts.0 - unit.dts.0).unwrap_or(3000),
                composition_offset: 0,
                keyframe: unit.keyframe,
                data: unit.data.clone(),
            })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rung.mp4");
        let mut written = fmp4::init_segment(fmp4::VIDEO_TRACK, &self.configs[0]).to_vec();
        let mut decode_time = self.units[0].dts.0 as u64;
        for (sequence, part) in (1..).zip(samples.chunks(10)) {
            written.extend(fmp4::chunk(sequence, fmp4::VIDEO_TRACK, decode_time, part));
            decode_time += part
                .iter()
                .map(|sample| u64::from(sample.duration))
                .sum::<u64>();
        }
        fs::write(&file, written).unwrap();
        let output = Command::new("ffprobe")
            .args(["-v", "warning", "-of", "csv=p=0"])
            .args(["-show_entries", "frame=pts"])
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
}
