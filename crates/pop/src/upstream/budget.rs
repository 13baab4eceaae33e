//! What repeating costs: a peer that is dying must not be asked more than it was while it was well.

use std::time::{Duration, Instant};

/// A retry or a hedge costs so much, in thousandths of itself.
const PRICE: u64 = 1000;

/// What a peer's budget is fed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetPolicy {
    /// What each first request adds, in thousandths of a retry.
    pub per_request: u64,
    /// What each second adds, in retries: the floor for a peer that is seldom asked.
    pub per_second: u64,
    /// Most retries that can be saved up.
    pub most: u64,
}

impl Default for BudgetPolicy {
    /// A fifth of the requests and 10 a second, saved up to 20.
    fn default() -> Self {
        Self {
            per_request: PRICE / 5,
            per_second: 10,
            most: 20,
        }
    }
}

/// A token bucket for retries and hedges towards one peer. First requests are free and fill it.
///
/// In any span of time it grants at most `most + per_second × span + per_request × first requests`.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    policy: BudgetPolicy,
    /// In thousandths of a retry.
    saved: u64,
    /// Until when [`BudgetPolicy::per_second`] has been paid in.
    fed_at: Instant,
}

impl RetryBudget {
    /// A full one.
    pub fn new(policy: BudgetPolicy, now: Instant) -> Self {
        Self {
            policy,
            saved: policy.most * PRICE,
            fed_at: now,
        }
    }

    /// Counts a first request.
    pub fn requested(&mut self, now: Instant) {
        self.feed(now);
        self.pay_in(self.policy.per_request);
    }

    /// Takes one retry or hedge out of it, if it is there.
    pub fn spend(&mut self, now: Instant) -> bool {
        self.feed(now);
        match self.saved.checked_sub(PRICE) {
            Some(left) => {
                self.saved = left;
                true
            }
            None => false,
        }
    }

    /// How long until time alone has brought one retry; zero if it is there.
    pub fn ready_in(&mut self, now: Instant) -> Duration {
        self.feed(now);
        let missing = PRICE.saturating_sub(self.saved);
        // A thousandth of a retry comes per millisecond and retry a second.
        Duration::from_millis(missing.div_ceil(self.policy.per_second.max(1)))
    }

    /// Whole retries in it.
    pub fn left(&self) -> u64 {
        self.saved / PRICE
    }

    fn feed(&mut self, now: Instant) {
        let ms = now.saturating_duration_since(self.fed_at).as_millis();
        let ms = u64::try_from(ms).unwrap_or(u64::MAX);
        // Parts of a millisecond stay for the next time.
        self.fed_at += Duration::from_millis(ms);
        self.pay_in(ms.saturating_mul(self.policy.per_second));
    }

    fn pay_in(&mut self, thousandths: u64) {
        let most = self.policy.most * PRICE;
        self.saved = self.saved.saturating_add(thousandths).min(most);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn time_brings_what_is_missing() {
        let began = Instant::now();
        let mut budget = RetryBudget::new(BudgetPolicy::default(), began);
        let granted = (0..100).filter(|_| budget.spend(began)).count();
        assert_eq!(granted, 20);
        assert_eq!(budget.ready_in(began), Duration::from_millis(100));
        assert!(!budget.spend(began + Duration::from_millis(99)));
        let later = began + Duration::from_millis(100);
        assert_eq!(budget.ready_in(later), Duration::ZERO);
        assert!(budget.spend(later));
    }

    #[test]
    fn requests_bring_a_fifth_of_them() {
        let now = Instant::now();
        let policy = BudgetPolicy {
            per_second: 0,
            ..BudgetPolicy::default()
        };
        let mut budget = RetryBudget::new(policy, now);
        while budget.spend(now) {}
        for _ in 0..5 {
            assert!(!budget.spend(now));
            budget.requested(now);
        }
        assert!(budget.spend(now) && !budget.spend(now));
    }

    proptest! {
        #[test]
        fn it_is_never_exceeded(
            steps in prop::collection::vec((0_u64..500, any::<bool>()), 1..400),
            per_request in 0_u64..1000,
            per_second in 0_u64..50,
            most in 0_u64..50,
        ) {
            let policy = BudgetPolicy { per_request, per_second, most };
            let mut now = Instant::now();
            let mut budget = RetryBudget::new(policy, now);
            // What each span from the beginning on may have granted, in thousandths.
            let mut earned = most * PRICE;
            let mut spent = 0;
            for (ms, first) in steps {
                now += Duration::from_millis(ms);
                earned += ms * per_second;
                if first {
                    budget.requested(now);
                    earned += per_request;
                } else if budget.spend(now) {
                    spent += PRICE;
                }
                prop_assert!(spent <= earned, "{spent} of {earned}");
                prop_assert!(budget.left() <= most);
            }
        }
    }
}
