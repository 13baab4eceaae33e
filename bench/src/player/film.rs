//! The film in a ladder of six rungs, in segments that playlists and a manifest share.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use weir_tests::built;

/// Thirty seconds of it, which are repeated.
const ORIGINAL: &str = "target/film/package/video.mp4";
const FOLDER: &str = "target/film/ladder";
/// Longer than a run and what players may fetch ahead.
const SECONDS: u32 = 240;
pub(super) const SEGMENT_S: f64 = 4.0;
/// An IDR picture at the beginning of each segment alone.
const GOP: &str = "96";

/// Heights, by which a picture on the screen tells its rung, and kbit/s.
const RUNGS: [(u32, u32); 6] = [
    (180, 200),
    (240, 400),
    (360, 800),
    (480, 1400),
    (720, 2800),
    (1080, 5000),
];
const SOUND_KBPS: u32 = 96;

/// Under which path the folder is asked for.
pub(super) const PATH: &str = "/film/";
/// Playlists and manifest, by their names in the folder.
pub(super) const HLS: &str = "index.m3u8";
pub(super) const DASH: &str = "manifest.mpd";

/// The film as it lies on disk.
pub(super) struct Film {
    pub(super) folder: PathBuf,
    pub(super) rungs: Vec<Rung>,
}

/// One rung of it.
pub(super) struct Rung {
    pub(super) height: u32,
    /// What its segments came to.
    pub(super) kbps: f64,
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// From 1.
    pub(super) number: u32,
    /// None of sound.
    pub(super) height: Option<u32>,
}

impl Segment {
    /// Of the paths that [`Film::prepare`] has the packager make.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut pieces = path.rsplit('/');
        let number = pieces.next()?.strip_suffix(".m4s")?.parse().ok()?;
        let height = match pieces.next()? {
            "sound" => None,
            rung => Some(rung.strip_suffix('p')?.parse().ok()?),
        };
        Some(Self { number, height })
    }

    pub(super) fn begins_s(self) -> f64 {
        f64::from(self.number - 1) * SEGMENT_S
    }

    pub(super) fn ends_s(self) -> f64 {
        f64::from(self.number) * SEGMENT_S
    }
}

impl Film {
    /// Encodes and packages it, once.
    pub(super) fn prepare() -> Result<Self> {
        let folder = Path::new(FOLDER);
        let stamp = folder.join("made-as");
        let recipe = format!("{RUNGS:?} {SOUND_KBPS} {SECONDS} {SEGMENT_S} {GOP}");
        if !fs::read_to_string(&stamp).is_ok_and(|made| made == recipe) {
            ensure!(
                Path::new(ORIGINAL).exists(),
                "{ORIGINAL} is missing: run `cargo xtask film` first"
            );
            fs::create_dir_all(folder)?;
            let sources = encode(folder)?;
            package(folder)?;
            for source in sources {
                fs::remove_file(source)?;
            }
            fs::write(stamp, recipe)?;
        }
        let rungs = RUNGS
            .iter()
            .map(|(height, _)| {
                let bytes = segment_bytes(&folder.join(format!("{height}p")))?;
                let kbps = bytes as f64 * 8.0 / 1000.0 / f64::from(SECONDS);
                Ok(Rung {
                    height: *height,
                    kbps,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            folder: folder.to_path_buf(),
            rungs,
        })
    }

    /// The bitrate of the rung that has so many lines.
    pub(super) fn kbps(&self, height: u32) -> Option<f64> {
        let rung = self.rungs.iter().find(|rung| rung.height == height);
        rung.map(|rung| rung.kbps)
    }
}

/// Yields a file for each rung, and one for the sound.
fn encode(folder: &Path) -> Result<Vec<PathBuf>> {
    let seconds = SECONDS.to_string();
    let mut files = Vec::new();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error", "-y", "-stream_loop", "-1"])
        .args(["-i", ORIGINAL, "-filter_complex"]);
    let split: String = RUNGS
        .iter()
        .map(|(height, _)| format!("[in{height}]"))
        .collect();
    let scaled: Vec<String> = RUNGS
        .iter()
        .map(|(height, _)| format!("[in{height}]scale=-2:{height}[out{height}]"))
        .collect();
    let count = RUNGS.len();
    ffmpeg.arg(format!("[0:v]split={count}{split};{}", scaled.join(";")));
    for (height, kbps) in RUNGS {
        files.push(folder.join(format!("{height}.mp4")));
        ffmpeg
            .args(["-map", &format!("[out{height}]"), "-t", &seconds])
            .args([
                "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
            ])
            .args(["-b:v", &format!("{kbps}k")])
            .args(["-maxrate", &format!("{}k", kbps * 5 / 4)])
            .args(["-bufsize", &format!("{}k", kbps * 2)])
            .args(["-g", GOP, "-keyint_min", GOP, "-sc_threshold", "0"])
            .args(files.last());
    }
    files.push(folder.join("sound.mp4"));
    ffmpeg
        .args(["-map", "0:a:0", "-t", &seconds, "-c:a", "aac"])
        .args(["-ac", "2", "-ar", "48000"])
        .args(["-b:a", &format!("{SOUND_KBPS}k")])
        .args(files.last());
    run(&mut ffmpeg)?;
    Ok(files)
}

fn package(folder: &Path) -> Result<()> {
    let mut packager = Command::new(built::shaka_packager());
    packager.current_dir(folder).arg("--quiet");
    let files = |name: &str| {
        format!(
            "init_segment={name}/init.mp4,segment_template={name}/$Number$.m4s,playlist_name={name}.m3u8"
        )
    };
    for (height, _) in RUNGS {
        packager.arg(format!(
            "in={height}.mp4,stream=video,{}",
            files(&format!("{height}p"))
        ));
    }
    packager
        .arg(format!(
            "in=sound.mp4,stream=audio,language=en,hls_group_id=sound,hls_name=en,{}",
            files("sound")
        ))
        .args(["--segment_duration", &SEGMENT_S.to_string()])
        .args(["--generate_static_live_mpd", "--mpd_output", DASH])
        .args(["--hls_master_playlist_output", HLS]);
    run(&mut packager)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

fn segment_bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "m4s")
        {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::Segment;

    #[test]
    fn a_path_names_its_segment() {
        let of = Segment::of("/film/480p/12.m4s").unwrap();
        assert_eq!((of.number, of.height), (12, Some(480)));
        assert_eq!((of.begins_s(), of.ends_s()), (44.0, 48.0));
        let sound = Segment::of("/film/sound/1.m4s").unwrap();
        assert_eq!((sound.number, sound.height), (1, None));
        for other in [
            "/film/480p/init.mp4",
            "/film/480p.m3u8",
            "/player/index.js",
            "/",
        ] {
            assert_eq!(Segment::of(other), None, "{other}");
        }
    }
}
