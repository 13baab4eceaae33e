//! libsrt's listening side, as safe Rust: callers are asked who they are, let in, and read.
//!
//! - [`Listener`]: a UDP socket on which SRT callers are answered
//! - [`Connection`]: one caller that was let in
//! - [`Reject`]: what a caller is told that is not
//! - [`Passphrase`]: what all callers have to know, if anything
//!
//! libsrt has threads of its own that send and receive. The calls here block, each for as long as
//! it says, so that they belong on threads too. Only the module `ffi` is unsafe.

mod connection;
mod ffi;
mod listener;
mod passphrase;
mod reject;
#[cfg(test)]
mod tests;

pub use connection::{Connection, Received};
pub use ffi::SrtError;
pub use listener::{Gate, Listener, Options};
pub use passphrase::{InvalidPassphrase, Passphrase};
pub use reject::Reject;
