//! Words shared by every Weir crate.
//!
//! - [`id`]: what things are called: videos, renditions, epochs, media sequence numbers
//! - [`path`]: the URL grammar of everything a viewer fetches
//! - [`device`]: device classes and what each can use
//! - [`time`]: wall-clock instants as they appear in playlists and answers
//! - [`api`]: bodies of the HTTP API
//! - [`health`]: how a broadcast is doing
//! - [`lane`]: primary and backup publisher
//! - [`problem`]: RFC 9457 problem details with stable codes
//!
//! Nothing here does I/O or reads a clock, and everything builds for Wasm.

pub mod api;
pub mod device;
pub mod health;
pub mod id;
pub mod lane;
pub mod path;
pub mod problem;
pub mod session;
pub mod time;

pub use device::DeviceClass;
pub use id::{Access, Epoch, InvalidId, Msn, PartIndex, RenditionId, VideoId};
pub use lane::Lane;
pub use path::{MediaPath, PlaylistPosition, Resource, Skip};
pub use problem::{Code, Problem};
pub use session::{SessionId, WhepPath};
pub use time::WallTime;
