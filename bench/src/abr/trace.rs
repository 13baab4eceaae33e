//! Recorded networks: what a link carried, and how long a request took, row by row.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

/// A link that repeats what was recorded of it.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// Its folder's name.
    pub(crate) family: String,
    /// Its file's name without the ending.
    pub(crate) name: String,
    /// When each row begins, in s, and the bits carried by then; one more for the end.
    marks: Vec<(f64, f64)>,
    /// Round trip of a request by row, in s.
    latencies: Vec<f64>,
}

impl Trace {
    /// Reads `duration_ms,bandwidth_kbps,latency_ms` rows below a line of names.
    pub(crate) fn parse(family: &str, name: &str, text: &str) -> Result<Self> {
        let (mut marks, mut latencies) = (vec![(0.0, 0.0)], Vec::new());
        let (mut at, mut bits) = (0.0, 0.0);
        for (number, line) in text.lines().enumerate().skip(1) {
            if line.trim().is_empty() {
                continue;
            }
            let wrong = || format!("line {} of {family}/{name}: {line:?}", number + 1);
            let mut fields = line.split(',').map(|field| field.trim().parse::<f64>());
            let mut next = || -> Result<f64> {
                let value = fields.next().with_context(wrong)?.with_context(wrong)?;
                ensure!((0.0..1e9).contains(&value), "out of range in {}", wrong());
                Ok(value)
            };
            let (duration_ms, kbit, latency_ms) = (next()?, next()?, next()?);
            if duration_ms > 0.0 {
                at += duration_ms / 1000.0;
                bits += duration_ms * kbit;
                marks.push((at, bits));
                latencies.push(latency_ms / 1000.0);
            }
        }
        if bits <= 0.0 {
            bail!("{family}/{name} carries nothing");
        }
        Ok(Self {
            family: family.to_owned(),
            name: name.to_owned(),
            marks,
            latencies,
        })
    }

    fn whole(&self) -> (f64, f64) {
        self.marks[self.marks.len() - 1]
    }

    /// Length in s until it begins again.
    pub(crate) fn length_s(&self) -> f64 {
        self.whole().0
    }

    /// The row at a time, and the rounds before it.
    fn row(&self, at_s: f64) -> (usize, f64) {
        let length_s = self.length_s();
        let rounds = (at_s / length_s).floor();
        let into = at_s - rounds * length_s;
        let row = self.marks.partition_point(|(begin, _)| *begin <= into);
        ((row - 1).min(self.latencies.len() - 1), rounds)
    }

    /// Bits that it could have carried by then.
    pub(crate) fn bits_by(&self, at_s: f64) -> f64 {
        let (length_s, all) = self.whole();
        let (row, rounds) = self.row(at_s);
        let ((begin, before), (end, after)) = (self.marks[row], self.marks[row + 1]);
        let into = (at_s - rounds * length_s - begin) / (end - begin);
        rounds * all + before + into * (after - before)
    }

    /// When it has carried as many.
    pub(crate) fn when(&self, bits: f64) -> f64 {
        let (length_s, all) = self.whole();
        let rounds = (bits / all).floor();
        let into = bits - rounds * all;
        let row = self.marks.partition_point(|(_, by)| *by < into);
        let row = row.saturating_sub(1).min(self.latencies.len() - 1);
        let ((begin, before), (end, after)) = (self.marks[row], self.marks[row + 1]);
        let share = if after > before {
            (into - before) / (after - before)
        } else {
            0.0
        };
        rounds * length_s + begin + share * (end - begin)
    }

    /// When `bits` are through that begin to come at `from_s`.
    pub(crate) fn through(&self, from_s: f64, bits: f64) -> f64 {
        self.when(self.bits_by(from_s) + bits).max(from_s)
    }

    /// How long a request sent then takes until its answer begins, in s.
    pub(crate) fn latency_s(&self, at_s: f64) -> f64 {
        self.latencies[self.row(at_s).0]
    }
}

/// All traces in the folders of a folder, in order of their names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Trace>> {
    let mut traces = Vec::new();
    let mut families = vec![folder.to_path_buf()];
    families.extend(list(folder)?.into_iter().filter(|path| path.is_dir()));
    for family in families {
        let files = list(&family)?;
        for path in files
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "csv"))
        {
            let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let name = |path: &Path| {
                let stem = path.file_stem().unwrap_or_default();
                stem.to_string_lossy().into_owned()
            };
            traces.push(Trace::parse(&name(&family), &name(path), &text)?);
        }
    }
    ensure!(!traces.is_empty(), "no traces in {}", folder.display());
    Ok(traces)
}

/// What is in a folder, in order.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
