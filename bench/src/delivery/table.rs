//! The tables of `bench/README.md`.

use super::{CASES, Figures, Load, Results, servers::Kind};
use crate::report::median;

/// Name of a figure, which one it is, and how many places it has behind the point.
type Figure = (&'static str, fn(&Figures) -> f64, usize);

const PER_SECOND: Figure = ("requests/s", |figures| figures.per_second, 0);
const CPU: Figure = ("CPU, µs", |figures| figures.cpu_us, 1);
const P50: Figure = ("p50 ms", |figures| figures.p50_ms, 2);
const P99: Figure = ("p99 ms", |figures| figures.p99_ms, 2);

/// Prints what was measured, the medians of all rounds.
#[expect(
    clippy::print_stdout,
    reason = "the tables are what the command is for"
)]
pub(super) fn print(results: &Results) {
    let tables = [
        hits(results),
        figures(results, "case", &[P50, P99], |load| !load.is_wait()),
        figures(results, "waiters", &[P50, P99, CPU], Load::is_wait),
    ];
    // A heading alone says nothing.
    for table in tables.iter().filter(|table| table.lines().count() > 2) {
        println!("{table}");
    }
}

/// Requests a second and what they cost, and how many times those of the faster peer they are.
fn hits(results: &Results) -> String {
    let mut table = figures(results, "case", &[PER_SECOND, CPU], |load| !load.is_wait());
    let shares = CASES.iter().enumerate();
    let mut shares = shares.filter_map(|(case, _)| share(results, case));
    // The heading's two lines, then one for each case that was measured.
    let lines = table
        .lines()
        .enumerate()
        .map(|(number, line)| match number {
            0 => format!("{line} Weir / the faster peer |\n"),
            1 => format!("{line} --- |\n"),
            _ => format!("{line} {:.2} |\n", shares.next().unwrap_or(f64::NAN)),
        });
    table = lines.collect();
    table
}

/// The median of what each round says, as a round's runs are next to each other in time.
fn share(results: &Results, case: usize) -> Option<f64> {
    let ours = results.get(&(case, Kind::Weir))?;
    let peers = [Kind::Nginx, Kind::Varnish].map(|kind| results.get(&(case, kind)));
    let of_round = |(round, ours): (usize, &Figures)| {
        let peers = peers.iter().flatten();
        let peers = peers.filter_map(|runs| runs.get(round).map(|run| run.per_second));
        ours.per_second / peers.fold(0.0, f64::max)
    };
    Some(median(ours.iter().enumerate().map(of_round).collect()))
}

fn figures(
    results: &Results,
    first: &str,
    columns: &[Figure],
    wanted: impl Fn(Load) -> bool,
) -> String {
    let (mut heading, mut rule) = (format!("| {first} |"), "| --- |".to_owned());
    for (name, ..) in columns {
        for kind in Kind::ALL {
            let lead = if kind == Kind::Weir { name } else { "" };
            let colon = if kind == Kind::Weir { ": " } else { "" };
            heading.push_str(&format!(" {lead}{colon}{} |", kind.title()));
            rule.push_str(" --- |");
        }
    }
    let mut table = format!("{heading}\n{rule}\n");
    for (index, (case, load)) in CASES.iter().enumerate() {
        if !wanted(*load) || !results.contains_key(&(index, Kind::Weir)) {
            continue;
        }
        table.push_str(&format!("| {case} |"));
        for (_, figure, places) in columns {
            for kind in Kind::ALL {
                let runs = results.get(&(index, kind)).into_iter().flatten();
                let figure = median(runs.map(figure).collect());
                table.push_str(&format!(" {figure:.places$} |"));
            }
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_round_is_compared_with_itself() {
        let runs = |rates: [f64; 3]| {
            let run = |per_second| Figures {
                per_second,
                cpu_us: 10.0,
                ..Figures::default()
            };
            rates.map(run).to_vec()
        };
        let results: Results = BTreeMap::from([
            ((0, Kind::Weir), runs([1000.0, 500.0, 2000.0])),
            ((0, Kind::Nginx), runs([500.0, 250.0, 1900.0])),
            ((0, Kind::Varnish), runs([100.0, 400.0, 100.0])),
        ]);
        assert_eq!(
            hits(&results),
            "| case | requests/s: Weir | nginx | Varnish | CPU, µs: Weir | nginx | Varnish | \
             Weir / the faster peer |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n\
             | hot playlist, 1 KiB | 1000 | 500 | 100 | 10.0 | 10.0 | 10.0 | 1.25 |\n"
        );
    }
}
