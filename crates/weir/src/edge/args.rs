//! What can be asked for about edge modules.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand};
use weir_pop::rollout::{Config, EdgeKeys, Pace};

use crate::cli::duration;

/// How a point of presence takes new edge modules.
#[derive(Debug, Args)]
pub(crate) struct ModuleArgs {
    /// The edge module to begin with [default: looked for next to the executable and in
    /// target/wasm].
    #[arg(long, value_name = "FILE")]
    pub(crate) edge_module: Option<PathBuf>,
    /// A file with public keys in PEM; edge modules that one of them has signed are taken from the
    /// origin. Any number; without one, none is taken.
    #[arg(long, value_name = "FILE")]
    pub(crate) edge_key: Vec<PathBuf>,
    /// Where the last good edge module is kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) edge_store: Option<PathBuf>,
    /// Least time that a new edge module decides for 1%, then for 10%, then for all videos before
    /// it stays.
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub(crate) edge_dwell: Duration,
    /// Calls that it is judged by each time; if they don't come, it waits five times as long.
    #[arg(long, default_value_t = Pace::default().samples, value_name = "COUNT")]
    pub(crate) edge_samples: u64,
    /// How often the origin is asked for a new edge module.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "DURATION")]
    pub(crate) edge_interval: Duration,
}

impl ModuleArgs {
    /// As the point of presence is told.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let keys = EdgeKeys::read(&self.edge_key).context("--edge-key")?;
        Ok(Config {
            keys,
            store: self.edge_store.clone(),
            pace: Pace {
                dwell: self.edge_dwell,
                samples: self.edge_samples,
            },
            interval: self.edge_interval,
        })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum EdgeTask {
    /// Make a key that edge modules are signed with.
    Keygen(KeygenArgs),
    /// Sign an edge module, once it has passed the test that points of presence put it to.
    Sign(SignArgs),
    /// Give an edge module to all points of presence.
    Deploy(DeployArgs),
    /// Print how the newest roll-out goes at each point of presence.
    Status(FleetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// Where the private key goes, for the owner alone; keep it off every machine that serves.
    #[arg(long, default_value = "edge.key", value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Where the public key goes, for --edge-key of every point of presence.
    #[arg(long, default_value = "edge.pub", value_name = "FILE")]
    pub(crate) public: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The edge module.
    #[arg(value_name = "MODULE")]
    pub(crate) module: PathBuf,
    /// The private key in PEM (PKCS #8, Ed25519).
    #[arg(long, default_value = "edge.key", value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// What to call it: 1 to 64 characters of A-Za-z0-9._+- [default: edge- and the start of its
    /// hash].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where the signature goes [default: the module's file name and .sig].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The edge module.
    #[arg(value_name = "MODULE")]
    pub(crate) module: PathBuf,
    /// Its signature [default: the module's file name and .sig].
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// Have points of presence that rolled it back before try it again.
    #[arg(long)]
    pub(crate) again: bool,
    /// Wait until every point of presence has adopted it, at most ten minutes unless something else
    /// is said; fail if one does not.
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "10m",
        value_parser = duration,
        value_name = "DURATION"
    )]
    pub(crate) wait: Option<Duration>,
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// Print again and again, every second unless something else is said, such as 5s.
    #[arg(
        long,
        num_args = 0..=1,
        default_missing_value = "1s",
        value_parser = duration,
        value_name = "DURATION"
    )]
    pub(crate) watch: Option<Duration>,
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// Where the origin's operator API listens.
    #[arg(long, default_value = "http://127.0.0.1:8081", value_name = "URL")]
    pub(crate) operator: http::Uri,
    /// The file with the operator's token.
    #[arg(long, default_value = "data/operator-token", value_name = "FILE")]
    pub(crate) token_file: PathBuf,
}
