//! `weir transcode`: becomes the transcoder.

use std::{os::unix::process::CommandExt, process::Command};

use anyhow::{Context, anyhow};

use crate::{cli::TranscodeArgs, lookup};

/// Replaces this process by `weir-transcode`; returns only if it can't.
pub(crate) fn exec(args: &TranscodeArgs) -> anyhow::Result<()> {
    let program = lookup::transcoder(None)?.context("weir-transcode is not next to weir")?;
    let error = Command::new(&program).args(&args.args).exec();
    Err(anyhow!(error).context(format!("cannot run {}", program.display())))
}
