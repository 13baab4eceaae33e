//! The transcoder process.
fn main() {}
