//! The answers that this PoP has: in memory, and on a disk if it was given one.
//!
//! - `stored`: an answer, in few bytes
//! - `memory`: the shelf and the memory that bodies lie in
//! - `disk`: what outlives the process

pub(crate) mod disk;
pub(crate) mod memory;
pub(crate) mod stored;

pub(crate) use disk::Disk;
pub(crate) use memory::Memory;
pub(crate) use stored::{Head, Hit, Stored, Templates, push_line};
