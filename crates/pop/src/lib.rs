//! The self-hosted point of presence: wasmtime host with cache, upstream and coalescing
