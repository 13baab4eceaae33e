//! What every edge module has to do right before it decides for anyone: a fixed list of requests
//! and bodies, with what is to become of each.
//!
//! The list holds what no new rule may change: which doors are shut, and that one thing has one
//! name. It is asked twice of one instance, since a module that keeps something between calls
//! decides for one viewer by what it was told by another.

use std::mem;

use http::uri::PathAndQuery;
use thiserror::Error;
use weir_edge_abi::{Action, BodyCheck, MIN_BUFFER, Method, Plan, Request, Verdict};
use weir_model::WallTime;

use super::cases::{BODIES, Body, Case, Expected, FORGED, REQUESTS};
use crate::guest::{CallError, Guest, InvalidModule, Module};

/// When all of this is asked; any time is as good.
const NOW: WallTime = WallTime(1_795_367_096_789);

/// Why a module is not fit to decide.
#[derive(Debug, Error)]
pub enum Unfit {
    /// It cannot be started.
    #[error(transparent)]
    Module(#[from] InvalidModule),
    /// It trapped, took too long or gave nonsense.
    #[error("the smoke test {name:?} got no answer: {why}")]
    NoAnswer {
        /// Which request or body.
        name: &'static str,
        /// Why.
        why: String,
    },
    /// It decided otherwise than any module may.
    #[error("the smoke test {name:?} expects {expected}, the module says {found}")]
    Wrong {
        /// Which request or body.
        name: &'static str,
        /// What it is to come to.
        expected: String,
        /// What it came to.
        found: String,
    },
    /// It named something for the origin that is no path, or tells it a viewer's token.
    #[error("the smoke test {name:?} leads to {target:?}, which no origin is to be asked for")]
    Target {
        /// Which request.
        name: &'static str,
        /// What was named.
        target: String,
    },
    /// It decided otherwise the second time.
    #[error("the smoke test {0:?} went otherwise the second time")]
    Fickle(&'static str),
}

/// Asks an instance of `module` everything on the list.
pub(crate) fn test(module: &Module) -> Result<(), Unfit> {
    let mut guest = module.start()?;
    let mut first = Vec::new();
    for round in 0..2 {
        let mut plans = Vec::new();
        for case in REQUESTS {
            plans.push(ask(&mut guest, case)?);
        }
        for body in BODIES {
            check(&mut guest, body)?;
        }
        let before = mem::replace(&mut first, plans);
        if round > 0 {
            let differing = first.iter().zip(&before).zip(REQUESTS);
            let mut differing = differing.filter(|((now, before), _)| now != before);
            if let Some((_, case)) = differing.next() {
                return Err(Unfit::Fickle(case.name));
            }
        }
    }
    Ok(())
}

/// Gives the plan, encoded.
fn ask(guest: &mut Guest, case: &Case) -> Result<Vec<u8>, Unfit> {
    let (path, query) = case.target.split_once('?').unwrap_or((case.target, ""));
    let request = Request {
        now: NOW,
        content_type: case.content_type,
        ..Request::new(Method::from_name(case.method), path, query)
    };
    let plan = guest.ask(&request).map_err(no_answer(case.name))?;
    if let Some(target) = target(&plan)
        && !is_target(target)
    {
        let target = target.to_owned();
        let name = case.name;
        return Err(Unfit::Target { name, target });
    }
    let found = found(&plan);
    if !fits(&case.expected, &found) {
        return Err(Unfit::Wrong {
            name: case.name,
            expected: case.expected.to_string(),
            found: found.to_string(),
        });
    }
    let mut buffer = vec![0; MIN_BUFFER];
    let len = plan.encode(&mut buffer);
    let len = len.map_err(|overflow| no_answer(case.name)(overflow.into()))?;
    buffer.truncate(len);
    Ok(buffer)
}

fn check(guest: &mut Guest, body: &Body) -> Result<(), Unfit> {
    let check = BodyCheck {
        kind: body.kind,
        body: body.text.as_bytes(),
    };
    let verdict = guest.ask(&check).map_err(no_answer(body.name))?;
    let passes = matches!(verdict, Verdict::Accept);
    let word = |passes| if passes { "to take it" } else { "to refuse it" };
    if passes != body.passes {
        return Err(Unfit::Wrong {
            name: body.name,
            expected: word(body.passes).to_owned(),
            found: word(passes).to_owned(),
        });
    }
    Ok(())
}

fn no_answer(name: &'static str) -> impl Fn(CallError) -> Unfit {
    move |why| Unfit::NoAnswer {
        name,
        why: why.to_string(),
    }
}

/// What a plan would ask the origin for.
fn target<'p>(plan: &'p Plan<'_>) -> Option<&'p str> {
    match &plan.action {
        Action::Serve(serve) => Some(&serve.target),
        Action::Forward(forward) => Some(&forward.target),
        Action::Respond(_) | Action::Deny(_) | Action::Join(_) => None,
    }
}

fn is_target(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    target.starts_with('/')
        && PathAndQuery::try_from(target).is_ok()
        && !path.split('/').any(|step| step == "..")
        && !target.contains(FORGED)
}

fn fits(expected: &Expected<'_>, found: &Expected<'_>) -> bool {
    match (expected, found) {
        (Expected::ServeBelow(path), Expected::Serve(target)) => target.starts_with(path),
        (Expected::Denied, Expected::Deny(_)) => true,
        (expected, found) => expected == found,
    }
}

fn found<'p>(plan: &'p Plan<'_>) -> Expected<'p> {
    match &plan.action {
        Action::Serve(serve) => Expected::Serve(&serve.target),
        Action::Forward(forward) => Expected::Forward(&forward.target),
        Action::Respond(response) => Expected::Respond(response.status),
        Action::Deny(response) => Expected::Deny(response.status),
        Action::Join(join) => Expected::Join(&join.room),
    }
}

#[cfg(test)]
#[path = "smoke_tests.rs"]
mod tests;
