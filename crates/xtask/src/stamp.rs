//! Skipping what is done: a stamp file says what a result was made from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The digest of files, and of the files in folders, by name and content.
pub(crate) fn digest(inputs: &[PathBuf], skipped: &[&str]) -> Result<String> {
    let mut files = Vec::new();
    for input in inputs {
        collect(input, skipped, &mut files)?;
    }
    files.sort();
    let mut sha = Sha256::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        sha.update(file.as_os_str().as_encoded_bytes());
        sha.update([0]);
        sha.update((content.len() as u64).to_le_bytes());
        sha.update(&content);
    }
    Ok(sha
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn collect(path: &Path, skipped: &[&str], files: &mut Vec<PathBuf>) -> Result<()> {
    if path
        .file_name()
        .is_some_and(|name| skipped.iter().any(|skip| name == *skip))
    {
        return Ok(());
    }
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        collect(&entry?.path(), skipped, files)?;
    }
    Ok(())
}

/// Runs `make` unless `result` exists and `stamp` says that it was made from `inputs`, usually
/// their digest.
pub(crate) fn unless_made(
    stamp: &Path,
    inputs: &str,
    result: &Path,
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let is_made = fs::read_to_string(stamp).is_ok_and(|made_from| made_from == inputs);
    if is_made && result.exists() {
        return Ok(());
    }
    make()?;
    if let Some(folder) = stamp.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}
