//! What callers put into their stream id.
//!
//! | form | who writes it |
//! | --- | --- |
//! | `#!::r=live/KEY,m=publish` | the SRT access control guidelines; whatever else it names is ignored |
//! | `publish:KEY` | encoders that were set up for other servers |
//! | `KEY`, `live/KEY` | OBS, which sends what stands in its field for the stream key |
//!
//! `?backup=1` behind the key, as over RTMP, makes the caller the backup publisher:
//! `#!::r=live/KEY?backup=1,m=publish`, `publish:KEY?backup=1`. What else follows a `?` is dropped.

use thiserror::Error;
use weir_ingest::rtmp::StreamKey;
use weir_model::Lane;
use weir_srt::Reject;

use crate::rtmp::APP;

/// A stream id that names no stream to publish.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum InvalidStreamId {
    /// There is none.
    #[error("there is no stream id; it has to hold the stream key")]
    Missing,
    /// It begins as the guidelines say and goes on otherwise.
    #[error("the stream id can't be read; use #!::r=live/KEY,m=publish")]
    Malformed,
    /// The resource is in another application than [`APP`].
    #[error("the stream id names another application than {APP:?}")]
    Application,
    /// It asks to be sent a stream, which is what no mode at all means.
    #[error("the stream id does not say m=publish; watch over HTTP")]
    Mode,
    /// A file or something else that is no live stream.
    #[error("the stream id asks for another type than a stream")]
    Type,
}

impl InvalidStreamId {
    /// What the caller is told.
    pub(super) fn reject(self) -> Reject {
        match self {
            Self::Missing | Self::Malformed | Self::Application => Reject::BadRequest,
            Self::Mode => Reject::BadMode,
            Self::Type => Reject::UnsupportedMedia,
        }
    }
}

/// The stream key in a stream id, and which of the video's publishers the caller is.
pub(super) fn stream_key(stream_id: &str) -> Result<(StreamKey, Lane), InvalidStreamId> {
    if let Some(keyed) = stream_id.strip_prefix("#!") {
        return from_keys(keyed.strip_prefix("::").ok_or(InvalidStreamId::Malformed)?);
    }
    match stream_id.split_once(':') {
        Some(("publish", resource)) => from_resource(resource),
        Some(("read" | "play" | "request", _)) => Err(InvalidStreamId::Mode),
        _ => from_resource(stream_id),
    }
}

/// Of the form `r=live/KEY,m=publish`.
fn from_keys(keyed: &str) -> Result<(StreamKey, Lane), InvalidStreamId> {
    let (mut resource, mut mode, mut media) = ("", "request", "stream");
    for pair in keyed.split(',') {
        match pair.split_once('=').ok_or(InvalidStreamId::Malformed)? {
            ("r", value) => resource = value,
            ("m", value) => mode = value,
            ("t", value) => media = value,
            _ => {}
        }
    }
    if media != "stream" {
        return Err(InvalidStreamId::Type);
    }
    if mode != "publish" {
        return Err(InvalidStreamId::Mode);
    }
    from_resource(resource)
}

fn from_resource(resource: &str) -> Result<(StreamKey, Lane), InvalidStreamId> {
    let (resource, query) = resource.split_once('?').unwrap_or((resource, ""));
    let resource = resource.trim_start_matches('/');
    let key = match resource.split_once('/') {
        Some((APP, key)) => key,
        Some(_) => return Err(InvalidStreamId::Application),
        None => resource,
    };
    if key.is_empty() {
        return Err(InvalidStreamId::Missing);
    }
    Ok((StreamKey::from(key.to_owned()), Lane::of_query(query)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_names_a_key() {
        for stream_id in [
            "#!::r=live/KEY,m=publish",
            "#!::m=publish,r=/live/KEY",
            "#!::u=somebody,r=KEY,h=example.org,t=stream,m=publish,s=1",
            "publish:KEY",
            "publish:live/KEY",
            "KEY",
            "live/KEY",
            "/live/KEY?bitrate=9",
        ] {
            let (key, lane) = stream_key(stream_id).unwrap();
            assert_eq!((key.expose(), lane), ("KEY", Lane::Primary), "{stream_id}");
        }
    }

    #[test]
    fn every_form_can_name_the_backup() {
        for stream_id in [
            "#!::r=live/KEY?backup=1,m=publish",
            "#!::m=publish,r=KEY?bitrate=9&backup=1",
            "publish:KEY?backup=1",
            "live/KEY?backup=1",
            "KEY?backup=1",
        ] {
            let (key, lane) = stream_key(stream_id).unwrap();
            assert_eq!((key.expose(), lane), ("KEY", Lane::Backup), "{stream_id}");
        }
    }

    #[test]
    fn what_names_no_stream_to_publish_is_refused() {
        let check = |stream_id, expected| {
            assert_eq!(stream_key(stream_id), Err(expected), "{stream_id}");
        };
        check("", InvalidStreamId::Missing);
        check("live/", InvalidStreamId::Missing);
        check("#!::m=publish", InvalidStreamId::Missing);
        check("#!", InvalidStreamId::Malformed);
        check("#!::", InvalidStreamId::Malformed);
        check("#!:{r: live/KEY}", InvalidStreamId::Malformed);
        check("#!::r=live/KEY,publish", InvalidStreamId::Malformed);
        check("#!::r=vod/KEY,m=publish", InvalidStreamId::Application);
        check("vod/KEY", InvalidStreamId::Application);
        check("#!::r=live/KEY", InvalidStreamId::Mode);
        check("#!::r=live/KEY,m=request", InvalidStreamId::Mode);
        check("#!::r=live/KEY,m=bidirectional", InvalidStreamId::Mode);
        check("read:KEY", InvalidStreamId::Mode);
        check("#!::r=live/KEY,m=publish,t=file", InvalidStreamId::Type);
    }
}
