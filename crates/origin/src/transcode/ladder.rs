//! What an operator asks a transcoder to make: the ladder file, and whether this machine can.
//!
//! A ladder file is TOML. What stands at its top holds for every rung that doesn't say otherwise:
//!
//! ```toml
//! codec = "h264"        # or "hevc", "av1"
//! encoder = "auto"      # or "libx264", "h264_nvenc", "h264_vaapi", "libx265", "libsvtav1"
//! preset = "veryfast"   # as the encoder calls it
//!
//! [[rung]]
//! height = 720
//! bitrate_kbps = 2500
//! fast_bitrate_kbps = 3800  # at more than 40 pictures a second
//!
//! [[rung]]
//! height = 360
//! bitrate_kbps = 700
//!
//! [[sound]]
//! codec = "aac"             # or "opus"
//! bitrate_kbps = 128
//! ```

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::Deserialize;
use thiserror::Error;
use tokio::{io::AsyncWriteExt, process::Command};
use weir_media::{
    framing::{
        AudioCodec, EncoderChoice, LadderJob, LadderRung, RUNG_BITRATES, RUNG_HEIGHTS,
        SOUND_BITRATES, SoundRung, VideoCodec,
    },
    track,
};
use weir_model::RenditionId;

/// Longest ladder file, in bytes.
const MAX_FILE: u64 = 64 << 10;
/// Most rungs: each takes a thread and an encoder.
const MAX_RUNGS: usize = 16;
/// Longest name of a preset, in bytes.
const MAX_PRESET: usize = 32;
/// How long opening all encoders may take.
const CHECK: Duration = Duration::from_secs(20);

/// What a transcoder is to make of every source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Of video, best first.
    pub renditions: Vec<LadderRung>,
    /// Of audio, one in each codec at most.
    pub sound: Vec<SoundRung>,
}

impl Ladder {
    /// What is offered unless another one is asked for.
    pub fn standard() -> Self {
        Self {
            renditions: LadderRung::standard(),
            sound: SoundRung::standard(),
        }
    }
}

/// A ladder file that cannot be used.
#[derive(Debug, Error)]
pub enum LadderFileError {
    /// The file cannot be read.
    #[error("cannot read the ladder {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is larger than a ladder can be.
    #[error("the ladder {0} is larger than {MAX_FILE} bytes")]
    TooLarge(PathBuf),
    /// What is in it is no ladder.
    #[error("the ladder {path}: {source}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: InvalidLadder,
    },
}

/// Text that is no ladder.
#[derive(Debug, Error)]
pub enum InvalidLadder {
    /// It is no TOML, or holds what has no meaning here.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// There has to be something to make, and not too much.
    #[error("{0} rungs, not 1 to {MAX_RUNGS}")]
    Rungs(usize),
    /// Lines beyond what can be coded.
    #[error("rung {rung}: height is {} to {} lines, not {height}", RUNG_HEIGHTS.start(), RUNG_HEIGHTS.end())]
    Height {
        /// Which.
        rung: RenditionId,
        /// In lines.
        height: u32,
    },
    /// A bitrate beyond what makes sense.
    #[error("rung {rung}: a bitrate is {} to {} kbit/s, not {kbps}", RUNG_BITRATES.start(), RUNG_BITRATES.end())]
    Bitrate {
        /// Which.
        rung: RenditionId,
        /// In kbit/s.
        kbps: u32,
    },
    /// An encoder of another codec.
    #[error("rung {rung}: {} does not code {codec:?}", encoder.name())]
    Encoder {
        /// Which.
        rung: RenditionId,
        /// The encoder.
        encoder: EncoderChoice,
        /// What it is to code.
        codec: VideoCodec,
    },
    /// No encoder has a preset of such a name.
    #[error("rung {rung}: {preset:?} is no preset")]
    Preset {
        /// Which.
        rung: RenditionId,
        /// The preset.
        preset: String,
    },
    /// A bitrate beyond what audio has use for.
    #[error("{codec:?}: a bitrate is {} to {} kbit/s, not {kbps}", SOUND_BITRATES.start(), SOUND_BITRATES.end())]
    SoundBitrate {
        /// In which codec.
        codec: AudioCodec,
        /// In kbit/s.
        kbps: u32,
    },
    /// Players choose audio by its codec alone.
    #[error("two audio renditions in {0:?}")]
    SoundTwice(AudioCodec),
    /// A name that no rendition can have, or that another one has.
    #[error("{0:?} is no name for a rung, or the name of two renditions")]
    Name(String),
}

/// Why this machine does not make a ladder.
#[derive(Debug, Error)]
pub enum LadderCheckError {
    /// The transcoder cannot be run.
    #[error("cannot run {program}: {source}")]
    Run {
        /// The transcoder.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An encoder does not open. The text is the transcoder's.
    #[error("{0}")]
    Refused(String),
    /// It does not answer.
    #[error("{} has opened no encoders within {} s", .0.display(), CHECK.as_secs())]
    Silent(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LadderFile {
    #[serde(default)]
    codec: VideoCodec,
    #[serde(default)]
    encoder: EncoderChoice,
    preset: Option<String>,
    #[serde(default, rename = "rung")]
    rungs: Vec<RungEntry>,
    /// The standard ones unless given; an empty list is none.
    sound: Option<Vec<SoundEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RungEntry {
    /// `{height}p` unless given, and for other codecs than H.264 with its name after it.
    name: Option<String>,
    height: u32,
    bitrate_kbps: u32,
    fast_bitrate_kbps: Option<u32>,
    codec: Option<VideoCodec>,
    encoder: Option<EncoderChoice>,
    preset: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SoundEntry {
    codec: AudioCodec,
    bitrate_kbps: u32,
}

/// Reads a ladder file. The rungs come best first.
///
/// # Errors
/// [`LadderFileError`].
pub fn read(path: &Path) -> Result<Ladder, LadderFileError> {
    let failed = |source| LadderFileError::Read {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err(LadderFileError::TooLarge(path.to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    parse(&text).map_err(|source| LadderFileError::Invalid {
        path: path.to_owned(),
        source,
    })
}

/// Reads the text of a ladder file.
///
/// # Errors
/// [`InvalidLadder`], with the value that is wrong.
pub fn parse(text: &str) -> Result<Ladder, InvalidLadder> {
    let file: LadderFile = toml::from_str(text)?;
    let sound = file.sound()?;
    // Audio alone is something to make, if it is asked for.
    let least = usize::from(file.sound.is_none() || sound.is_empty());
    if !(least..=MAX_RUNGS).contains(&file.rungs.len()) {
        return Err(InvalidLadder::Rungs(file.rungs.len()));
    }
    let mut names: BTreeSet<RenditionId> = sound.iter().map(|rung| rung.id).collect();
    let mut renditions: Vec<LadderRung> = Vec::new();
    for entry in &file.rungs {
        let rung = file.rung(entry)?;
        if track::of(rung.id).is_some() || !names.insert(rung.id) {
            return Err(InvalidLadder::Name(rung.id.to_string()));
        }
        renditions.push(rung);
    }
    renditions.sort_by_key(|rung| std::cmp::Reverse((rung.height, rung.bitrate_kbps)));
    Ok(Ladder { renditions, sound })
}

impl LadderFile {
    fn sound(&self) -> Result<Vec<SoundRung>, InvalidLadder> {
        let Some(entries) = &self.sound else {
            return Ok(SoundRung::standard());
        };
        let mut rungs: Vec<SoundRung> = Vec::new();
        for &SoundEntry {
            codec,
            bitrate_kbps,
        } in entries
        {
            if !SOUND_BITRATES.contains(&bitrate_kbps) {
                return Err(InvalidLadder::SoundBitrate {
                    codec,
                    kbps: bitrate_kbps,
                });
            }
            if rungs.iter().any(|rung| rung.codec == codec) {
                return Err(InvalidLadder::SoundTwice(codec));
            }
            rungs.push(SoundRung::new(codec, bitrate_kbps));
        }
        Ok(rungs)
    }

    fn rung(&self, entry: &RungEntry) -> Result<LadderRung, InvalidLadder> {
        let height = entry.height;
        let codec = entry.codec.unwrap_or(self.codec);
        let name = entry.name.clone().unwrap_or_else(|| match codec {
            VideoCodec::H264 => format!("{height}p"),
            VideoCodec::Hevc => format!("{height}p-hevc"),
            VideoCodec::Av1 => format!("{height}p-av1"),
        });
        let rung: RenditionId = name.parse().map_err(|_| InvalidLadder::Name(name))?;
        if !RUNG_HEIGHTS.contains(&height) {
            return Err(InvalidLadder::Height { rung, height });
        }
        let bitrate_kbps = entry.bitrate_kbps;
        // Half as much again for twice the pictures: neighbours are more alike.
        let fast_bitrate_kbps = entry
            .fast_bitrate_kbps
            .unwrap_or(bitrate_kbps.saturating_mul(3) / 2);
        let bitrates = [bitrate_kbps, fast_bitrate_kbps];
        if let Some(&kbps) = bitrates.iter().find(|kbps| !RUNG_BITRATES.contains(kbps)) {
            return Err(InvalidLadder::Bitrate { rung, kbps });
        }
        // An encoder or a preset for all rungs is one for those of its codec.
        let shared = entry.codec.is_none_or(|codec| codec == self.codec);
        let encoder = entry.encoder.or(Some(self.encoder).filter(|_| shared));
        let encoder = encoder.unwrap_or_default();
        if encoder.codec().is_some_and(|coded| coded != codec) {
            return Err(InvalidLadder::Encoder {
                rung,
                encoder,
                codec,
            });
        }
        let preset = entry.preset.clone();
        let preset = preset.or_else(|| self.preset.clone().filter(|_| shared));
        let is_name = |preset: &&String| {
            (1..=MAX_PRESET).contains(&preset.len())
                && preset.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if let Some(preset) = preset.as_ref().filter(|preset| !is_name(preset)) {
            return Err(InvalidLadder::Preset {
                rung,
                preset: preset.clone(),
            });
        }
        Ok(LadderRung {
            id: rung,
            height,
            bitrate_kbps,
            fast_bitrate_kbps,
            codec,
            encoder,
            preset,
        })
    }
}

/// Has the transcoder open every encoder of a ladder once. Answers a line for each rung: its name
/// and its encoder.
///
/// # Errors
/// [`LadderCheckError`].
pub async fn check(program: &Path, ladder: &Ladder) -> Result<String, LadderCheckError> {
    let failed = |source| LadderCheckError::Run {
        program: program.to_owned(),
        source,
    };
    let job = LadderJob {
        renditions: ladder.renditions.clone(),
        sound: ladder.sound.clone(),
        live: true,
    };
    let job = serde_json::to_vec(&job).map_err(|e| failed(e.into()))?;
    let mut child = Command::new(program)
        .arg("check")
        .env("NO_COLOR", "1")
        .env("SVT_LOG", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut stdin = child.stdin.take();
    let answer = async move {
        if let Some(mut stdin) = stdin.take() {
            // One that leaves without reading says why on stderr.
            let _ = stdin.write_all(&job).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(CHECK, answer).await {
        Ok(output) => output.map_err(failed)?,
        Err(_) => return Err(LadderCheckError::Silent(program.to_owned())),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("Error: ").to_owned();
        return Err(LadderCheckError::Refused(said));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn rungs_inherit_and_come_best_first() {
        let ladder = parse(
            r#"
            preset = "fast"
            encoder = "libx264"
            [[rung]]
            height = 360
            bitrate_kbps = 700
            [[rung]]
            height = 720
            bitrate_kbps = 2500
            fast_bitrate_kbps = 3000
            preset = "slow"
            [[rung]]
            height = 720
            bitrate_kbps = 1500
            codec = "av1"
            "#,
        )
        .unwrap();
        assert_eq!(ladder.sound, SoundRung::standard());
        let summary: Vec<_> = ladder
            .renditions
            .iter()
            .map(|r| {
                (
                    r.id.as_str(),
                    r.fast_bitrate_kbps,
                    r.encoder,
                    r.preset.as_deref(),
                )
            })
            .collect();
        let expected = [
            ("720p", 3000, EncoderChoice::X264, Some("slow")),
            ("720p-av1", 2250, EncoderChoice::Auto, None),
            ("360p", 1050, EncoderChoice::X264, Some("fast")),
        ];
        assert_eq!(summary, expected);
    }

    #[test]
    fn what_is_no_ladder_is_refused_with_the_value() {
        let rung = |rest: &str| format!("[[rung]]\nheight = 480\nbitrate_kbps = 900\n{rest}");
        let check = |text: &str, expected: &str| {
            let error = error(text);
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("", "0 rungs");
        check(&rung("").repeat(17), "17 rungs");
        check(&rung("").repeat(2), "\"480p\"");
        check(&rung("name = \"source\""), "\"source\"");
        check(&rung("name = \"Größe\""), "\"Größe\"");
        check(&rung("crf = 20"), "crf");
        check(&rung("codec = \"mpeg2\""), "mpeg2");
        check(&rung("preset = \"fast:crf=0\""), "fast:crf=0");
        check(&rung("encoder = \"libx265\""), "libx265 does not code H264");
        check("[[rung]]\nheight = 8\nbitrate_kbps = 900", "8");
        check("[[rung]]\nheight = 480\nbitrate_kbps = 1", "1");
        check(
            "[[rung]]\nheight = 480\nbitrate_kbps = 4294967295",
            "4294967295",
        );
        check("[[rung]]\nheight = -480\nbitrate_kbps = 1000", "-480");
        check("height", "height");
        let sound = |codec: &str, kbps: u32| {
            format!("[[sound]]\ncodec = \"{codec}\"\nbitrate_kbps = {kbps}\n")
        };
        check(&sound("mp3", 128), "mp3");
        check(&sound("aac", 8), "8");
        check(&sound("opus", 1000), "1000");
        check(&sound("opus", 64).repeat(2), "Opus");
        check("sound = []", "0 rungs");
        check(&rung("name = \"audio-opus\""), "\"audio-opus\"");
        check(&rung("name = \"source-2\""), "\"source-2\"");
    }

    #[test]
    fn sound_is_what_is_asked_for() {
        let rung = "[[rung]]\nheight = 480\nbitrate_kbps = 900\n";
        let none = parse(&format!("sound = []\n{rung}")).unwrap();
        assert_eq!(none.sound, []);
        let aac = "[[sound]]\ncodec = \"aac\"\nbitrate_kbps = 192\n";
        let asked = parse(&format!("{rung}{aac}")).unwrap();
        assert_eq!(asked.sound, [SoundRung::new(AudioCodec::Aac, 192)]);
        let alone = parse(aac).unwrap();
        assert_eq!((alone.renditions.len(), alone.sound.len()), (0, 1));
    }
}
