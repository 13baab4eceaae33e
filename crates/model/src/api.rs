//! Bodies of the HTTP API. Times are Unix milliseconds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Epoch, Lane, RenditionId, VideoId, WallTime};

/// Where a video is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VideoState {
    /// Created; no encoder has pushed yet.
    Waiting,
    /// An encoder is pushing.
    Live,
    /// The encoder went away and may come back within the reconnect window.
    Away,
    /// The broadcast has ended; the recording plays.
    Recorded,
}

/// `GET /api/v1/videos/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Video {
    /// Its id.
    pub id: VideoId,
    /// Title, at most 200 characters.
    pub title: String,
    /// Where it is in its life.
    pub state: VideoState,
    /// When it was created.
    pub created_at: WallTime,
    /// When the first encoder's first frame came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<WallTime>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<WallTime>,
    /// The current or last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Path of the multivariant playlist.
    pub playback_url: String,
    /// Path of the watch page.
    pub watch_url: String,
    /// What the streamer should know, such as a keyframe interval that is too long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Renditions that are left out at present because the machine is too slow to make them: they
    /// are listed, their segments are gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shed: Vec<ShedRendition>,
    /// Who pushes; of a video on air.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishers: Option<Publishers>,
}

/// Who pushes to a video on air.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Publishers {
    /// Whose media viewers get; absent while no encoder is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_air: Option<Lane>,
    /// Who could take over at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing_by: Option<Lane>,
    /// How often one has taken over from the other since the origin started.
    pub switches: u64,
    /// Whether viewers see the slate, because nothing comes from any encoder.
    pub slate: bool,
}

/// A rendition that is left out at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShedRendition {
    /// Which.
    pub rendition: RenditionId,
    /// Since when.
    pub since: WallTime,
}

/// `POST /api/v1/videos` (operator).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVideo {
    /// Title, at most 200 characters.
    #[serde(default)]
    pub title: String,
    /// Whether playing needs a token.
    #[serde(default)]
    pub protected: bool,
}

/// `PATCH /api/v1/videos/{id}` (operator).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeVideo {
    /// Title, at most 200 characters.
    pub title: String,
}

/// Answer to `POST /api/v1/videos` and to `POST /api/v1/videos/{id}/key`: the only time that the
/// key is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedVideo {
    /// The video.
    #[serde(flatten)]
    pub video: Video,
    /// The stream key: 128 random bits in lower-case base32. Only its SHA-256 is stored.
    pub stream_key: String,
    /// Where to push: `rtmp://host:port/live`.
    pub rtmp_url: String,
    /// The same over TLS, if it is open: `rtmps://host:port/live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtmps_url: Option<String>,
    /// Where to push over SRT, with `streamid=publish:KEY`: `srt://host:port`.
    pub srt_url: String,
    /// Path to publish to from a browser or another WebRTC client (WHIP, RFC 9725), with the
    /// stream key as bearer token. It is on the same host as the watch page.
    pub whip_url: String,
}

/// `GET /api/v1/videos?limit=&after=`: newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VideoPage {
    /// Up to `limit` videos.
    pub videos: Vec<Video>,
    /// Pass as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `POST /api/v1/videos/{id}/comments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostComment {
    /// Name shown, 1 to 40 characters.
    pub author: String,
    /// 1 to 500 characters.
    pub text: String,
}

/// One comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comment {
    /// Number within the video, from 1, without holes.
    pub seq: u64,
    /// Name shown.
    pub author: String,
    /// What was written.
    pub text: String,
    /// When the origin took it.
    pub created_at: WallTime,
}

/// `GET /api/v1/videos/{id}/comments?after=&limit=`: oldest first after `after`; with
/// `before=` the newest `limit` comments below it, still oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommentPage {
    /// Up to `limit` (default 50, at most 200) comments.
    pub comments: Vec<Comment>,
    /// How many comments the video has.
    pub total: u64,
}

/// `POST /api/v1/videos/{id}/sessions`, as the edge answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BegunSession {
    /// Names the session, as its events do: 26 characters of `a-z` and `2-7`.
    pub session: String,
    /// A JSON Web Token of the type `weir-ticket` that goes with the session's events.
    pub ticket: String,
    /// Until when it is good.
    pub expires_at: WallTime,
}
