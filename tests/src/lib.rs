//! What the end-to-end tests share. `cargo xtask test` builds everything these need and says
//! where it lies; the tests then drive public surfaces only.
//!
//! - [`built`]: where the binaries, the edge module, the web app and the film are
//! - [`server`]: a `weir serve` of the test's own: started, killed, restarted, ended
//! - [`pop`]: a `weir pop` of the test's own, in front of one or several origins
//! - [`wire`]: what is between two machines, slow or cut when the test wants it
//! - [`http`]: a viewer's and an operator's HTTP client
//! - [`encoder`]: ffmpeg and GStreamer pushing over RTMP
//! - [`shedding`]: a transcoder that sheds a rung when the test wants it
//! - [`publisher`]: an RTMP publisher that sends what it is told, wrong or right
//! - [`flv`]: what an encoder sends, as a list of tags
//! - [`fixtures`]: hostile streams, each with one defect
//! - [`playlist`]: playlists fetched and parsed, media downloaded
//! - [`follower`]: a viewer who follows a live playlist, whatever happens
//! - [`manifest`]: DASH manifests, and the schemas that they have to keep
//! - [`module`]: edge modules made of the real one, with a note or a fault
//! - [`policy`]: an edge's policy, and tokens under it
//! - [`probe`]: what ffprobe and ffmpeg find in a file or at a URL
//! - [`browser`]: the Node scripts that drive Chromium
//! - [`soak`]: a broadcast in which everything keeps failing
//! - [`process`]: children that end with their test
//! - [`wait`]: conditions with deadlines

pub mod browser;
pub mod built;
pub mod encoder;
pub mod fixtures;
pub mod flv;
pub mod follower;
pub mod http;
pub mod manifest;
pub mod module;
pub mod playlist;
pub mod policy;
pub mod pop;
pub mod probe;
pub mod process;
pub mod publisher;
pub mod server;
pub mod shedding;
pub mod soak;
pub mod wait;
pub mod wire;

pub use encoder::Encoder;
pub use follower::Follower;
pub use http::{Answer, Http};
pub use pop::{PointOfPresence, PopOptions};
pub use server::{Weir, WeirOptions};
pub use wait::eventually;
