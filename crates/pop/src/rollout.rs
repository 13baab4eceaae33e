//! How a new edge module goes out here: fetched from the origin, let in only if a pinned key has
//! signed it and it passes the smoke test, tried on a share of the videos, and kept or rolled back.
//!
//! - [`signature`]: pinned keys, and what they sign
//! - [`smoke`] and `cases`: what every module has to do right, in code and as data
//! - [`judge`]: whether a candidate goes on, becomes stable, or goes; pure
//! - [`course`]: where this point of presence stands; pure
//! - [`store`]: what it keeps on its disk
//! - [`intake`]: whether a module is let in
//! - [`driver`]: the clock and the network around these
//! - [`counters`]: what of it `/metrics` shows
//!
//! The generations themselves, and who decides what, are in [`crate::guest`].

mod cases;
pub(crate) mod counters;
pub(crate) mod course;
pub(crate) mod driver;
mod intake;
pub(crate) mod judge;
pub mod signature;
pub(crate) mod smoke;
pub(crate) mod store;

use std::{path::PathBuf, time::Duration};

pub use weir_model::rollout::Status;

pub(crate) use self::driver::Rollouts;
pub use self::{
    judge::Pace,
    signature::{EdgeKey, EdgeKeys, SigningKey},
    smoke::Unfit,
    store::StoreError,
};
use crate::guest::{ConfigMessage, Module};

/// How a point of presence takes new edge modules.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose modules are let in; without any, none are.
    pub keys: EdgeKeys,
    /// Where the last good module is kept; without it, the next life begins with the module that
    /// the point of presence came with.
    pub store: Option<PathBuf>,
    /// How fast a module gets all videos.
    pub pace: Pace,
    /// How often the origin is asked what is wanted and told how it goes.
    pub interval: Duration,
}

impl Default for Config {
    /// No keys and no store; the origin is asked every five seconds.
    fn default() -> Self {
        Self {
            keys: EdgeKeys::default(),
            store: None,
            pace: Pace::default(),
            interval: Duration::from_secs(5),
        }
    }
}

/// Whether this program would let a module in, whoever signs it; gives the version of its ABI.
///
/// # Errors
/// If it does not start or fails the smoke test.
pub fn examine(module: &[u8]) -> Result<u32, Unfit> {
    let config = ConfigMessage::new(&weir_edge_abi::Config::default())?;
    smoke::test(&Module::compile(module, config, 1)?)?;
    // Any other version does not start.
    Ok(weir_edge_abi::ABI_VERSION)
}
