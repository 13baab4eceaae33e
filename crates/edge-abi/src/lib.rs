//! The codec between the edge guest and its hosts.
//!
//! The guest is a core Wasm module without imports. Host and guest share one buffer in the guest's
//! memory: the host writes a message, calls an export with the message's length, and reads the
//! answer from the same place. Errors are values: a guest that is given nonsense answers length 0.
//!
//! | export | takes | gives |
//! | --- | --- | --- |
//! | `edge_abi() -> u32` | | [`ABI_VERSION`] |
//! | `edge_buf() -> u32` | | address of the buffer |
//! | `edge_cap() -> u32` | | its size in bytes |
//! | `edge_init(len) -> u32` | [`Config`] | 0 if it was taken, else 1 |
//! | `edge_decide(len) -> len` | [`Request`] | [`Plan`] |
//! | `edge_body(len) -> len` | [`BodyCheck`] | [`Verdict`] |
//!
//! # Layout
//!
//! Little-endian, without padding. Every message begins with the version in one byte. `text` is a
//! `u16` length and that many bytes of UTF-8, `bytes` is a `u32` length and that many bytes,
//! `fields` is a `u16` length in bytes and that many bytes of (name `text`, value `text`) pairs.
//! A message ends where its last field ends; bytes left over are an error.
//!
//! | message | fields, in order |
//! | --- | --- |
//! | [`Config`] | target duration ms `u32`, part target ms `u32`, pop `text`, audience `text`, `u8` and that many keys (kid `text`, [`Algorithm`] `u8`, key `bytes`), `u8` and that many denied countries (2 × `u8`), ticket key `bytes`, `u8` and that many pathways (id `text`, base URL `text`), steering TTL s `u32`, rates of comments, events and sessions, each per minute `u32`, burst `u32` |
//! | [`Request`] | now (Unix ms) `u64`, [`Method`] `u8`, path `text`, query `text`, user agent `text`, content type `text`, mobile hint `u8` (0 no, 1 yes), country 2 × `u8` (0, 0 is unknown), accept encoding `text`, bearer `text`, claims `bytes` (empty: none), nonce 16 × `u8`, pathway health `bytes`, CMCD `text`, device `text`, by edge `u8` (0, 1) |
//! | [`Plan`] | [`Class`] `u8`, action `u8`, then the action, then extras `u8` and those whose bit is set: 1 claims to remember `bytes`; 2 [`Limit`]: bucket `u8`, per minute `u32`, burst `u32`; 4 [`Cmcd`](weir_model::Cmcd) |
//! | action 0, [`Action::Respond`], and 1, [`Action::Deny`] | [`Response`] |
//! | action 2, [`Action::Serve`] | target `text`, cache control `text`, fields `fields`, fresh ms `u32`, error ms `u32`, stale ms `u32`, wait ms `u32`, held `u8` (0, 1), [`Encoding`] `u8` (0 identity, 1 gzip, 2 br), position `u8` (0 none, 1 a segment, 2 a part), and unless 0: stream `text`, msn `u64`, if 2: part `u32` |
//! | action 3, [`Action::Forward`] | target `text`, fields `fields`, wait ms `u32`, most body bytes `u32`, [`BodyKind`] `u8`, country 2 × `u8` |
//! | action 4, [`Action::Join`] | room `text`, `u8` (0, 1), if 1: after `u64` |
//! | CMCD | object type `u8` (0 unknown, else in the order of [`ObjectType`](weir_model::cmcd::ObjectType) from 1), flags `u8` (1 startup, 2 starved, 4, 8 and 16: the numbers that are known), bitrate kbit/s `u32`, throughput kbit/s `u32`, buffer ms `u32` |
//! | [`Response`] | status `u16`, fields `fields`, body `bytes` |
//! | [`BodyCheck`] | [`BodyKind`] `u8`, body `bytes` |
//! | [`Verdict`] | 0 `u8` (accept), or 1 `u8` (refuse) and a [`Response`] |
//!
//! A kid or a pathway's id has at most 32 bytes; there are at most 16 keys and 8 pathways.
//!
//! # Modules
//!
//! - [`config`], [`request`], [`plan`], [`body`]: the messages
//! - [`response`], [`serve`]: answers that a plan may name; `extras`: what it says besides
//! - [`wire`]: how they are written and read

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

pub mod body;
pub mod config;
mod extras;
pub mod plan;
pub mod request;
pub mod response;
pub mod serve;
pub mod wire;

pub use body::{BodyCheck, BodyKind, Verdict};
pub use config::{Config, Limits, Pathway, Rate};
pub use plan::{Action, Class, Forward, Join, Limit, Plan};
pub use request::{Method, Request};
pub use response::{Fields, Response};
pub use serve::{Encoding, Position, Serve};
pub use weir_model::{
    Country,
    key::{Algorithm, Key, Secret},
};
pub use wire::{DecodeError, Overflow};

/// Version of the layout; host and guest refuse each other if theirs differ.
pub const ABI_VERSION: u32 = 3;

/// Size in bytes of the buffer that a guest must offer at least.
pub const MIN_BUFFER: usize = 32 * 1024;

/// Longest path in bytes that a request may have; a longer one is refused by the guest.
pub const MAX_PATH: usize = 2 * 1024;

/// Longest query in bytes that a host passes on; it answers 413 for a longer one itself.
pub const MAX_QUERY: usize = 4 * 1024;

/// Longest header value in bytes that a host passes on; it cuts longer ones.
pub const MAX_HEADER: usize = 512;

/// Longest body in bytes that a guest checks.
pub const MAX_BODY: usize = 16 * 1024;
