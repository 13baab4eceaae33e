//! What is printed, and written for other programs.

#![expect(
    clippy::print_stdout,
    reason = "the tables are what the command is for"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    browser::Memory,
    figures::{Figures, Metric},
    networks::Case,
    players::Player,
    proxy::Transfer,
};
use crate::report::{Row, median};

const ROWS: &str = "target/bench/player.json";
/// A file for each run goes here.
const RUNS: &str = "target/bench/player";
const MEGABYTE: f64 = 1e6;

/// The figures of all runs.
#[derive(Default)]
pub(super) struct Report {
    runs: BTreeMap<(Case, Player), Vec<Figures>>,
    rows: Vec<Row>,
}

impl Report {
    /// Takes in what a run came to, and tells it.
    pub(super) fn add(&mut self, case: Case, player: Player, figures: Figures) {
        let told: Vec<String> = figures
            .iter()
            .map(|(metric, figure)| {
                let (name, unit, digits) = metric.described();
                format!("{name} {figure:.digits$} {unit}").trim().to_owned()
            })
            .collect();
        println!("{:7} {:12} {}", case.name(), player.name(), told.join(", "));
        self.runs.entry((case, player)).or_default().push(figures);
    }

    /// Takes in what memory our player took over a long time, and tells it.
    pub(super) fn add_memory(&mut self, samples: &[Memory]) {
        println!(
            "\n| after s | JS heap, MB | Wasm, MB | page and workers, MB |\n| --- | --- | --- | --- |"
        );
        for sample in samples {
            println!(
                "| {:.0} | {:.1} | {:.1} | {:.1} |",
                sample.at_ms / 1000.0,
                sample.heap_bytes / MEGABYTE,
                sample.wasm_bytes / MEGABYTE,
                sample.all_bytes / MEGABYTE
            );
        }
        let sums = samples
            .iter()
            .map(|sample| (sample.heap_bytes + sample.wasm_bytes) / MEGABYTE);
        let sums: Vec<f64> = sums.collect();
        // The first minutes fill the back buffer and the window.
        let settled = sums[sums.len() / 3];
        let end = sums[sums.len() - 1];
        for (metric, figure) in [
            ("JS heap and Wasm at the end", end),
            ("growth over the last two thirds", end - settled),
        ] {
            self.rows.push(Row {
                case: Case::Memory.name().to_owned(),
                metric,
                unit: "MB",
                ours: figure,
                peers: BTreeMap::new(),
            });
        }
    }

    /// Prints the table of medians and writes the rows.
    pub(super) fn publish(mut self, players: &[Player]) -> Result<()> {
        let cases: BTreeSet<Case> = self.runs.keys().map(|(case, _)| *case).collect();
        let mut rows = Vec::new();
        if !cases.is_empty() {
            let names: Vec<&str> = players.iter().map(|player| player.name()).collect();
            println!("\n| case | metric | {} |", names.join(" | "));
            println!("| --- | --- |{}", " --- |".repeat(players.len()));
        }
        for case in cases {
            for metric in self.metrics(case) {
                let medians = players
                    .iter()
                    .map(|player| self.median(case, *player, metric));
                let medians: Vec<Option<f64>> = medians.collect();
                print_row(case, metric, &medians);
                let all = players.iter().zip(medians);
                rows.extend(row(
                    case,
                    metric,
                    all.filter_map(|(player, figure)| Some((*player, figure?))),
                ));
            }
        }
        rows.append(&mut self.rows);
        write(&rows)
    }

    fn metrics(&self, case: Case) -> BTreeSet<Metric> {
        let runs = self.runs.iter().filter(|((of, _), _)| *of == case);
        let figures = runs.flat_map(|(_, runs)| runs);
        figures
            .flat_map(|figures| figures.keys().copied())
            .collect()
    }

    fn median(&self, case: Case, player: Player, metric: Metric) -> Option<f64> {
        let runs = self.runs.get(&(case, player))?;
        let values: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.get(&metric).copied())
            .collect();
        (!values.is_empty()).then(|| median(values))
    }
}

fn print_row(case: Case, metric: Metric, medians: &[Option<f64>]) {
    let (name, unit, digits) = metric.described();
    let cell = |figure: &Option<f64>| {
        figure.map_or_else(String::new, |figure| format!("{figure:.digits$}"))
    };
    let cells: Vec<String> = medians.iter().map(cell).collect();
    let comma = if unit.is_empty() { "" } else { ", " };
    println!(
        "| {} | {name}{comma}{unit} | {} |",
        case.name(),
        cells.join(" | ")
    );
}

/// None without a figure of ours.
fn row(case: Case, metric: Metric, medians: impl Iterator<Item = (Player, f64)>) -> Option<Row> {
    let mut medians: BTreeMap<Player, f64> = medians.collect();
    let ours = medians.remove(&Player::Weir)?;
    let (name, unit, _) = metric.described();
    let peers = medians
        .into_iter()
        .map(|(player, figure)| (player.name(), figure));
    Some(Row {
        case: case.name().to_owned(),
        metric: name,
        unit,
        ours,
        peers: peers.collect(),
    })
}

/// Writes rows, and leaves those of cases that were not run as they are: memory may be measured another day.
fn write(rows: &[Row]) -> Result<()> {
    let file = Path::new(ROWS);
    let before = fs::read(file).ok();
    let before: Option<Value> = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let before = before.as_ref().and_then(|report| report["rows"].as_array());
    let was_run = |row: &&Value| rows.iter().any(|new| row["case"] == *new.case);
    let kept = before.into_iter().flatten().filter(|row| !was_run(row));
    let mut all: Vec<Value> = kept.cloned().collect();
    for row in rows {
        all.push(serde_json::to_value(row)?);
    }
    fs::create_dir_all(RUNS)?;
    fs::write(file, serde_json::to_vec_pretty(&json!({ "rows": all }))?)?;
    Ok(())
}

/// Writes a run's requests in the order in which they were asked for, to look at.
pub(super) fn write_run(
    run: usize,
    case: Case,
    player: Player,
    network: &str,
    figures: &Figures,
    log: &[Transfer],
) -> Result<()> {
    #[derive(Serialize)]
    struct Run<'a> {
        network: &'a str,
        figures: BTreeMap<&'a str, f64>,
        transfers: &'a [Transfer],
    }
    let figures = figures
        .iter()
        .map(|(metric, figure)| (metric.described().0, *figure));
    let run_json = Run {
        network,
        figures: figures.collect(),
        transfers: log,
    };
    fs::create_dir_all(RUNS)?;
    let player = player.name().replace(['.', ' '], "-");
    let file = Path::new(RUNS).join(format!("{}-{player}-{run}.json", case.name()));
    fs::write(file, serde_json::to_vec_pretty(&run_json)?)?;
    Ok(())
}
