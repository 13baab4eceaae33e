//! One link that every connection shares: a token bucket that a trace fills. There is no clock and no
//! socket in it.

use std::time::Duration;

use crate::abr::trace::Trace;

/// For how long the link's unused time is still there for who comes next: what a timer may be late.
const KEPT: Duration = Duration::from_millis(20);

/// A link as a trace has it, from its beginning.
pub(super) struct Link {
    trace: Trace,
    /// Until when its time is given away, in s.
    given_until: f64,
}

impl Link {
    pub(super) fn new(trace: Trace) -> Self {
        Self {
            trace,
            given_until: 0.0,
        }
    }

    /// Puts bytes in line that are there at `now`. Answers when they are through, which may be past
    /// already; in any stretch of time no more bytes are through than the trace carries in it and in the
    /// moment before.
    pub(super) fn pass(&mut self, now: Duration, bytes: usize) -> Duration {
        let from = self.given_until.max(now.saturating_sub(KEPT).as_secs_f64());
        self.given_until = self.trace.through(from, bytes as f64 * 8.0);
        Duration::from_secs_f64(self.given_until)
    }

    /// How long a request sent then, and the beginning of its answer, are on their way.
    pub(super) fn round_trip(&self, now: Duration) -> Duration {
        Duration::from_secs_f64(self.trace.latency_s(now.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trace(rows: &[(u32, u32)]) -> Trace {
        let rows: String = rows
            .iter()
            .map(|(ms, kbps)| format!("{ms},{kbps},40\n"))
            .collect();
        Trace::parse(
            "made",
            "up",
            &format!("duration_ms,bandwidth_kbps,latency_ms\n{rows}"),
        )
        .expect("the rows are those of a trace")
    }

    fn rows() -> impl Strategy<Value = Vec<(u32, u32)>> {
        let row = (1..3000u32, prop_oneof![Just(0), 50..20_000u32]);
        let some = prop::collection::vec(row, 1..8);
        some.prop_filter("carries something", |rows| {
            rows.iter().any(|(_, kbps)| *kbps > 0)
        })
    }

    /// Of each connection: how long it pauses before each of its packets, in ms, and how large they are.
    fn connections() -> impl Strategy<Value = Vec<Vec<(u32, usize)>>> {
        let packet = (prop_oneof![3 => Just(0), 1 => 0..400u32], 1..3000usize);
        prop::collection::vec(prop::collection::vec(packet, 1..30), 1..6)
    }

    /// Has connections send under virtual time, each waiting for its packet to be through before the
    /// next, by timers that are so late. Yields when how many bytes were through, in order.
    fn send(
        link: &mut Link,
        connections: &[Vec<(u32, usize)>],
        late: Duration,
    ) -> Vec<(Duration, usize)> {
        let mut waiting: Vec<(Duration, usize, usize)> = connections
            .iter()
            .enumerate()
            .map(|(who, packets)| (Duration::from_millis(packets[0].0.into()), who, 0))
            .collect();
        let mut through = Vec::new();
        while let Some(next) = (0..waiting.len()).min_by_key(|at| waiting[*at].0) {
            let (now, who, packet) = waiting.swap_remove(next);
            let bytes = connections[who][packet].1;
            let due = link.pass(now, bytes);
            let at = if due > now { due + late } else { now };
            through.push((at, bytes));
            if let Some((pause, _)) = connections[who].get(packet + 1) {
                let wakes = at + Duration::from_millis((*pause).into());
                waiting.push((wakes, who, packet + 1));
            }
        }
        through.sort();
        through
    }

    proptest! {
        #[test]
        fn never_carries_more_than_its_trace(rows in rows(), connections in connections()) {
            let trace = trace(&rows);
            let through = send(&mut Link::new(trace.clone()), &connections, Duration::ZERO);
            let mut bits = 0.0;
            for (at, bytes) in &through {
                bits += *bytes as f64 * 8.0;
                // What rounding to nanoseconds is worth.
                let carried = trace.bits_by(at.as_secs_f64() + 1e-9) + 1e-3;
                prop_assert!(bits <= carried, "{bits} of {carried} bits by {at:?}");
            }
        }

        #[test]
        fn a_pause_saves_up_no_more_than_a_moment(
            rows in rows(),
            connections in connections(),
            from in 0..2000u32,
        ) {
            let trace = trace(&rows);
            let through = send(&mut Link::new(trace.clone()), &connections, Duration::ZERO);
            let from = Duration::from_millis(from.into());
            let (before, mut bits) = (trace.bits_by(from.saturating_sub(KEPT).as_secs_f64()), 0.0);
            for (at, bytes) in through.iter().filter(|(at, _)| *at >= from) {
                bits += *bytes as f64 * 8.0;
                // The first may have been on its way.
                let carried = trace.bits_by(at.as_secs_f64() + 1e-9) - before + 3000.0 * 8.0;
                prop_assert!(bits <= carried, "{bits} of {carried} bits from {from:?} to {at:?}");
            }
        }
    }

    #[test]
    fn timers_that_are_late_lose_nothing() {
        let mut link = Link::new(trace(&[(1000, 4000)]));
        let packets = vec![(0, 1448); 1000];
        let through = send(&mut link, &[packets], Duration::from_millis(3));
        let (end, _) = through[through.len() - 1];
        let expected = 1_448_000.0 * 8.0 / 4e6;
        assert!((end.as_secs_f64() - expected).abs() < 0.01, "{end:?}");
    }

    #[test]
    fn connections_share_it_evenly() {
        let mut link = Link::new(trace(&[(1000, 2000)]));
        let all = [vec![(0, 1448); 100], vec![(0, 1448); 200]];
        let through = send(&mut link, &all, Duration::ZERO);
        // By the time that one has had its 100 packets, so has the other.
        let bytes: usize = through.iter().take(200).map(|(_, bytes)| bytes).sum();
        let (at, _) = through[199];
        assert_eq!(bytes, 200 * 1448);
        assert!((at.as_secs_f64() - 200.0 * 1448.0 * 8.0 / 2e6).abs() < 1e-6);
    }

    #[test]
    fn tells_the_round_trip() {
        let link = Link::new(trace(&[(1000, 2000)]));
        assert_eq!(
            link.round_trip(Duration::from_secs(7)),
            Duration::from_millis(40)
        );
    }
}
