//! The Node scripts of `tests/browser`, which drive Chromium and print one JSON value.

use std::{process::Command, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tempfile::TempDir;

use crate::{built, process::Process};

/// Runs `tests/browser/{script}.mjs` with `input` as its only argument, in JSON, and yields the
/// last line that it prints, which is JSON too.
///
/// # Panics
/// If the script fails, or has not ended within `deadline`.
pub fn run<T: DeserializeOwned>(script: &str, input: &impl Serialize, deadline: Duration) -> T {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let log = folder.path().join("browser.log");
    let mut command = Command::new("node");
    command.arg(
        built::root()
            .join("tests/browser")
            .join(format!("{script}.mjs")),
    );
    command.arg(serde_json::to_string(input).expect("a test's input is JSON"));
    let mut node = Process::start("the browser script", &mut command, &log);
    let status = node.wait(deadline);
    assert!(status.success(), "{script}: {status}");
    let output = node.log();
    let answer = output.lines().last().unwrap_or_default();
    serde_json::from_str(answer).unwrap_or_else(|error| panic!("{script}: {error}: {answer}"))
}
