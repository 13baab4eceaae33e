//! Words shared by every Weir crate.
//!
//! - [`id`]: what things are called: videos, renditions, epochs, media sequence numbers
//! - [`edge`]: what points of presence and origins say to each other
//! - [`path`]: the URL grammar of everything a viewer fetches
//! - [`live_edge`]: how far a live rendition has come
//! - [`device`]: device classes and what each can use
//! - [`time`]: wall-clock instants as they appear in playlists and answers
//! - [`api`]: bodies of the HTTP API
//! - [`health`]: how a broadcast is doing
//! - [`lane`]: primary and backup publisher
//! - [`token`]: playback tokens: what they claim, how they are minted and verified
//! - [`ticket`]: session tickets of view events
//! - [`key`]: keys of both, [`jwk`]: as files
//! - [`country`]: where a viewer is
//! - [`cmcd`]: what a player says of itself with its requests (CTA-5004)
//! - [`json`]: a JSON reader that makes nothing
//! - [`pop`]: how a point of presence does
//! - [`problem`]: RFC 9457 problem details with stable codes
//! - [`rollout`]: how a new edge module goes out
//! - [`room`]: frames of a video's room
//! - [`trace`]: W3C trace context
//!
//! Nothing here does I/O or reads a clock, and everything builds for Wasm.

pub mod api;
pub mod cmcd;
pub mod country;
pub mod device;
pub mod edge;
pub mod health;
pub mod id;
pub mod json;
pub mod jwk;
mod jws;
pub mod key;
pub mod lane;
pub mod live_edge;
pub mod path;
pub mod pop;
pub mod problem;
pub mod rollout;
pub mod room;
pub mod session;
pub mod ticket;
pub mod time;
pub mod token;
pub mod trace;

pub use cmcd::Cmcd;
pub use country::Country;
pub use device::DeviceClass;
pub use id::{Access, Epoch, InvalidId, Msn, PartIndex, RenditionId, VideoId};
pub use lane::Lane;
pub use live_edge::LiveEdge;
pub use path::{MediaPath, PlaylistPosition, Resource, Skip};
pub use problem::{Code, Problem};
pub use session::{SessionId, WhepPath};
pub use time::WallTime;
pub use trace::TraceParent;
