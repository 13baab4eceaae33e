//! What a target is about, as far as it matters for the way to it.

use weir_model::{VideoId, edge};

/// What a target is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A video, which is at one origin.
    Video(VideoId),
    /// What every origin has, such as the web app; or what only the origins can place, such as a
    /// WebRTC session. Here its path.
    Any(Box<str>),
}

impl Subject {
    /// What `target`, a path with or without a query, is about.
    pub fn of(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match video_in(path).or_else(|| video_of(query)) {
            Some(video) => Self::Video(video),
            None => Self::Any(path.into()),
        }
    }

    /// What shields are chosen by.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Video(video) => video.as_str().as_bytes(),
            Self::Any(path) => path.as_bytes(),
        }
    }
}

/// `/v/{video}/…`, `/api/v1/videos/{video}…`, `/edge/leases/{video}`.
fn video_in(path: &str) -> Option<VideoId> {
    let rest = path
        .strip_prefix("/v/")
        .or_else(|| path.strip_prefix("/api/v1/videos/"))
        .or_else(|| path.strip_prefix(edge::LEASES_PATH)?.strip_prefix('/'))?;
    rest.split('/').next()?.parse().ok()
}

/// `video={video}`.
fn video_of(query: &str) -> Option<VideoId> {
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("video="));
    value?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_name_videos() {
        let video = "oabcdefghijk".parse().unwrap();
        for target in [
            "/v/oabcdefghijk/index.m3u8?device=desktop",
            "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7",
            "/v/oabcdefghijk/whep/aaaa",
            "/api/v1/videos/oabcdefghijk",
            "/api/v1/videos/oabcdefghijk/comments?after=1",
            "/api/v1/stats?event=view&video=oabcdefghijk",
            "/edge/leases/oabcdefghijk",
        ] {
            assert_eq!(Subject::of(target), Subject::Video(video), "{target}");
        }
        for (target, path) in [
            ("/", "/"),
            ("/api/v1/videos?limit=2", "/api/v1/videos"),
            ("/api/v1/videos/xyz", "/api/v1/videos/xyz"),
            ("/v/", "/v/"),
            ("/edge/leases", "/edge/leases"),
        ] {
            assert_eq!(Subject::of(target), Subject::Any(path.into()), "{target}");
        }
    }
}
