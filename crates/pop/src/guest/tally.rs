//! What is counted of a candidate. Each call stands beside the stable generation's answer to the
//! same question, so that what the origin, the viewers and the machine do to both cancels out.

use std::{ops::AddAssign, time::Duration};

/// How much longer than the stable generation's a call has to take to count as slower: as much
/// again, and this.
const NOTICEABLE: Duration = Duration::from_micros(20);

/// One call of the candidate beside the same of the stable generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    /// The candidate gave no answer, the stable generation did.
    pub(crate) failed: bool,
    /// The candidate turned the viewer away, the stable generation did not.
    pub(crate) refused: bool,
    /// How long each took, if both were warm.
    pub(crate) times: Option<Times>,
}

/// How long a question took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The candidate.
    pub(crate) took: Duration,
    /// The stable generation.
    pub(crate) control_took: Duration,
}

/// One call in so many is timed.
const TIMED: u64 = 4;

/// Sums over calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Calls of the candidate.
    pub(crate) calls: u64,
    /// Those that failed where the stable generation did not.
    pub(crate) failures: u64,
    /// Viewers turned away whom the stable generation would have served.
    pub(crate) refusals: u64,
    /// Answers with a status of 400 and above under plans that the stable generation would not
    /// have made.
    pub(crate) errors: u64,
    /// Calls that were timed.
    pub(crate) timed: u64,
    /// Those that took noticeably longer than the stable generation's.
    pub(crate) slower: u64,
    /// Those that took noticeably less long.
    pub(crate) faster: u64,
}

impl Tally {
    /// Adds one call.
    pub(crate) fn count(&mut self, call: Compared) {
        self.calls += 1;
        self.failures += u64::from(call.failed);
        self.refusals += u64::from(call.refused);
        let Some(Times { took, control_took }) = call.times else {
            return;
        };
        let longer = |one: Duration, other: Duration| one > 2 * other + NOTICEABLE;
        self.timed += 1;
        self.slower += u64::from(longer(took, control_took));
        self.faster += u64::from(longer(control_took, took));
    }

    /// Whether the next call is to be timed.
    pub(crate) fn is_timing(&self) -> bool {
        self.calls.is_multiple_of(TIMED)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.refusals += other.refusals;
        self.errors += other.errors;
        self.timed += other.timed;
        self.slower += other.slower;
        self.faster += other.faster;
    }
}
