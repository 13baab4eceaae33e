//! Rows of a benchmark: printed as a table, written as `target/bench/NAME.json`.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;
use serde::Serialize;

/// One measured figure next to its peers'.
#[derive(Serialize)]
pub(crate) struct Row {
    /// What was run.
    pub(crate) case: String,
    /// What was measured.
    pub(crate) metric: &'static str,
    /// In what.
    pub(crate) unit: &'static str,
    /// Weir's figure, the median of the rounds.
    pub(crate) ours: f64,
    /// The peers' medians.
    pub(crate) peers: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct Report<'a> {
    rows: &'a [Row],
}

/// Prints the rows as a Markdown table and writes them to `target/bench/{name}.json`.
#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
pub(crate) fn publish(name: &str, rows: &[Row]) -> Result<()> {
    println!("| case | metric | unit | weir | peers | ratio |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let peers: Vec<String> = row
            .peers
            .iter()
            .map(|(name, figure)| format!("{name} {figure:.2}"))
            .collect();
        let ratios = row.peers.values().map(|peer| row.ours / peer);
        let ratios: Vec<String> = ratios.map(|ratio| format!("{ratio:.2}")).collect();
        let ratio = match ratios.is_empty() {
            false => ratios.join(", "),
            true => "-".to_owned(),
        };
        println!(
            "| {} | {} | {} | {:.2} | {} | {ratio} |",
            row.case,
            row.metric,
            row.unit,
            row.ours,
            peers.join(", ")
        );
    }
    write(name, rows)
}

/// Writes the rows to `target/bench/{name}.json` alone.
pub(crate) fn write(name: &str, rows: &[Row]) -> Result<()> {
    let folder = Path::new("target/bench");
    fs::create_dir_all(folder)?;
    fs::write(
        folder.join(format!("{name}.json")),
        serde_json::to_vec_pretty(&Report { rows })?,
    )?;
    Ok(())
}

/// The middle value; the mean of the middle two when their number is even.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn median_of_odd_and_even() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
