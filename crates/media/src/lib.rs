//! Sans-IO media formats and packaging. Wasm-safe: no runtime, no clock, no unsafe code.

pub mod codec;
pub mod unit;
