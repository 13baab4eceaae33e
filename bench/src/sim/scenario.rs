//! What happens, and how large everything is.

use super::{audience::Mix, queue::Micros};

const SECOND: Micros = 1_000_000;

/// A simulation from its beginning to its end. Times are virtual.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Everyone who comes.
    pub(crate) viewers: u32,
    /// Of them, those who come for the largest broadcast when it gets hot.
    pub(crate) crowd: u32,
    pub(crate) mix: Mix,
    pub(crate) broadcasts: u32,
    pub(crate) pops: u16,
    pub(crate) shields: u16,
    pub(crate) origins: u16,
    /// Machines of each point of presence and shield. Each of them has broadcasts of its own, so that
    /// they are simulated side by side.
    pub(crate) machines: u32,
    /// Cores of each machine; without a number its work takes no time.
    pub(crate) cores: Option<u16>,
    /// Memory for answers of each machine.
    pub(crate) cache_bytes: u64,
    /// How long everyone but the crowd takes to come.
    pub(crate) begin_over: Micros,
    pub(crate) crowd_at: Micros,
    pub(crate) crowd_over: Micros,
    /// When the point of presence with the most viewers is lost.
    pub(crate) pop_lost_at: Micros,
    /// When the shield of the hot broadcast is lost, and when it is back with an empty cache.
    pub(crate) shield_lost_at: Micros,
    pub(crate) shield_back_at: Micros,
    pub(crate) end: Micros,
    pub(crate) seed: u64,
}

impl Scenario {
    /// A million viewers of a thousand broadcasts, as docs/capacity.md has them.
    pub(crate) fn internet() -> Self {
        Self {
            viewers: 1_000_000,
            crowd: 250_000,
            mix: Mix::USUAL,
            broadcasts: 1000,
            pops: 300,
            shields: 6,
            origins: 10,
            machines: 2,
            cores: None,
            cache_bytes: 512 << 20,
            begin_over: 6 * SECOND,
            crowd_at: 10 * SECOND,
            crowd_over: 30 * SECOND,
            pop_lost_at: 28 * SECOND,
            shield_lost_at: 42 * SECOND,
            shield_back_at: 48 * SECOND,
            end: 52 * SECOND,
            seed: 20_261_123,
        }
    }

    /// The same with everything a fraction as large, so that it runs in a moment.
    pub(crate) fn village() -> Self {
        Self {
            viewers: 6000,
            crowd: 3000,
            mix: Mix::USUAL,
            broadcasts: 20,
            pops: 12,
            shields: 3,
            origins: 2,
            machines: 1,
            cores: None,
            cache_bytes: 1 << 30,
            begin_over: 3 * SECOND,
            crowd_at: 4 * SECOND,
            crowd_over: 5 * SECOND,
            pop_lost_at: 10 * SECOND,
            shield_lost_at: 13 * SECOND,
            shield_back_at: 17 * SECOND,
            end: 21 * SECOND,
            seed: 1,
        }
    }

    /// One live video at one point of presence with so many cores, straight in front of its origin.
    /// Everyone is there after 4 s, and nothing goes wrong.
    pub(crate) fn one_video(viewers: u32, cores: u16) -> Self {
        Self {
            viewers,
            crowd: 0,
            mix: Mix::ALIKE,
            broadcasts: 1,
            pops: 1,
            shields: 0,
            origins: 1,
            machines: 1,
            cores: Some(cores),
            cache_bytes: 512 << 20,
            begin_over: 4 * SECOND,
            crowd_at: u64::MAX,
            crowd_over: 0,
            pop_lost_at: u64::MAX,
            shield_lost_at: u64::MAX,
            shield_back_at: u64::MAX,
            end: 18 * SECOND,
            seed: 1,
        }
    }
}
