//! Tags of several tracks (Enhanced RTMP v2, "Multitrack Streaming"). Only the first is taken.

use bytes::Bytes;
use weir_media::unit::TrackKind;

use super::{FIRST_TRACK, FlvError};

/// How the tracks of a body are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One track: its id, its bytes.
    One([u8; 4]),
    /// Each with its id, its length and its bytes.
    Many([u8; 4]),
    /// Each behind the FourCC of its codec besides.
    ManyCodecs,
}

/// Codec and bytes of [`FIRST_TRACK`], if it is there. The ids of the other tracks go to `others`.
pub(super) fn first_track(
    kind: TrackKind,
    layout: Layout,
    mut body: Bytes,
    others: &mut Vec<u8>,
) -> Result<Option<([u8; 4], Bytes)>, FlvError> {
    let mut first = None;
    while !body.is_empty() {
        let truncated = FlvError::Truncated {
            kind,
            len: body.len(),
        };
        let (codec, id_at) = match layout {
            Layout::One(codec) | Layout::Many(codec) => (codec, 0),
            Layout::ManyCodecs => match body.first_chunk::<4>() {
                Some(codec) => (*codec, 4),
                None => return Err(truncated),
            },
        };
        let Some(&id) = body.get(id_at) else {
            return Err(truncated);
        };
        let mut rest = body.slice(id_at + 1..);
        let data = match layout {
            Layout::One(_) => std::mem::take(&mut rest),
            Layout::Many(_) | Layout::ManyCodecs => {
                let Some(&[a, b, c]) = rest.first_chunk::<3>() else {
                    return Err(truncated);
                };
                let declared = u32::from_be_bytes([0, a, b, c]) as usize;
                rest = rest.slice(3..);
                if declared > rest.len() {
                    return Err(FlvError::TrackLength {
                        kind,
                        id,
                        declared,
                        left: rest.len(),
                    });
                }
                rest.split_to(declared)
            }
        };
        if id != FIRST_TRACK {
            others.push(id);
        } else if first.is_none() {
            first = Some((codec, data));
        }
        body = rest;
    }
    Ok(first)
}

pub(super) fn unknown_type(kind: TrackKind, unknown: u8) -> FlvError {
    FlvError::Header {
        kind,
        reason: format!("multitrack type {unknown} is unknown"),
    }
}
