//! Stands between an origin and its transcoder, and leaves out a rung when a test wants it to.

use anyhow::Result;
use clap::Parser;
use weir_tests::shedding::{self, Arguments};

fn main() -> Result<()> {
    shedding::run(&Arguments::parse())
}
