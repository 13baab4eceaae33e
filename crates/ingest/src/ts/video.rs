//! Access units of H.264 and HEVC out of PES packets, of which each holds one.

use bytes::{BufMut, Bytes, BytesMut};
use weir_media::{
    codec::{AvcConfig, HevcConfig, annexb::nal_units, avc, hevc},
    unit::TrackConfig,
};

/// Most kinds of parameter sets that a coding has.
const KINDS: usize = 3;

/// How a video stream is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Video {
    Avc,
    Hevc,
}

/// What a NAL unit is to a packager.
enum Role {
    /// A parameter set of so many a kind.
    ParameterSet(usize),
    /// A slice of a picture at which decoding can start.
    Keyframe,
    /// Nothing that a decoder needs here.
    Filler,
    Other,
}

/// Reads access units, and keeps the parameter sets that stood in them.
#[derive(Debug)]
pub(super) struct Reader {
    coding: Video,
    /// The last of each kind, empty before the first.
    sets: [Bytes; KINDS],
}

/// One access unit in the form of ISO/IEC 14496-15.
#[derive(Debug)]
pub(super) struct AccessUnit {
    /// The configuration, or what is wrong with it, where the parameter sets are others than
    /// before.
    pub(super) config: Option<Result<TrackConfig, String>>,
    /// Whether decoding can start here.
    pub(super) keyframe: bool,
    /// NAL units with 4-byte lengths, without delimiters, filler, and the parameter sets of the
    /// configuration. Empty if nothing else was there.
    pub(super) data: Bytes,
}

impl Reader {
    pub(super) fn new(coding: Video) -> Self {
        Self {
            coding,
            sets: Default::default(),
        }
    }

    pub(super) fn coding(&self) -> Video {
        self.coding
    }

    pub(super) fn read(&mut self, stream: &[u8]) -> AccessUnit {
        let mut data = BytesMut::with_capacity(stream.len() + 16);
        let mut sets = [None; KINDS];
        let mut keyframe = false;
        for nal in nal_units(stream) {
            match self.coding.role(nal[0]) {
                Role::Filler => continue,
                // A record is made of one set of each kind; further ones stay where decoders
                // find them.
                Role::ParameterSet(kind) if sets[kind].is_none() => {
                    sets[kind] = Some(nal);
                    continue;
                }
                Role::Keyframe => keyframe = true,
                Role::ParameterSet(_) | Role::Other => {}
            }
            data.put_u32(nal.len() as u32);
            data.put_slice(nal);
        }
        AccessUnit {
            config: self.take_sets(sets),
            keyframe,
            data: data.freeze(),
        }
    }

    fn take_sets(&mut self, sets: [Option<&[u8]>; KINDS]) -> Option<Result<TrackConfig, String>> {
        let mut changed = false;
        for (known, new) in self.sets.iter_mut().zip(sets) {
            let Some(new) = new.filter(|new| *new != known.as_ref()) else {
                continue;
            };
            if new.len() > avc::MAX_RECORD_LEN {
                return Some(Err(format!(
                    "a parameter set of {} bytes is longer than {}",
                    new.len(),
                    avc::MAX_RECORD_LEN
                )));
            }
            *known = Bytes::copy_from_slice(new);
            changed = true;
        }
        let has_all = self.sets[..self.coding.kinds()]
            .iter()
            .all(|set| !set.is_empty());
        (changed && has_all).then(|| self.coding.config(&self.sets))
    }
}

impl Video {
    fn kinds(self) -> usize {
        match self {
            Self::Avc => 2,
            Self::Hevc => 3,
        }
    }

    /// By the first byte of a NAL unit: ISO/IEC 14496-10 table 7-1, ISO/IEC 23008-2 table 7-1.
    fn role(self, first: u8) -> Role {
        const HEVC_DELIMITER: u8 = 35;
        const HEVC_FILLER: u8 = 38;
        match self {
            Self::Avc => match first & 0x1f {
                avc::nal_type::SPS => Role::ParameterSet(0),
                avc::nal_type::PPS => Role::ParameterSet(1),
                avc::nal_type::IDR => Role::Keyframe,
                avc::nal_type::AUD | avc::nal_type::FILLER => Role::Filler,
                _ => Role::Other,
            },
            Self::Hevc => match hevc::nal_type::of(first) {
                hevc::nal_type::VPS => Role::ParameterSet(0),
                hevc::nal_type::SPS => Role::ParameterSet(1),
                hevc::nal_type::PPS => Role::ParameterSet(2),
                HEVC_DELIMITER | HEVC_FILLER => Role::Filler,
                slice if hevc::nal_type::starts_closed_gop(slice) => Role::Keyframe,
                _ => Role::Other,
            },
        }
    }

    fn config(self, sets: &[Bytes; KINDS]) -> Result<TrackConfig, String> {
        let [first, second, third] = sets;
        match self {
            Self::Avc => AvcConfig::from_parameter_sets(first, second)
                .map(TrackConfig::Avc)
                .map_err(|invalid| invalid.to_string()),
            Self::Hevc => HevcConfig::from_parameter_sets(first, second, third)
                .map(TrackConfig::Hevc)
                .map_err(|invalid| invalid.to_string()),
        }
    }
}
