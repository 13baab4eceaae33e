//! The delivery plane at the size of the internet, in virtual time: the edge's decision core and the
//! PoP's own rules of caching, coalescing and routing, with a million viewers around them.
//! `docs/sim-cdn.md` tells what is modelled and what is assumed.
//!
//! - [`scenario`]: what happens, and how large everything is
//! - [`stream`]: the broadcasts: what they make and when
//! - [`audience`], [`geography`]: who watches what, and where everything is
//! - [`catalogue`]: everything that can be asked for, with the plan that the edge makes of it
//! - [`node`]: one point of presence or shield
//! - [`world`], [`upstream`], [`losses`]: what happens, one event after the other
//! - [`cores`]: what a machine's processors make of it
//! - [`queue`]: events in the order of time
//! - [`ledger`]: what is counted
//! - [`report`], [`chart`]: what is printed and drawn
//! - [`crowd`]: one point of presence and one video, for `bench flat`

mod audience;
mod catalogue;
mod chart;
mod cores;
pub(crate) mod crowd;
mod geography;
mod ledger;
mod losses;
mod node;
mod queue;
mod report;
mod scenario;
mod stream;
mod upstream;
mod world;

#[cfg(test)]
mod tests;

use std::{path::Path, thread, time::Instant};

use anyhow::Result;

use self::{ledger::Ledger, scenario::Scenario, world::World};

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Size {
    /// A million viewers at 300 points of presence.
    Internet,
    /// 6,000 viewers at 12, in a moment.
    Village,
}

/// Simulates all viewers; prints what they came to and draws it into `folder`.
pub(crate) fn cdn(size: Size, folder: &Path) -> Result<()> {
    let began = Instant::now();
    let scenario = match size {
        Size::Internet => Scenario::internet(),
        Size::Village => Scenario::village(),
    };
    report::scenario(&scenario);
    let outcome = simulate(&scenario);
    report::outcome(&scenario, &outcome, began.elapsed());
    chart::draw(&scenario, &outcome.ledger, folder)
}

/// What a simulation came to.
#[derive(Default)]
struct Outcome {
    ledger: Ledger,
    /// Plans that the edge made.
    plans: u64,
    events: u64,
}

/// Each machine has a thread of its own: they have nothing to do with each other.
fn simulate(scenario: &Scenario) -> Outcome {
    let run = |machine| {
        let mut world = World::new(scenario.clone(), machine);
        world.run();
        Outcome {
            plans: world.catalogue.plans,
            events: world.events(),
            ledger: world.ledger,
        }
    };
    thread::scope(|scope| {
        let machines = (0..scenario.machines).map(|machine| scope.spawn(move || run(machine)));
        let machines: Vec<_> = machines.collect();
        let mut all = Outcome::default();
        for machine in machines {
            let one = machine.join().expect("a machine does not panic");
            all.ledger.add(&one.ledger);
            all.plans += one.plans;
            all.events += one.events;
        }
        all
    })
}
