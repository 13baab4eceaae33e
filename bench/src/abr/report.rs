//! What is printed, and written for other programs.

#![expect(
    clippy::print_stdout,
    reason = "the tables are what the command is for"
)]

use std::{
    fmt::Write,
    fs,
    io::{self, IsTerminal},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{
    rules::Kind,
    score::Score,
    study::{Families, Session, Show, Study},
};

/// What is simulated.
pub(crate) fn study(study: &Study) {
    let families: std::collections::BTreeSet<_> =
        study.traces.iter().map(|trace| &trace.family).collect();
    println!(
        "{} traces of {} families, {} recordings and a broadcast, {} rules",
        study.traces.len(),
        families.len(),
        study.movies.len(),
        Kind::ALL.len()
    );
}

/// How far it has come, every twentieth.
pub(crate) fn progress(done: usize, total: usize) {
    if done * 20 / total > (done - 1) * 20 / total && io::stderr().is_terminal() {
        eprint!("\r{:3}%", done * 100 / total);
    } else if done * 4 / total > (done - 1) * 4 / total {
        eprintln!("{}%", done * 100 / total);
    }
}

/// The tables of every show.
pub(crate) fn tables(study: &Study, sessions: &[Session]) {
    for show in study.shows() {
        for held_out in [true, false] {
            let families = study.families(sessions, show, held_out);
            if families.is_empty() {
                continue;
            }
            let half = match (study.all, held_out) {
                (true, _) => "all traces",
                (false, true) => "held-out half",
                (false, false) => "half that parameters were chosen on",
            };
            println!("\n### {}, {half}\n", study.name(show));
            means(show, &families);
            by_family(show, &families);
            if held_out {
                verdict(show, &families);
            }
        }
    }
}

/// The mean over families, each of which counts the same.
fn mean(families: &Families<'_>, rule: usize, value: impl Fn(&Score) -> f64) -> f64 {
    let sum: f64 = families.values().map(|rules| value(&rules[rule])).sum();
    sum / families.len() as f64
}

fn means(show: Show, families: &Families<'_>) {
    let live = show == Show::Live;
    let more = if live {
        "latency s | target s |"
    } else {
        "start-up s |"
    };
    println!("| rule | QoE | stalled % | kbit/s | switches/min | given up % | {more}");
    println!(
        "| --- | --- | --- | --- | --- | --- | --- |{}",
        if live { " --- |" } else { "" }
    );
    for (rule, kind) in Kind::ALL.iter().enumerate() {
        let of = |value: fn(&Score) -> f64| mean(families, rule, value);
        print!(
            "| {} | {:.3} | {:.3} | {:.0} | {:.1} | {:.1} |",
            kind.name(),
            of(Score::qoe),
            of(Score::stall_percent),
            of(Score::mean_kbit),
            of(Score::switches_a_minute),
            of(Score::wasted_percent)
        );
        if live {
            let latency = of(|score| score.mean_latency_s().0);
            println!(
                " {latency:.2} | {:.2} |",
                of(|score| score.mean_latency_s().1)
            );
        } else {
            println!(" {:.2} |", of(Score::mean_startup_s));
        }
    }
    println!();
}

fn by_family(show: Show, families: &Families<'_>) {
    let names = Kind::ALL.map(Kind::name).join(" | ");
    println!("| QoE, stalled % | {names} |");
    println!("| --- |{}", " --- |".repeat(Kind::ALL.len()));
    for (family, rules) in families {
        print!("| {family} |");
        for score in rules {
            print!(" {:.2}, {:.2}", score.qoe(), score.stall_percent());
            if show == Show::Live {
                print!(", {:.2} s", score.mean_latency_s().0);
            }
            print!(" |");
        }
        println!();
    }
}

/// What was aimed at, and whether it was reached.
fn verdict(show: Show, families: &Families<'_>) {
    let at = |kind| Kind::ALL.iter().position(|rule| *rule == kind).unwrap_or(0);
    let (ours, bola, hls, lowest) = (
        at(Kind::Ours),
        at(Kind::Bola),
        at(Kind::HlsJs),
        at(Kind::Lowest),
    );
    let qoe = |rule| mean(families, rule, Score::qoe);
    let stalled = |rule| mean(families, rule, Score::stall_percent);
    let avoidable = |rule| stalled(rule) - stalled(lowest);
    println!();
    if show == Show::Live {
        let latency = mean(families, ours, |score| {
            let (latency_s, target_s) = score.mean_latency_s();
            latency_s / target_s
        });
        println!("- latency is {latency:.3} of its target, in the mean of families");
        println!(
            "- {:.2}% stalled; who always took the lowest rung {:.2}%, hls.js-like {:.2}%",
            stalled(ours),
            stalled(lowest),
            stalled(hls)
        );
        return;
    }
    println!(
        "- QoE {:.3} where BOLA-E-like has {:.3}, at {:.2} of its stall time ({:.2} of what can be avoided)",
        qoe(ours),
        qoe(bola),
        stalled(ours) / stalled(bola),
        avoidable(ours) / avoidable(bola)
    );
    let worse = |worse: fn(&Score, &Score) -> bool| -> String {
        let names = families
            .iter()
            .filter(|(_, rules)| worse(&rules[ours], &rules[hls]));
        let names: Vec<&str> = names.map(|(name, _)| *name).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    println!(
        "- families with lower QoE than hls.js-like: {}; with more stall time: {}",
        worse(|ours, hls| ours.qoe() < hls.qoe()),
        worse(|ours, hls| ours.stall_percent() > hls.stall_percent() + 0.005)
    );
}

/// A row for each session.
pub(crate) fn csv(study: &Study, sessions: &[Session], path: &Path) -> Result<()> {
    let mut text = String::from(
        "show,family,trace,held_out,rule,qoe,stall_s,stalls,media_s,mean_kbit,switches,startup_s,\
         wasted_percent,latency_s,target_s\n",
    );
    for session in sessions {
        let (trace, score) = (&study.traces[session.trace], &session.score);
        let (latency_s, target_s) = score.mean_latency_s();
        writeln!(
            text,
            "{},{},{},{},{},{:.4},{:.3},{},{:.1},{:.0},{},{:.3},{:.3},{latency_s:.3},{target_s:.3}",
            study.name(session.show),
            trace.family,
            trace.name,
            study.held_out(session.trace),
            session.rule.name(),
            score.qoe(),
            score.stall_s,
            score.stalls,
            score.media_s,
            score.mean_kbit(),
            score.switches,
            score.startup_s,
            score.wasted_percent()
        )?;
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| path.display().to_string())?;
    println!("\n{}", path.display());
    Ok(())
}

/// What it took.
pub(crate) fn took(sessions: &[Session], took: Duration) {
    println!(
        "{} sessions, {:.1} s on this machine",
        sessions.len(),
        took.as_secs_f64()
    );
}
