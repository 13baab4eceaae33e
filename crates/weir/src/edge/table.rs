//! How a roll-out goes, for people.

use std::fmt::Write;

use weir_model::{
    WallTime,
    rollout::{Fleet, ModuleRef, PopStatus},
};

/// A line about the newest roll-out, and one for each point of presence.
pub(super) fn of(fleet: &Fleet, now: WallTime) -> String {
    let mut table = match &fleet.rollout {
        None => "no roll-out yet\n".to_owned(),
        Some(rollout) => {
            let manifest = &rollout.manifest;
            format!(
                "roll-out {} of {} ({}), begun {}\n",
                rollout.number,
                manifest.name,
                short(&manifest.sha256.to_string()),
                rollout.started_at
            )
        }
    };
    if fleet.pops.is_empty() {
        table.push_str("no point of presence has checked in\n");
        return table;
    }
    let rows: Vec<_> = fleet.pops.iter().map(|pop| row(pop, now)).collect();
    let head = ["POP", "SEEN", "STATE", "SHARE", "CALLS", "STABLE", "WHY"];
    let head = head.map(str::to_owned);
    let all = || std::iter::once(&head).chain(&rows);
    let widths: Vec<_> = (0..head.len())
        .map(|column| {
            all()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in all() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

fn row(pop: &PopStatus, now: WallTime) -> [String; 7] {
    let status = &pop.status;
    let progress = status.rollout.as_ref();
    let candidate = status.candidate.as_ref();
    let none = || "-".to_owned();
    [
        pop.name.clone(),
        format!("{} s ago", now.since(pop.seen_at).as_secs()),
        progress.map_or_else(none, |progress| {
            format!("{} ({})", progress.state.as_str(), progress.number)
        }),
        candidate.map_or_else(none, |c| format!("{}%", f64::from(c.share) / 100.0)),
        candidate.map_or_else(none, |c| c.calls.to_string()),
        name(&status.stable),
        progress
            .and_then(|progress| progress.reason.clone())
            .unwrap_or_default(),
    ]
}

fn name(module: &ModuleRef) -> String {
    let hash = module.sha256.to_string();
    match &module.name {
        Some(name) => format!("{name} ({})", short(&hash)),
        None => format!("built-in ({})", short(&hash)),
    }
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_point_of_presence_has_a_line() {
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        let fleet: Fleet = serde_json::from_value(json!({
            "rollout": {"number": 2, "started_at": 0, "manifest": {
                "name": "edge-2", "sha256": two, "bytes": 1, "abi": 3, "created_at": 0,
                "key": "0123456789abcdef", "signature": "",
            }},
            "pops": [
                {"name": "paris", "seen_at": 4000, "status": {
                    "stable": {"sha256": one}, "refused": 0, "rolled_back": 0,
                    "candidate": {"module": {"sha256": two, "name": "edge-2"}, "share": 150,
                        "calls": 1234, "failures": 0},
                    "rollout": {"number": 2, "state": "on-trial"},
                }},
                {"name": "rome", "seen_at": 1000, "status": {
                    "stable": {"sha256": one, "name": "edge-1"}, "refused": 0, "rolled_back": 1,
                    "rollout": {"number": 2, "state": "rolled-back", "reason": "it fails"},
                }},
            ],
        }))
        .unwrap();
        let table = of(&fleet, WallTime(5000));
        let lines: Vec<Vec<_>> = table
            .lines()
            .map(|line| {
                line.split("  ")
                    .map(str::trim)
                    .filter(|c| !c.is_empty())
                    .collect()
            })
            .collect();
        assert!(
            lines[0][0].starts_with("roll-out 2 of edge-2 (222222222222)"),
            "{table}"
        );
        let paris = [
            "paris",
            "1 s ago",
            "on-trial (2)",
            "1.5%",
            "1234",
            "built-in (111111111111)",
        ];
        assert_eq!(lines[2], paris);
        let rome = [
            "rome",
            "4 s ago",
            "rolled-back (2)",
            "-",
            "-",
            "edge-1 (111111111111)",
            "it fails",
        ];
        assert_eq!(lines[3], rome);
    }

    #[test]
    fn nothing_yet_is_said_too() {
        let table = of(&Fleet::default(), WallTime(0));
        assert_eq!(
            table,
            "no roll-out yet\nno point of presence has checked in\n"
        );
    }
}
