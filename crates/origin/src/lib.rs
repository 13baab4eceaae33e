//! The origin: where an encoder's push becomes playlists, segments, spans and numbers.
//!
//! From the socket inwards, then out again to viewers:
//!
//! - [`rtmp`]: the listener that encoders push to
//! - [`srt`]: the other listener that encoders push to
//! - [`webrtc`]: browsers and other WebRTC clients, that publish and that play
//! - [`registry`]: which videos are on air, and who may push to them
//! - [`broadcast`]: one video on air: a sans-IO [`weir_media::live::Live`] and what it asks for
//! - [`transcode`]: the transcoder child process of a broadcast
//! - [`journal`]: the durable, append-only record of what a broadcast did
//! - [`spool`]: segments as local files, written off the live path
//! - [`archive`]: everything stored of a video: spool files, spans in object storage, recordings
//! - [`store`]: videos, stream keys and comments
//! - [`rollout`]: edge modules that points of presence are to run
//! - [`room`]: what is said and felt under a video, on its way to viewers
//! - [`events`]: the event log, and the counts made of it
//! - [`http`]: the viewer plane and the operator plane
//! - [`keys`]: the operator token and stream keys
//! - [`clock`]: wall time from a monotonic source
//! - [`metrics`]: what the origin counts about itself
//! - [`origin`]: the assembly of all of the above

pub mod archive;
pub mod broadcast;
pub mod clock;
pub mod events;
pub mod http;
pub mod journal;
pub mod keys;
pub mod metrics;
pub mod origin;
pub mod registry;
pub mod rollout;
pub mod room;
pub mod rtmp;
pub mod spool;
pub mod srt;
pub mod store;
pub mod transcode;
pub mod webrtc;
