//! How near to the live edge to sit, and how to get there.
//!
//! A part arrives some lag after the instant at which its last frame was due. The playhead has to
//! stay behind that by two part durations (one is being played, one is on its way) and by as much
//! as the lag varies. When arrivals are steady this is nearer than PART-HOLD-BACK; after a stall it
//! moves away and comes back slowly.

use alloc::vec::Vec;

use crate::abr::Params;

const PARAMS: Params = Params::CHOSEN;

/// What to do about the latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Adjustment {
    /// Play at this rate.
    Rate(f64),
    /// Too far behind for that: seek to the target.
    Seek,
}

/// Where playback stands, all in ms.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Now minus the date of the playhead.
    pub latency_ms: f64,
    /// What is buffered ahead of the playhead.
    pub buffer_ms: f64,
    /// Declared part duration.
    pub part_ms: f64,
    /// PART-HOLD-BACK, or HOLD-BACK without parts.
    pub hold_back_ms: f64,
}

/// Keeps the latency.
#[derive(Clone, Debug, Default)]
pub struct LatencyControl {
    /// When a part came, and its lag in ms.
    lags: Vec<(u64, f64)>,
    caution_ms: f64,
    cautious_since: u64,
    steering: Steering,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Steering {
    #[default]
    Hold,
    CatchUp,
    FallBack,
}

impl LatencyControl {
    /// Notes that a part has come in whole, this long after the date at which it ends.
    pub fn arrived(&mut self, now: u64, lag_ms: f64) {
        self.lags.push((now, lag_ms));
        let too_old = |&(at, _): &(u64, f64)| at + PARAMS.lag_kept_ms < now;
        while self.lags.len() > 256 || self.lags.first().is_some_and(too_old) {
            self.lags.remove(0);
        }
    }

    /// Notes that playback stalled for want of data.
    pub fn stalled(&mut self, now: u64) {
        self.caution_ms = (self.caution(now) + PARAMS.stall_adds_ms).min(PARAMS.stalls_add_most_ms);
        self.cautious_since = now;
    }

    /// Forgets what arrivals were like: the rendition or the epoch is another.
    pub fn reset_arrivals(&mut self) {
        self.lags.clear();
    }

    fn caution(&self, now: u64) -> f64 {
        let calm_ms = now.saturating_sub(self.cautious_since) as f64;
        (self.caution_ms - calm_ms * PARAMS.calm_share).max(0.0)
    }

    /// How far behind the end of the newest part to play, in ms.
    pub fn distance_ms(&self, now: u64, part_ms: f64, hold_back_ms: f64) -> f64 {
        let steady = match self.worst_lag_ms() {
            None => hold_back_ms,
            Some(worst) => {
                (2.0 * part_ms + worst - self.mean_lag()).min(hold_back_ms.max(2.0 * part_ms))
            }
        };
        steady + self.caution(now)
    }

    /// The longest lag of late, in ms, once enough parts have come to tell.
    pub fn worst_lag_ms(&self) -> Option<f64> {
        let worst = self
            .lags
            .iter()
            .fold(f64::MIN, |worst, &(_, lag)| worst.max(lag));
        (self.lags.len() >= PARAMS.lags_enough).then_some(worst)
    }

    /// The latency to hold: the usual lag and the distance, in ms.
    pub fn target_ms(&self, now: u64, part_ms: f64, hold_back_ms: f64) -> f64 {
        self.mean_lag() + self.distance_ms(now, part_ms, hold_back_ms)
    }

    fn mean_lag(&self) -> f64 {
        let sum: f64 = self.lags.iter().map(|&(_, lag)| lag).sum();
        sum / self.lags.len().max(1) as f64
    }

    /// What to do now.
    pub fn steer(&mut self, now: u64, standing: Standing) -> Adjustment {
        let Standing {
            latency_ms,
            buffer_ms,
            part_ms,
            hold_back_ms,
        } = standing;
        let error = latency_ms - self.target_ms(now, part_ms, hold_back_ms);
        if error > PARAMS.drift_ms {
            self.steering = Steering::Hold;
            return Adjustment::Seek;
        }
        self.steering = match self.steering {
            _ if error > PARAMS.tolerance_ms => Steering::CatchUp,
            _ if error < -PARAMS.tolerance_ms => Steering::FallBack,
            Steering::CatchUp if error > PARAMS.near_ms => Steering::CatchUp,
            Steering::FallBack if error < -PARAMS.near_ms => Steering::FallBack,
            _ => Steering::Hold,
        };
        // There is nothing to run into when the buffer is this short.
        let short = buffer_ms < 0.75 * part_ms;
        Adjustment::Rate(match self.steering {
            Steering::CatchUp if error > PARAMS.far_ms && !short => 1.1,
            Steering::CatchUp if !short => 1.05,
            Steering::FallBack if error < -PARAMS.far_ms => 0.9,
            Steering::FallBack => 0.95,
            _ => 1.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: f64 = 350.0;
    const HOLD_BACK: f64 = 1050.0;

    fn standing(latency_ms: f64) -> Standing {
        Standing {
            latency_ms,
            buffer_ms: 900.0,
            part_ms: PART,
            hold_back_ms: HOLD_BACK,
        }
    }

    fn steady(control: &mut LatencyControl, lag: f64) {
        for i in 0..20 {
            control.arrived(i * 333, lag);
        }
    }

    #[test]
    fn holds_back_as_told_until_arrivals_are_known_to_be_steady() {
        let mut control = LatencyControl::default();
        control.arrived(0, 80.0);
        assert_eq!(control.target_ms(0, PART, HOLD_BACK), 80.0 + HOLD_BACK);
        steady(&mut control, 80.0);
        assert_eq!(control.target_ms(7000, PART, HOLD_BACK), 80.0 + 700.0);
    }

    #[test]
    fn unsteady_arrivals_cost_distance_up_to_the_hold_back() {
        let mut control = LatencyControl::default();
        steady(&mut control, 50.0);
        control.arrived(7000, 250.0);
        let some = control.distance_ms(7000, PART, HOLD_BACK);
        assert!(some > 850.0 && some < HOLD_BACK, "{some}");
        control.arrived(7300, 5000.0);
        assert_eq!(control.distance_ms(7300, PART, HOLD_BACK), HOLD_BACK);
    }

    #[test]
    fn a_stall_moves_away_and_calm_comes_back() {
        let mut control = LatencyControl::default();
        let before = control.distance_ms(0, PART, HOLD_BACK);
        control.stalled(1000);
        assert_eq!(control.distance_ms(1000, PART, HOLD_BACK), before + 350.0);
        assert_eq!(control.distance_ms(61_000, PART, HOLD_BACK), before);
        (0..50).for_each(|_| control.stalled(61_000));
        assert_eq!(
            control.distance_ms(61_000, PART, HOLD_BACK),
            before + 3000.0
        );
    }

    #[test]
    fn steers_with_hysteresis() {
        let mut control = LatencyControl::default();
        steady(&mut control, 50.0);
        let target = control.target_ms(7000, PART, HOLD_BACK);
        let mut check = |error: f64, expected| {
            assert_eq!(
                control.steer(7000, standing(target + error)),
                expected,
                "{error}"
            );
        };
        check(100.0, Adjustment::Rate(1.0));
        check(130.0, Adjustment::Rate(1.05));
        check(60.0, Adjustment::Rate(1.05));
        check(20.0, Adjustment::Rate(1.0));
        check(60.0, Adjustment::Rate(1.0));
        check(900.0, Adjustment::Rate(1.1));
        check(-600.0, Adjustment::Rate(0.9));
        check(-200.0, Adjustment::Rate(0.95));
        check(-60.0, Adjustment::Rate(0.95));
        check(0.0, Adjustment::Rate(1.0));
        check(4001.0, Adjustment::Seek);
    }

    #[test]
    fn does_not_run_into_the_end_of_the_buffer() {
        let mut control = LatencyControl::default();
        let short = Standing {
            buffer_ms: 100.0,
            ..standing(3000.0)
        };
        assert_eq!(control.steer(0, short), Adjustment::Rate(1.0));
    }
}
