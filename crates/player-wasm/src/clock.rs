//! What time it is for the servers, whatever the viewer's clock says.
//!
//! A viewer's clock may be wrong by hours, and the monotonic clock of a page stands still on some
//! systems while the machine sleeps. Nothing that is played depends on it, but the latency that is
//! shown and the times of events do. A clock that is right to two seconds is believed: it knows the
//! time better than a header that tells whole seconds.

/// Error up to which the viewer's clock is believed, in ms.
const BELIEVED_MS: f64 = 2000.0;
/// Age of the newest media of a live stream that needs no wrong clock to explain it, in ms.
const PLAUSIBLE_MS: core::ops::Range<f64> = -1000.0..60_000.0;

/// An estimate of how much the viewer's clock is ahead.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerClock {
    /// The least that the viewer's clock was ahead of a date in an answer, in ms. Answers that
    /// waited in a cache make it seem further ahead, never less.
    dated: Option<f64>,
    /// The least age of media that had just come to be listed, in ms.
    listed: Option<f64>,
}

impl ServerClock {
    /// A server told its time, in Unix ms: HTTP's `Date` (RFC 9110 section 6.6.1) or DASH's
    /// UTCTiming (ISO/IEC 23009-1 section 5.8.4.11).
    pub fn dated(&mut self, now: u64, server_ms: f64) {
        lessen(&mut self.dated, now as f64 - server_ms);
    }

    /// Media of a live stream that ends at this date, in Unix ms, has just come to be listed. It
    /// counts where no server tells its time.
    pub fn listed(&mut self, now: u64, end_ms: f64) {
        lessen(&mut self.listed, now as f64 - end_ms);
    }

    /// The servers' time in Unix ms.
    pub fn server_ms(&self, now: u64) -> f64 {
        let ahead = match (self.dated, self.listed) {
            (Some(ahead), _) if ahead.abs() > BELIEVED_MS => ahead,
            (None, Some(age)) if !PLAUSIBLE_MS.contains(&age) => age,
            _ => 0.0,
        };
        now as f64 - ahead
    }
}

fn lessen(least: &mut Option<f64>, ms: f64) {
    *least = Some(least.map_or(ms, |least| least.min(ms)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_367_096_789;

    fn error_ms(clock: &ServerClock) -> f64 {
        clock.server_ms(NOW) - NOW as f64
    }

    #[test]
    fn believes_a_clock_that_is_about_right() {
        let mut clock = ServerClock::default();
        assert_eq!(error_ms(&clock), 0.0);
        clock.dated(NOW, NOW as f64 - 900.0);
        clock.listed(NOW, NOW as f64 - 4000.0);
        assert_eq!(error_ms(&clock), 0.0);
    }

    #[test]
    fn corrects_one_that_is_hours_off() {
        for hours in [-3.0, 3.0] {
            let right = NOW as f64 - hours * 3_600_000.0;
            let mut clock = ServerClock::default();
            clock.listed(NOW, right - 400.0);
            assert!((clock.server_ms(NOW) - right).abs() <= 400.0);
            clock.dated(NOW, right - 700.0);
            clock.dated(NOW, right - 100.0);
            // A cache had this one for a minute.
            clock.dated(NOW, right - 60_000.0);
            assert_eq!(clock.server_ms(NOW), right - 100.0);
        }
    }

    #[test]
    fn notices_that_the_page_slept() {
        let mut clock = ServerClock::default();
        clock.dated(NOW, NOW as f64 - 300.0);
        clock.dated(NOW + 1000, NOW as f64 + 601_000.0);
        assert_eq!(error_ms(&clock), 600_000.0);
    }
}
