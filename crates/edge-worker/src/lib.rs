//! The edge's decisions, pure, built as one zero-import Wasm module
