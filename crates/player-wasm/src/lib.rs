//! The player's decisions, pure, with a wasm-bindgen adapter for browsers
