//! Rules of the house that the compiler doesn't know.
//!
//! - [`graph`]: who may import whom, and no cargo features
//! - [`licences`]: every dependency's licence is one that `deny.toml` allows
//! - [`files`]: length, leftovers, paths of somebody's machine, unsafe code

mod files;
mod graph;
mod licences;

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::run;

/// What `cargo metadata` says.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for the workspace's own.
    source: Option<String>,
    features: serde_json::Map<String, serde_json::Value>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` for a normal one, else `dev` or `build`.
    kind: Option<String>,
}

/// Prints each breach, one a line.
pub(crate) fn run() -> Result<ExitCode> {
    let mut metadata = run::cargo();
    metadata.args(["metadata", "--locked", "--format-version", "1"]);
    let metadata: Metadata = serde_json::from_str(&run::output(&mut metadata)?)
        .context("cargo metadata is not what it was")?;
    let mut breaches = graph::check(&metadata.packages);
    breaches.extend(licences::check(&metadata.packages)?);
    breaches.extend(files::check()?);
    for breach in &breaches {
        eprintln!("{breach}");
    }
    println!(
        "{} packages, {} breaches",
        metadata.packages.len(),
        breaches.len()
    );
    Ok(if breaches.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
