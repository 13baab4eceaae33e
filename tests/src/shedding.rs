//! A transcoder that sheds a rung when a test wants it to, and never because the machine is slow.
//!
//! The program `shedding` stands between the origin and the real transcoder and passes on what they
//! say. It asks for a ladder that takes its time, which is one that sheds nothing; and as long as
//! the file of its switch is there it leaves out the rung, and says so as the real one would.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result};
use clap::Parser;
use tempfile::TempDir;
use weir_media::framing::{Decoder, Frame, RungState, encode};
use weir_model::RenditionId;

use crate::built;

/// What a test holds: the program for `--transcoder`, and the switch.
#[derive(Debug)]
pub struct Shedding {
    folder: TempDir,
}

impl Shedding {
    /// Of one rung, by the built program `shedding`.
    pub fn of(rung: &str, shedding: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let this = Self { folder };
        let real = built::transcoder();
        let script = format!(
            "#!/bin/sh\nexec '{shedding}' --real '{}' --switch '{}' --rung '{rung}' -- \"$@\"\n",
            real.display(),
            this.switch().display(),
        );
        let program = this.program();
        fs::write(&program, script).expect("a temporary file can be written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&program, executable).expect("it is ours");
        this
    }

    /// What the origin is to start.
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("transcoder")
    }

    /// Where a file has to be for the rung to be left out.
    pub fn switch(&self) -> PathBuf {
        self.folder.path().join("shed")
    }
}

/// What the program `shedding` is told.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// The real transcoder.
    #[arg(long)]
    real: PathBuf,
    /// The rung is left out while there is a file here.
    #[arg(long)]
    switch: PathBuf,
    /// Which rung.
    #[arg(long)]
    rung: RenditionId,
    /// What the origin says.
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// The program `shedding`.
///
/// # Errors
/// If the real transcoder does not start, or if one of the pipes breaks.
pub fn run(told: &Arguments) -> Result<()> {
    let mut real = Command::new(&told.real);
    real.args(&told.arguments);
    if told.arguments.first().is_none_or(|first| first != "live") {
        return Err(real.exec()).with_context(|| format!("start {}", told.real.display()));
    }
    real.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut real = real.spawn().context("start the real transcoder")?;
    let to_real = real.stdin.take().context("its input is piped")?;
    let from_real = real.stdout.take().context("its output is piped")?;
    thread::spawn(|| pass_on(io::stdin(), to_real, |frame| vec![without_haste(frame)]));
    let mut gate = Gate {
        rung: told.rung,
        shut: false,
    };
    let passing = |frame| gate.pass(frame, told.switch.exists());
    pass_on(from_real, io::stdout().lock(), passing)?;
    real.wait().context("the real transcoder ends")?;
    Ok(())
}

/// Every frame of `input`, as `change` makes it, until the input ends.
fn pass_on(
    mut input: impl Read,
    mut output: impl Write,
    mut change: impl FnMut(Frame) -> Vec<Frame>,
) -> Result<()> {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        decoder.feed(&buffer[..read]);
        while let Some(frame) = decoder.next_frame()? {
            for frame in change(frame) {
                output.write_all(&encode(&frame)?)?;
            }
            output.flush()?;
        }
    }
}

fn without_haste(frame: Frame) -> Frame {
    match frame {
        Frame::Job(mut job) => {
            job.live = false;
            Frame::Job(job)
        }
        other => other,
    }
}

/// What the real transcoder says passes here.
struct Gate {
    rung: RenditionId,
    shut: bool,
}

impl Gate {
    /// A rung goes with any picture, and returns with a keyframe: of its own each begins a segment.
    fn pass(&mut self, frame: Frame, shed: bool) -> Vec<Frame> {
        let rung = self.rung;
        let (at, keyframe) = match &frame {
            Frame::Unit {
                rendition, unit, ..
            } if *rendition == rung => (unit.pts, unit.keyframe),
            _ => return vec![frame],
        };
        let told = |state| Frame::Rung {
            rendition: rung,
            state,
            at,
        };
        match (self.shut, shed) {
            (false, false) => vec![frame],
            (false, true) => {
                self.shut = true;
                vec![told(RungState::Shed)]
            }
            (true, false) if keyframe => {
                self.shut = false;
                vec![told(RungState::Made), frame]
            }
            (true, _) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weir_media::unit::{Timestamp, TrackKind, Unit};

    use super::*;

    fn unit(rendition: &str, ms: i64, keyframe: bool) -> Frame {
        let at = Timestamp::from_ms(ms);
        Frame::Unit {
            rendition: rendition.parse().unwrap(),
            cut: false,
            unit: Unit {
                kind: TrackKind::Video,
                dts: at,
                pts: at,
                keyframe,
                data: Bytes::new(),
            },
        }
    }

    #[test]
    fn one_rung_goes_and_returns_with_a_keyframe() {
        let rung: RenditionId = "480p".parse().unwrap();
        let mut gate = Gate { rung, shut: false };
        let told = |state, ms| Frame::Rung {
            rendition: rung,
            state,
            at: Timestamp::from_ms(ms),
        };
        let mut check = |frame: Frame, shed, expected: &[Frame]| {
            assert_eq!(gate.pass(frame, shed), expected);
        };
        let ours = |ms, keyframe| unit("480p", ms, keyframe);
        check(ours(0, true), false, &[ours(0, true)]);
        check(ours(40, false), true, &[told(RungState::Shed, 40)]);
        check(ours(80, true), true, &[]);
        let other = unit("180p", 80, true);
        check(other.clone(), true, std::slice::from_ref(&other));
        check(ours(120, false), false, &[]);
        let back = [told(RungState::Made, 160), ours(160, true)];
        check(ours(160, true), false, &back);
        check(ours(200, false), false, &[ours(200, false)]);
    }
}
