//! What the tests of every host share: the list of cases and the policy that they come under, the
//! built module, an origin that counts what it is asked, and a plain HTTP client.

// Each test binary includes these modules and uses its part of them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod cases;
pub mod client;
pub mod gate;
pub mod module;
pub mod origin;
pub mod policy;
