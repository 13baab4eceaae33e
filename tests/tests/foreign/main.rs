//! Streams that others make, played by our element from a server of plain files; and our own over
//! DASH, which the player may not prefer but has to play.
//!
//! - [`packagers`]: Shaka Packager and ffmpeg
//! - [`recorded`], [`live`]: what they make, from the first frame to the end
//! - [`refused`]: what cannot be played says so
//! - [`firefox`]: a recording in Firefox, with what its controls offer

mod firefox;
mod live;
mod packagers;
mod recorded;
mod refused;

use std::{path::Path, time::Duration};

use serde::Deserialize;
use serde_json::json;
use weir_tests::{browser, built};

const DEADLINE: Duration = Duration::from_secs(240);

/// How something is watched.
#[derive(Clone, Copy)]
enum How {
    Recorded,
    Live,
    Refused,
}

/// What a page showed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// Duration; none of what has no end.
    #[serde(default)]
    seconds: Option<f64>,
    #[serde(default)]
    height: u32,
    /// Of the renditions, from the lowest.
    #[serde(default)]
    heights: Vec<Option<u32>>,
    /// Languages of the sounds.
    #[serde(default)]
    sounds: Vec<Option<String>>,
    #[serde(default)]
    live: Option<bool>,
    #[serde(default)]
    sound_bytes: u64,
    /// Segments that began to come well before they were whole.
    #[serde(default)]
    partial: u32,
    /// What the player said.
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    messages: Vec<String>,
    errors: Vec<String>,
}

/// Plays sources, in `media` where they are relative, all at once.
fn watch(media: &Path, plays: &[(&str, How)]) -> Vec<Shown> {
    let plays: Vec<_> = plays
        .iter()
        .map(|(source, how)| {
            let how = match how {
                How::Recorded => "recorded",
                How::Live => "live",
                How::Refused => "refused",
            };
            json!({"source": source, "how": how})
        })
        .collect();
    let input = json!({
        "player": built::player_package(),
        "media": media,
        "plays": plays,
    });
    browser::run("foreign", &input, DEADLINE)
}
