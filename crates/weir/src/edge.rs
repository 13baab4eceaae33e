//! `weir edge`: keys, signatures and roll-outs of edge modules.
//!
//! - [`args`]: what can be asked for
//! - [`sign`]: keys, and signing with them; touches no network
//! - [`operator`]: the origin's operator listener
//! - [`table`]: how a roll-out goes, for people

pub(crate) mod args;
mod operator;
mod sign;
mod table;

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use weir_model::rollout::{Fleet, MAX_MODULE, Manifest, StartRollout, State};
use weir_pop::rollout::signature;

use self::{
    args::{DeployArgs, EdgeTask, FleetArgs},
    operator::Operator,
};

/// How often it is looked whether a roll-out is done.
const PAUSE: Duration = Duration::from_secs(1);
/// Back to the upper left corner, and away with what is there.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Does it.
pub(crate) fn run(task: EdgeTask) -> anyhow::Result<()> {
    match task {
        EdgeTask::Keygen(args) => sign::keygen(&args),
        EdgeTask::Sign(args) => sign::sign(&args),
        EdgeTask::Deploy(args) => deploy(&args),
        EdgeTask::Status(args) => status(&args),
    }
}

fn deploy(args: &DeployArgs) -> anyhow::Result<()> {
    let module = read_module(&args.module)?;
    let signature = match &args.signature {
        Some(named) => named.clone(),
        None => sign::beside(&args.module),
    };
    let manifest = fs::read(&signature)
        .with_context(|| format!("cannot read {} (--signature)", signature.display()))?;
    let manifest: Manifest = serde_json::from_slice(&manifest)
        .with_context(|| format!("{} is no signature", signature.display()))?;
    manifest.check()?;
    let found = signature::hash(&module);
    if found != manifest.sha256 {
        bail!(
            "{} is the signature of another module: of {}, not of {found}",
            signature.display(),
            manifest.sha256
        );
    }

    let operator = Operator::new(&args.operator)?;
    operator.upload(found, &module)?;
    let rollout = operator.start(&StartRollout {
        manifest,
        again: args.again,
    })?;
    say(&format!(
        "roll-out {} of {} has begun\n",
        rollout.number, rollout.manifest.name
    ))?;
    match args.wait {
        Some(patience) => wait(&operator, rollout.number, patience),
        None => Ok(()),
    }
}

/// Waits until every point of presence that the origin knows is done.
fn wait(operator: &Operator, number: u64, patience: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + patience;
    loop {
        thread::sleep(PAUSE);
        let fleet = operator.fleet()?;
        match outcome(&fleet, number) {
            Some(Outcome::Adopted) => {
                say(&table::of(&fleet, operator::now()))?;
                return Ok(());
            }
            Some(Outcome::Failed) => {
                say(&table::of(&fleet, operator::now()))?;
                bail!("roll-out {number} failed");
            }
            None if Instant::now() > until => {
                say(&table::of(&fleet, operator::now()))?;
                bail!("roll-out {number} is not done after {patience:?}; it goes on");
            }
            None => {}
        }
    }
}

/// How a roll-out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Every point of presence has adopted the module.
    Adopted,
    /// One has refused it or rolled it back, or the roll-out has been overtaken.
    Failed,
}

/// `None` while it is under way.
fn outcome(fleet: &Fleet, number: u64) -> Option<Outcome> {
    if fleet
        .rollout
        .as_ref()
        .is_none_or(|rollout| rollout.number != number)
    {
        return Some(Outcome::Failed);
    }
    let state = |pop: &weir_model::rollout::PopStatus| {
        let progress = pop.status.rollout.as_ref()?;
        (progress.number == number).then_some(progress.state)
    };
    let states: Vec<_> = fleet.pops.iter().map(state).collect();
    let failed = |state: &Option<State>| matches!(state, Some(State::Refused | State::RolledBack));
    if states.iter().any(failed) {
        return Some(Outcome::Failed);
    }
    let done = !states.is_empty() && states.iter().all(|state| *state == Some(State::Adopted));
    done.then_some(Outcome::Adopted)
}

fn status(args: &FleetArgs) -> anyhow::Result<()> {
    let operator = Operator::new(&args.operator)?;
    loop {
        let clear = match args.watch.is_some() && io::stdout().is_terminal() {
            true => CLEAR,
            false => "",
        };
        say(&format!(
            "{clear}{}",
            table::of(&operator.fleet()?, operator::now())
        ))?;
        let Some(pause) = args.watch else {
            return Ok(());
        };
        thread::sleep(pause);
    }
}

fn read_module(path: &Path) -> anyhow::Result<Vec<u8>> {
    let module = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if module.len() > MAX_MODULE {
        bail!("{} is longer than {MAX_MODULE} bytes", path.display());
    }
    Ok(module)
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fleet(states: &[Option<(u64, &str)>]) -> Fleet {
        let sha256 = "0".repeat(64);
        let pops: Vec<_> = states
            .iter()
            .enumerate()
            .map(|(n, state)| {
                let progress = state.map(|(number, state)| json!({"number": number, "state": state}));
                json!({"name": format!("pop-{n}"), "seen_at": 0, "status": {
                    "stable": {"sha256": sha256}, "rollout": progress, "refused": 0, "rolled_back": 0,
                }})
            })
            .collect();
        serde_json::from_value(json!({
            "rollout": {"number": 2, "started_at": 0, "manifest": {
                "name": "edge-2", "sha256": sha256, "bytes": 1, "abi": 3, "created_at": 0,
                "key": "0123456789abcdef", "signature": "",
            }},
            "pops": pops,
        }))
        .unwrap()
    }

    #[test]
    fn a_rollout_is_done_when_it_is_done_everywhere() {
        let check = |states: &[_], number, expected| {
            assert_eq!(outcome(&fleet(states), number), expected, "{states:?}");
        };
        check(&[], 2, None);
        check(&[None], 2, None);
        check(&[Some((1, "adopted"))], 2, None);
        check(&[Some((2, "adopted")), Some((2, "on-trial"))], 2, None);
        let both = [Some((2, "adopted")), Some((2, "adopted"))];
        check(&both, 2, Some(Outcome::Adopted));
        check(&both, 1, Some(Outcome::Failed));
        let one_failed = [Some((2, "fetching")), Some((2, "rolled-back"))];
        check(&one_failed, 2, Some(Outcome::Failed));
        check(&[Some((2, "refused"))], 2, Some(Outcome::Failed));
    }
}
