//! The URL grammar of everything a viewer fetches under `/v/`. One path has one meaning and one
//! spelling: numbers are decimal without leading zeros, and anything else is refused.

use std::fmt;

use crate::{Epoch, Msn, PartIndex, RenditionId, VideoId};

/// A parsed `/v/…` path, optionally under `/t/{token}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPath<'a> {
    /// The playback token that came in the path. It is never part of a cache key.
    pub token: Option<&'a str>,
    /// Whose media this is.
    pub video: VideoId,
    /// What is asked for.
    pub resource: Resource,
}

/// What can be fetched of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `index.m3u8`: the multivariant playlist.
    Multivariant,
    /// `dvr.m3u8`: the multivariant playlist of all that is stored, for rewinding while live.
    DvrMultivariant,
    /// `manifest.mpd`: the DASH manifest, live or of the recording.
    Manifest,
    /// `{rendition}/index.m3u8`: the live media playlist.
    Live {
        /// Whose playlist.
        rendition: RenditionId,
    },
    /// `{rendition}/recording.m3u8`: the media playlist of the recording.
    Recording {
        /// Whose playlist.
        rendition: RenditionId,
    },
    /// `{rendition}/dvr.m3u8`: the media playlist of all that is stored.
    Dvr {
        /// Whose playlist.
        rendition: RenditionId,
    },
    /// `{rendition}/iframes.m3u8`: the I-frames of all that is stored.
    IFrames {
        /// Whose playlist.
        rendition: RenditionId,
    },
    /// `{epoch}/{rendition}/init-{n}.mp4`: an initialisation segment.
    Init {
        /// Life of the video that wrote it.
        epoch: Epoch,
        /// Which rendition it initialises.
        rendition: RenditionId,
        /// Counts the codec changes within the epoch, from 0.
        n: u32,
    },
    /// `{epoch}/{rendition}/{msn}.m4s`: a segment.
    Segment {
        /// Life of the video that wrote it.
        epoch: Epoch,
        /// Which rendition.
        rendition: RenditionId,
        /// Which segment.
        msn: Msn,
    },
    /// `{epoch}/{rendition}/dash-{msn}.m4s`: the bytes of a segment, sent from its first chunk on
    /// while the rest of it comes to be.
    GrowingSegment {
        /// Life of the video that wrote it.
        epoch: Epoch,
        /// Which rendition.
        rendition: RenditionId,
        /// Which segment.
        msn: Msn,
    },
    /// `{epoch}/{rendition}/{msn}.{part}.m4s`: a part of a segment.
    Part {
        /// Life of the video that wrote it.
        epoch: Epoch,
        /// Which rendition.
        rendition: RenditionId,
        /// Which segment.
        msn: Msn,
        /// Which part of it.
        part: PartIndex,
    },
    /// `{epoch}/span/{n}-{rendition}.mp4`: about 10 s of one video rendition with its audio.
    Span {
        /// Life of the video that wrote it.
        epoch: Epoch,
        /// Number of the span in its epoch, from 0.
        n: u32,
        /// Which video rendition.
        rendition: RenditionId,
    },
}

impl Resource {
    /// The one rendition that it is of, unless it is of all.
    pub fn rendition(self) -> Option<RenditionId> {
        match self {
            Self::Multivariant | Self::DvrMultivariant | Self::Manifest => None,
            Self::Live { rendition }
            | Self::Recording { rendition }
            | Self::Dvr { rendition }
            | Self::IFrames { rendition }
            | Self::Init { rendition, .. }
            | Self::Segment { rendition, .. }
            | Self::GrowingSegment { rendition, .. }
            | Self::Part { rendition, .. }
            | Self::Span { rendition, .. } => Some(rendition),
        }
    }
}

impl<'a> MediaPath<'a> {
    /// Parses the path part of a URL (no query, no fragment, not percent-decoded: no valid path
    /// holds a character that needs encoding). `None` if it is not in the grammar.
    pub fn parse(path: &'a str) -> Option<Self> {
        let (token, path) = match path.strip_prefix("/t/") {
            Some(rest) => {
                let end = rest.find('/').filter(|&end| end > 0)?;
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, path),
        };
        let mut pieces = path.strip_prefix("/v/")?.split('/');
        let video = pieces.next()?.parse().ok()?;
        let (a, b, c, rest) = (pieces.next(), pieces.next(), pieces.next(), pieces.next());
        if rest.is_some() {
            return None;
        }
        let resource = match (a?, b, c) {
            ("index.m3u8", None, None) => Resource::Multivariant,
            ("dvr.m3u8", None, None) => Resource::DvrMultivariant,
            ("manifest.mpd", None, None) => Resource::Manifest,
            (rendition, Some("index.m3u8"), None) => Resource::Live {
                rendition: rendition.parse().ok()?,
            },
            (rendition, Some("recording.m3u8"), None) => Resource::Recording {
                rendition: rendition.parse().ok()?,
            },
            (rendition, Some("dvr.m3u8"), None) => Resource::Dvr {
                rendition: rendition.parse().ok()?,
            },
            (rendition, Some("iframes.m3u8"), None) => Resource::IFrames {
                rendition: rendition.parse().ok()?,
            },
            (epoch, Some("span"), Some(file)) => {
                let (n, rendition) = file.strip_suffix(".mp4")?.split_once('-')?;
                let rendition = rendition.parse().ok()?;
                Resource::Span {
                    epoch: Epoch(decimal(epoch)?),
                    n: decimal(n)?,
                    rendition,
                }
            }
            (epoch, Some(rendition), Some(file)) => {
                media_file(Epoch(decimal(epoch)?), rendition.parse().ok()?, file)?
            }
            _ => return None,
        };
        Some(Self {
            token,
            video,
            resource,
        })
    }
}

fn media_file(epoch: Epoch, rendition: RenditionId, file: &str) -> Option<Resource> {
    if let Some(n) = file.strip_prefix("init-") {
        let n = decimal(n.strip_suffix(".mp4")?)?;
        return Some(Resource::Init {
            epoch,
            rendition,
            n,
        });
    }
    let name = file.strip_suffix(".m4s")?;
    if let Some(msn) = name.strip_prefix("dash-") {
        return Some(Resource::GrowingSegment {
            epoch,
            rendition,
            msn: Msn(decimal(msn)?),
        });
    }
    Some(match name.split_once('.') {
        None => Resource::Segment {
            epoch,
            rendition,
            msn: Msn(decimal(name)?),
        },
        Some((msn, part)) => Resource::Part {
            epoch,
            rendition,
            msn: Msn(decimal(msn)?),
            part: PartIndex(decimal(part)?),
        },
    })
}

/// A decimal number in its only spelling.
fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let canonical = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for MediaPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(token) = self.token {
            write!(f, "/t/{token}")?;
        }
        write!(f, "/v/{}/{}", self.video, self.resource)
    }
}

/// Written relative to `/v/{video}/`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Multivariant => f.write_str("index.m3u8"),
            Self::DvrMultivariant => f.write_str("dvr.m3u8"),
            Self::Manifest => f.write_str("manifest.mpd"),
            Self::Live { rendition } => write!(f, "{rendition}/index.m3u8"),
            Self::Recording { rendition } => write!(f, "{rendition}/recording.m3u8"),
            Self::Dvr { rendition } => write!(f, "{rendition}/dvr.m3u8"),
            Self::IFrames { rendition } => write!(f, "{rendition}/iframes.m3u8"),
            Self::Init {
                epoch,
                rendition,
                n,
            } => write!(f, "{epoch}/{rendition}/init-{n}.mp4"),
            Self::Segment {
                epoch,
                rendition,
                msn,
            } => write!(f, "{epoch}/{rendition}/{msn}.m4s"),
            Self::GrowingSegment {
                epoch,
                rendition,
                msn,
            } => write!(f, "{epoch}/{rendition}/dash-{msn}.m4s"),
            Self::Part {
                epoch,
                rendition,
                msn,
                part,
            } => {
                write!(f, "{epoch}/{rendition}/{msn}.{part}.m4s")
            }
            Self::Span {
                epoch,
                n,
                rendition,
            } => write!(f, "{epoch}/span/{n}-{rendition}.mp4"),
        }
    }
}

/// The position a blocking playlist request waits for (draft-rfc8216bis section 6.2.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaylistPosition {
    /// `_HLS_msn`.
    pub msn: Msn,
    /// `_HLS_part`; without it the whole segment is waited for.
    pub part: Option<PartIndex>,
}

/// `_HLS_skip`: whether a delta update is asked for. Weir writes no date ranges, so `v2` means
/// `YES` and both share one cache key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Skip {
    /// The whole playlist.
    #[default]
    No,
    /// A delta update, if one is possible.
    Yes,
}

/// Why the query of a playlist request is refused (status 400).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidDirective {
    /// `_HLS_msn` or `_HLS_part` is not a decimal number, or is given twice.
    NotANumber,
    /// `_HLS_part` without `_HLS_msn`.
    PartWithoutMsn,
    /// `_HLS_skip` is neither `YES` nor `v2`.
    UnknownSkip,
}

/// Reads the delivery directives of a playlist request. Other parameters (CMCD among them) are
/// ignored, so that they join no cache key.
pub fn delivery_directives(
    query: &str,
) -> Result<(Option<PlaylistPosition>, Skip), InvalidDirective> {
    let (mut msn, mut part, mut skip) = (None, None, Skip::No);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "_HLS_msn" if msn.is_none() => {
                msn = Some(Msn(decimal(value).ok_or(InvalidDirective::NotANumber)?));
            }
            "_HLS_part" if part.is_none() => {
                part = Some(PartIndex(
                    decimal(value).ok_or(InvalidDirective::NotANumber)?,
                ));
            }
            "_HLS_msn" | "_HLS_part" => return Err(InvalidDirective::NotANumber),
            "_HLS_skip" => match value {
                "YES" | "v2" => skip = Skip::Yes,
                _ => return Err(InvalidDirective::UnknownSkip),
            },
            _ => {}
        }
    }
    match (msn, part) {
        (None, Some(_)) => Err(InvalidDirective::PartWithoutMsn),
        (None, None) => Ok((None, skip)),
        (Some(msn), part) => Ok((Some(PlaylistPosition { msn, part }), skip)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_parses_and_prints_back() {
        for path in [
            "/v/oabcdefghijk/index.m3u8",
            "/v/oabcdefghijk/480p/index.m3u8",
            "/v/oabcdefghijk/480p/recording.m3u8",
            "/v/oabcdefghijk/dvr.m3u8",
            "/v/oabcdefghijk/480p/dvr.m3u8",
            "/v/oabcdefghijk/480p/iframes.m3u8",
            "/v/oabcdefghijk/manifest.mpd",
            "/v/oabcdefghijk/3/source/dash-12.m4s",
            "/v/oabcdefghijk/3/audio/init-0.mp4",
            "/v/oabcdefghijk/3/source/0.m4s",
            "/v/oabcdefghijk/3/source/12.5.m4s",
            "/v/oabcdefghijk/3/span/7-480p.mp4",
            "/t/e30.e30.sig/v/pabcdefghijk/3/span/7-480p.mp4",
        ] {
            let parsed = MediaPath::parse(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(parsed.to_string(), path);
        }
    }

    #[test]
    fn refuses_other_spellings() {
        for path in [
            "/v/oabcdefghijk",
            "/v/oabcdefghijk/",
            "/v/oabcdefghijk//index.m3u8",
            "/v/oabcdefghijk/../index.m3u8",
            "/v/oabcdefghijk/480p/index.m3u8/x",
            "/v/oabcdefghijk/3/source/012.m4s",
            "/v/oabcdefghijk/3/source/+1.m4s",
            "/v/oabcdefghijk/3/source/dash-012.m4s",
            "/v/oabcdefghijk/3/source/dash-1.2.m4s",
            "/v/oabcdefghijk/3/source/1.2.3.m4s",
            "/v/oabcdefghijk/3/source/99999999999999999999.m4s",
            "/v/OABCDEFGHIJK/index.m3u8",
            "/t//v/oabcdefghijk/index.m3u8",
            "/t/token",
        ] {
            assert_eq!(MediaPath::parse(path), None, "{path}");
        }
    }

    #[test]
    fn reads_delivery_directives() {
        let at = |msn, part: Option<u32>| {
            Some(PlaylistPosition {
                msn: Msn(msn),
                part: part.map(PartIndex),
            })
        };
        let check = |query, expected| assert_eq!(delivery_directives(query), expected, "{query}");
        check("", Ok((None, Skip::No)));
        check("CMCD=br%3D3200&x=1", Ok((None, Skip::No)));
        check("_HLS_msn=7", Ok((at(7, None), Skip::No)));
        check(
            "_HLS_part=2&_HLS_msn=7&_HLS_skip=v2",
            Ok((at(7, Some(2)), Skip::Yes)),
        );
        check("_HLS_part=2", Err(InvalidDirective::PartWithoutMsn));
        check("_HLS_msn=-1", Err(InvalidDirective::NotANumber));
        check("_HLS_msn=1&_HLS_msn=2", Err(InvalidDirective::NotANumber));
        check("_HLS_skip=no", Err(InvalidDirective::UnknownSkip));
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_back(path in "(/t/[a-z.]{0,4})?/v/oabcdefghij[a-z]/[0-9a-z/.-]{0,30}") {
            if let Some(parsed) = MediaPath::parse(&path) {
                prop_assert_eq!(parsed.to_string(), path);
            }
        }
    }
}
