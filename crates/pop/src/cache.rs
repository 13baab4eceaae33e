//! The answers that this PoP has: in memory, and on a disk if it was given one.
//!
//! - `stored`: an answer, in few bytes
//! - `body`: its body
//! - `memory`: the shelf and the memory that bodies lie in
//! - `extents`: that memory, piece by piece
//! - `pages`: one piece, which is a file as well
//! - `disk`: what outlives the process

mod body;
pub(crate) mod disk;
mod extents;
pub(crate) mod memory;
mod pages;
pub(crate) mod stored;

pub(crate) use body::Body;
pub(crate) use disk::Disk;
pub(crate) use memory::Memory;
pub(crate) use pages::Written;
pub(crate) use stored::{Head, Hit, Stored, Templates, push_line};
