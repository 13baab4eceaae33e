//! Tags of several tracks (Enhanced RTMP v2, "Multitrack Streaming").

use bytes::Bytes;
use weir_media::unit::TrackKind;

use super::FlvError;

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

/// One track's share of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// trackId.
    pub(super) id: u8,
    /// FourCC of its codec.
    pub(super) codec: [u8; 4],
    pub(super) data: Bytes,
}

/// The tracks of a body, in the order in which they stand. It ends with the first error.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    kind: TrackKind,
    layout: Layout,
    rest: Bytes,
}

impl Packets {
    pub(super) fn new(kind: TrackKind, layout: Layout, body: Bytes) -> Self {
        Self {
            kind,
            layout,
            rest: body,
        }
    }

    fn read(&mut self, body: Bytes) -> Result<Packet, FlvError> {
        let kind = self.kind;
        let truncated = FlvError::Truncated {
            kind,
            len: body.len(),
        };
        let (codec, id_at) = match self.layout {
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
        let data = match self.layout {
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
        self.rest = rest;
        Ok(Packet { id, codec, data })
    }
}

impl Iterator for Packets {
    type Item = Result<Packet, FlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = std::mem::take(&mut self.rest);
        (!body.is_empty()).then(|| self.read(body))
    }
}

pub(super) fn unknown_type(kind: TrackKind, unknown: u8) -> FlvError {
    FlvError::Header {
        kind,
        reason: format!("multitrack type {unknown} is unknown"),
    }
}
