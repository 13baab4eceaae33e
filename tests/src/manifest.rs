//! DASH manifests as tests look at them, and the schemas that they have to keep.

use std::{path::PathBuf, process::Command};

use crate::{built, probe::MediaFile};

/// Names a file with the standard's own schema, `DASH-MPD.xsd`. It is not free to be copied, so
/// that it does not come with Weir; where it is named, manifests are checked against it too.
const STANDARD_SCHEMA: &str = "WEIR_DASH_SCHEMA";

/// What is wrong with a manifest by the schema of what Weir writes (`tests/dash/weir-mpd.xsd`), and
/// by the standard's own where there is one.
///
/// # Panics
/// If the schemas can't be read.
pub fn breaches(manifest: &str) -> Vec<String> {
    let file = MediaFile::new("manifest.mpd", manifest.as_bytes());
    let folder = built::root().join("tests/dash");
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", built::xml_schema())
        .arg(folder.join("validate.py"))
        .arg(folder.join("weir-mpd.xsd"))
        .args(std::env::var_os(STANDARD_SCHEMA).map(PathBuf::from))
        .arg("--")
        .arg(file.path());
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("python3: {error}"));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "validate.py: {complaints}");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("validate.py: {error}: {complaints}"))
}

/// The values of an attribute, wherever it stands, in order.
pub fn values<'a>(manifest: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    let mut pieces = manifest.split(&start);
    pieces.next();
    pieces.filter_map(|piece| piece.split('"').next()).collect()
}
