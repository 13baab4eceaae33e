//! What is played: how many bits each segment has on each rung.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// A movie and its ladder.
#[derive(Clone, Debug)]
pub(crate) struct Movie {
    pub(crate) name: String,
    pub(crate) segment_s: f64,
    /// Bits per second of each rung, rising.
    pub(crate) ladder: Vec<f64>,
    /// Bits by segment and rung.
    pub(crate) sizes: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Table {
    segment_duration_ms: f64,
    bitrates_kbps: Vec<f64>,
    segment_sizes_bits: Vec<Vec<f64>>,
}

impl Movie {
    /// Reads a table of segment sizes.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let said = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(said)?;
        let table: Table = serde_json::from_str(&text).with_context(said)?;
        let rungs = table.bitrates_kbps.len();
        let sound = rungs > 0
            && table.segment_duration_ms > 0.0
            && table.bitrates_kbps.is_sorted()
            && table.bitrates_kbps[0] > 0.0
            && !table.segment_sizes_bits.is_empty()
            && table
                .segment_sizes_bits
                .iter()
                .all(|row| row.len() == rungs && row.iter().all(|bits| (1.0..1e12).contains(bits)));
        ensure!(sound, "{} is no table of segment sizes", said());
        Ok(Self {
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            segment_s: table.segment_duration_ms / 1000.0,
            ladder: table
                .bitrates_kbps
                .iter()
                .map(|kbit| kbit * 1000.0)
                .collect(),
            sizes: table.segment_sizes_bits,
        })
    }

    /// A broadcast of ten minutes in segments of 2 s, as a live encoder with a bounded rate makes
    /// them: a fifth above and below the mean, scene by scene.
    pub(crate) fn broadcast() -> Self {
        let ladder = [200e3, 400e3, 800e3, 1600e3, 3000e3, 6000e3];
        let mut random = fastrand::Rng::with_seed(20_261_123);
        let sizes = (0..300).map(|_| {
            let busy = 0.8 + 0.4 * random.f64();
            ladder.iter().map(|rate| 2.0 * rate * busy).collect()
        });
        Self {
            name: "broadcast".to_owned(),
            segment_s: 2.0,
            ladder: ladder.to_vec(),
            sizes: sizes.collect(),
        }
    }
}
