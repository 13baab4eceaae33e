//! Every test.

use std::{
    io::{BufRead, BufReader},
    process::{Command, ExitCode, ExitStatus, Stdio},
};

use anyhow::{Context, Result};
use clap::Args;

use crate::{cloudflare, film, repo, run, setup, wasm, www};

#[derive(Args)]
pub(crate) struct Options {
    /// Only tests whose name holds this.
    filter: Option<String>,
}

#[derive(Default)]
struct Tally {
    passed: u32,
    failed: u32,
}

/// Builds all that the tests need, runs them, and prints `N passed, N failed` as its last line.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    setup::run(setup::Purpose::Test)?;
    wasm::build()?;
    cloudflare::build()?;
    www::build()?;
    www::build_player()?;
    let film = film::demo()?;

    // xtask is left out: it is built already, with features of its own.
    const ALL_BUT_XTASK: [&str; 3] = ["--workspace", "--exclude", "weir-xtask"];
    run::step("Building the programs and their tests");
    run::command(
        run::cargo()
            .args(["build", "--bins", "--tests"])
            .args(ALL_BUT_XTASK),
    )?;

    run::step("Running the tests");
    let runs: [&[&str]; 2] = [&ALL_BUT_XTASK, &["--package", "weir-xtask"]];
    let mut tally = Tally::default();
    let mut all_well = true;
    for packages in runs {
        let mut test = run::cargo();
        test.args(["test", "--no-fail-fast"])
            .args(packages)
            .args(&options.filter);
        test.env("WEIR_BIN", repo::target("debug/weir"));
        test.env("WEIR_TRANSCODE_BIN", repo::target("debug/weir-transcode"));
        test.env("WEIR_EDGE_MODULE", wasm::edge_module());
        test.env("WEIR_ROOMS", cloudflare::rooms());
        test.env("WEIR_WWW", repo::path("www/dist"));
        test.env("WEIR_PLAYER", repo::path("www/dist-player"));
        test.env("WEIR_FILM", &film);
        test.env("WEIR_FFMPEG_9", setup::modern_ffmpeg());
        test.env("WEIR_XML_SCHEMA", setup::xml_schema());
        test.env("WEIR_SHAKA", setup::shaka_packager());
        all_well &= count(&mut test, &mut tally)?.success();
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    let passed = all_well && tally.failed == 0 && tally.passed > 0;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs `cargo test`, shows its output and adds up its result lines.
fn count(test: &mut Command, tally: &mut Tally) -> Result<ExitStatus> {
    let mut child = test.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("standard output is piped")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        if let Some(summary) = line.strip_prefix("test result: ") {
            tally.passed += number_before(summary, " passed");
            tally.failed += number_before(summary, " failed");
        }
    }
    Ok(child.wait()?)
}

/// The number in front of `word` in a line like `ok. 3 passed; 0 failed; …`.
fn number_before(line: &str, word: &str) -> u32 {
    let before = line.split(word).next().unwrap_or_default();
    before
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::number_before;

    #[test]
    fn reads_cargos_summary() {
        let line = "FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(number_before(line, " passed"), 12);
        assert_eq!(number_before(line, " failed"), 3);
    }
}
