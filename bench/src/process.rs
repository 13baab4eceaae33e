//! What a process and its children have cost so far, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// CPU time and resident memory of a process tree.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time together.
    pub(crate) cpu: Duration,
    /// Resident memory in bytes; shared pages are counted once for each process.
    pub(crate) resident: u64,
}

/// Usage of `pid` and all its living descendants.
pub(crate) fn usage(pid: u32) -> Result<Usage> {
    let mut total = Usage::default();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        let one = usage_of_one(pid)?;
        total.cpu += one.cpu;
        total.resident += one.resident;
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        open.extend(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    Ok(total)
}

/// `USER_HZ`, fixed at 100 on Linux for everything that `/proc` shows.
const TICK: Duration = Duration::from_millis(10);
const PAGE: u64 = 4096;

fn usage_of_one(pid: u32) -> Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    // The name, in parentheses, may hold anything; the fields after it are proc(5)'s from 3 on.
    let (_, fields) = stat.rsplit_once(')').context("stat has no name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| -> Result<u64> {
        fields
            .get(at - 3)
            .context("stat is short")?
            .parse()
            .context("stat holds no number")
    };
    let ticks = number(14)? + number(15)?;
    Ok(Usage {
        cpu: TICK * u32::try_from(ticks)?,
        resident: number(24)? * PAGE,
    })
}
