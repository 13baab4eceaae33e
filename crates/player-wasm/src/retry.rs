//! When to ask again after a failure.

/// Delays that double with every failure in a row.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    first_ms: u64,
    longest_ms: u64,
    failures: u32,
    not_before: u64,
}

impl Retry {
    /// Waits `first_ms` after the first failure and never longer than `longest_ms`.
    pub fn new(first_ms: u64, longest_ms: u64) -> Self {
        Self {
            first_ms,
            longest_ms,
            failures: 0,
            not_before: 0,
        }
    }

    /// Notes a failure.
    pub fn failed(&mut self, now: u64) {
        let doubled = self.first_ms << self.failures.min(16);
        self.not_before = now + doubled.min(self.longest_ms);
        self.failures = self.failures.saturating_add(1);
    }

    /// Notes a success.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = 0;
    }

    /// There is reason to ask at once.
    pub fn hurry(&mut self) {
        self.not_before = 0;
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether it is time to ask.
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.not_before
    }

    /// When it will be time to ask, if that lies ahead.
    pub fn due_at(&self, now: u64) -> Option<u64> {
        (!self.is_due(now)).then_some(self.not_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_a_bound_and_starts_over() {
        let mut retry = Retry::new(250, 1000);
        let mut waits = Vec::new();
        for _ in 0..4 {
            retry.failed(10_000);
            waits.push(retry.due_at(10_000).unwrap() - 10_000);
        }
        assert_eq!(waits, [250, 500, 1000, 1000]);
        assert!(!retry.is_due(10_999) && retry.is_due(11_000));
        retry.succeeded();
        assert!(retry.is_due(0) && retry.failures() == 0);
    }
}
