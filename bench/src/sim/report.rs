//! What is printed.

#![expect(
    clippy::print_stdout,
    reason = "the tables are what the command is for"
)]

use std::time::Duration;

use super::{
    Outcome,
    ledger::{CLASSES, Counts, Ledger, share},
    queue::Micros,
    scenario::Scenario,
};

/// What is simulated.
pub(crate) fn scenario(scenario: &Scenario) {
    println!(
        "{} viewers of {} broadcasts, {} points of presence, {} shields, {} origins; {} s\n",
        scenario.viewers,
        scenario.broadcasts,
        scenario.pops,
        scenario.shields,
        scenario.origins,
        scenario.end / 1_000_000
    );
}

/// What it came to.
pub(crate) fn outcome(scenario: &Scenario, outcome: &Outcome, took: Duration) {
    let Outcome {
        ledger,
        plans,
        events,
    } = outcome;
    seconds(ledger);
    let all = ledger.between(0, ledger.seconds.len());
    println!(
        "\n| class | requests | hit | collapsed | upstream | late p50 ms | p90 | p99 | p99.9 |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (class, name) in CLASSES.iter().enumerate() {
        let requests = all.requests[class];
        let (hits, collapsed) = (all.hits[class], all.collapsed[class]);
        let percent = |n: u64| 100.0 * share(n, requests);
        let late = [0.5, 0.9, 0.99, 0.999].map(|of| all.late[class].quantile_ms(of));
        println!(
            "| {} | {requests} | {:.2}% | {:.2}% | {:.2}% | {:.1} | {:.1} | {:.1} | {:.1} |",
            name.as_str(),
            percent(hits),
            percent(collapsed),
            percent(requests - hits - collapsed),
            late[0],
            late[1],
            late[2],
            late[3]
        );
    }
    println!(
        "\n| while | requests/s | hit ratio | to shields/s | to origins/s | late p50 ms | p99 | p99.9 |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, from, to) in phases(scenario) {
        let span = (to - from) as u64;
        let counts = ledger.between(from, to);
        let late = counts.all_late();
        println!(
            "| {name} | {} | {:.2}% | {} | {} | {:.1} | {:.1} | {:.1} |",
            counts.all_requests() / span,
            100.0 * counts.hit_ratio(),
            counts.to_shields / span,
            counts.all_to_origins() / span,
            late.quantile_ms(0.5),
            late.quantile_ms(0.99),
            late.quantile_ms(0.999)
        );
    }
    totals(&all);
    println!(
        "{plans} plans of the edge module, {events} events, {:.0} s on this machine",
        took.as_secs_f64()
    );
}

/// Every fifth second of it.
fn seconds(ledger: &Ledger) {
    println!(
        "| second | viewers | requests/s | hit ratio | to shields/s | to origins/s | late p99 ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (second, counts) in ledger.seconds.iter().enumerate().skip(4).step_by(5) {
        println!(
            "| {} | {} | {} | {:.2}% | {} | {} | {:.1} |",
            second + 1,
            ledger.viewers[second],
            counts.all_requests(),
            100.0 * counts.hit_ratio(),
            counts.to_shields,
            counts.all_to_origins(),
            counts.all_late().quantile_ms(0.99)
        );
    }
}

fn totals(all: &Counts) {
    println!(
        "\n{} requests of viewers, {} to shields, {} to origins ({} of them past the shields)",
        all.all_requests(),
        all.to_shields,
        all.all_to_origins(),
        all.past_shields
    );
    println!(
        "{} repeated at an origin by the same shield, {} retries, {} hedges, {} viewers moved, {} failures",
        all.repeated, all.retries, all.hedges, all.moved, all.failed
    );
}

/// Names of stretches of time, with the seconds from which and to which they go.
pub(crate) fn phases(scenario: &Scenario) -> [(&'static str, usize, usize); 5] {
    let second = |at: Micros| (at / 1_000_000) as usize;
    let crowd = second(scenario.crowd_at);
    let (pop, shield) = (
        second(scenario.pop_lost_at),
        second(scenario.shield_lost_at),
    );
    let back = second(scenario.shield_back_at);
    // Once those who came last have begun, if there is the time.
    let settled = (second(scenario.begin_over) + 2).min(crowd - 1);
    [
        ("steady", settled, crowd),
        ("the crowd comes", crowd, pop),
        ("a PoP is lost", pop, pop + 3),
        ("a shield is lost", shield, shield + 3),
        ("it is back", back, back + 3),
    ]
}
