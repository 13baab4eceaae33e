//! The memory of the extents that bodies lie in.

use std::{collections::HashMap, io, mem, sync::Arc};

use tracing::warn;

use super::pages::{Pages, Room};
use crate::shelf::Slot;

/// Extents by their number, and those that were given up while somebody still reads from them.
///
/// Memory is not used twice: what was sent from it may wait in a socket's queue long after the last
/// viewer's task is gone. It goes back to the system, which keeps such pages for as long as it takes.
#[derive(Debug, Default)]
pub(super) struct Extents {
    /// What is left of each, at its end; nothing if no memory was to be had.
    in_use: HashMap<u64, Option<Room>>,
    given_up: Vec<GivenUp>,
    /// That nobody reads from, to be freed by whoever does not hold up others meanwhile.
    spent: Vec<Arc<Pages>>,
}

#[derive(Debug)]
struct GivenUp {
    pages: Arc<Pages>,
    bytes: u64,
    /// Whether viewers read from it; else something of it is to be moved.
    held: bool,
}

impl Extents {
    /// The room that `slot` stands for.
    pub(super) fn room(&mut self, slot: &Slot) -> Option<Room> {
        if let Some(bytes) = slot.begins {
            self.in_use.insert(slot.extent, begin(bytes));
        }
        let rest = self.in_use.get_mut(&slot.extent)?.as_mut()?;
        rest.take(size(slot.bytes))
    }

    /// Gives up an extent. Gives its size if its memory cannot be had back, unless that is because
    /// something of it is to be moved.
    pub(super) fn give_up(&mut self, extent: u64, bytes: u64, moves: bool) -> u64 {
        let Some(rest) = self.in_use.remove(&extent).flatten() else {
            return 0;
        };
        let pages = rest.pages().clone();
        drop(rest);
        self.free(GivenUp {
            pages,
            bytes,
            held: !moves,
        })
    }

    /// Frees what nobody reads from any more. If nothing is to be moved now, whatever is still read
    /// from is held by viewers. Gives the bytes that were held, and are.
    pub(super) fn look_again(&mut self, moving: bool) -> (u64, u64) {
        let given_up = mem::take(&mut self.given_up);
        let held = given_up.iter().filter(|given_up| given_up.held);
        let before = held.map(|given_up| given_up.bytes).sum();
        let mut after = 0;
        for mut given_up in given_up {
            given_up.held |= !moving;
            after += self.free(given_up);
        }
        (before, after)
    }

    /// Memory to be freed.
    pub(super) fn take_spent(&mut self) -> Vec<Arc<Pages>> {
        mem::take(&mut self.spent)
    }

    /// Frees memory, or gives its size if viewers hold it.
    fn free(&mut self, given_up: GivenUp) -> u64 {
        // Whoever reads, or is about to write, has a handle of his own; nobody can get one any more.
        if Arc::strong_count(&given_up.pages) == 1 {
            self.spent.push(given_up.pages);
            return 0;
        }
        let held = match given_up.held {
            true => given_up.bytes,
            false => 0,
        };
        self.given_up.push(given_up);
        held
    }
}

fn begin(bytes: u64) -> Option<Room> {
    let room = Room::new(size(bytes));
    // Bodies are kept elsewhere then.
    room.inspect_err(|error: &io::Error| warn!(%error, bytes, "no memory for the cache"))
        .ok()
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
impl Extents {
    /// Bytes that are mapped, wherever they are.
    pub(super) fn mapped(&self, usual_bytes: u64) -> u64 {
        let given_up = self.given_up.iter().map(|given_up| given_up.bytes);
        self.in_use.len() as u64 * usual_bytes + given_up.sum::<u64>()
    }
}
