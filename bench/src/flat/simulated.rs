//! Crowds in virtual time, through the rules and decisions of the same point of presence.

use super::rows;
use crate::{
    report::Row,
    sim::crowd::{self, Crowd},
};

/// Cores of a server that can be rented anywhere.
const USUAL_CORES: u16 = 64;

/// Each crowd at a usual server, and at one that is as large as it has to be.
#[expect(clippy::print_stderr, reason = "progress of a long command")]
pub(super) fn run(crowds: &[u32]) -> Vec<Row> {
    let mut all = Vec::new();
    for &viewers in crowds {
        let usual = crowd::watch(viewers, USUAL_CORES);
        let in_time = crowd::watch_in_time(viewers);
        for crowd in [usual, in_time] {
            eprintln!(
                "{} viewers in virtual time at {} cores: origin {:.1} requests/s, at most {} for one name, \
                 at most {:.1} ms later than alone",
                crowd.viewers,
                crowd.cores,
                crowd.origin_rate,
                crowd.most_for_one,
                crowd.extra_ms(100),
            );
            all.extend(figures(&crowd));
        }
    }
    all
}

fn figures(crowd: &Crowd) -> impl Iterator<Item = Row> + use<> {
    let case = format!(
        "{} viewers in virtual time, {} cores",
        crowd.viewers, crowd.cores
    );
    let figures = [
        ("origin requests", "1/s", crowd.origin_rate),
        (
            "most origin requests for one name",
            "",
            f64::from(crowd.most_for_one),
        ),
        ("viewers' requests", "1/s", crowd.viewer_rate),
        ("later than a lone viewer, p50", "ms", crowd.extra_ms(50)),
        ("later than a lone viewer, p99", "ms", crowd.extra_ms(99)),
        ("later than a lone viewer, most", "ms", crowd.extra_ms(100)),
        ("never had by everyone", "", crowd.missed as f64),
        ("cores that are busy", "", crowd.busy_cores()),
        ("to viewers", "Gbit/s", crowd.gbits),
    ];
    rows(case, figures)
}
