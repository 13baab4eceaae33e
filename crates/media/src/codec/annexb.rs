//! H.264 as encoders and decoders speak it: NAL units behind start codes (ISO/IEC 14496-10
//! annex B), to and from the length-prefixed form of ISO/IEC 14496-15.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::avc::{AvcConfig, InvalidAvc, nal_type};

/// A length-prefixed access unit whose lengths don't add up.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a NAL unit at byte {at} of the access unit claims {len} bytes, {left} are left")]
pub struct InvalidNalLength {
    /// Where the length stands.
    pub at: usize,
    /// What it claims.
    pub len: usize,
    /// What is there.
    pub left: usize,
}

/// NAL units of an Annex B byte string, without start codes and trailing zeros.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let current = rest?;
        let end = find_start_code(current).unwrap_or(current.len());
        rest = after_start_code(&current[end..]);
        let nal = &current[..end];
        let len = nal
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        Some(&nal[..len])
    })
    .filter(|nal| !nal.is_empty())
}

fn find_start_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|window| window == [0, 0, 1])
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    find_start_code(data).map(|at| &data[at + 3..])
}

/// NAL units of a length-prefixed access unit.
pub fn length_prefixed_nal_units(
    unit: &[u8],
) -> impl Iterator<Item = Result<&[u8], InvalidNalLength>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = unit.get(at..).filter(|rest| !rest.is_empty())?;
        let Some((len, after)) = rest.split_first_chunk::<4>() else {
            let invalid = InvalidNalLength {
                at,
                len: 4,
                left: rest.len(),
            };
            at = unit.len();
            return Some(Err(invalid));
        };
        let len = u32::from_be_bytes(*len) as usize;
        let Some(nal) = after.get(..len) else {
            let invalid = InvalidNalLength {
                at,
                len,
                left: after.len(),
            };
            at = unit.len();
            return Some(Err(invalid));
        };
        at += 4 + len;
        Some(Ok(nal))
    })
}

/// Writes a length-prefixed access unit behind start codes, as decoders without a configuration
/// record take it. Parameter sets are put before a keyframe.
///
/// # Errors
/// [`InvalidNalLength`] when a length leads past the end.
pub fn from_length_prefixed(
    config: &AvcConfig,
    keyframe: bool,
    unit: &[u8],
) -> Result<Bytes, InvalidNalLength> {
    let mut stream = BytesMut::with_capacity(unit.len() + config.record.len() + 16);
    let mut put = |nal: &[u8]| {
        stream.put_slice(&[0, 0, 0, 1]);
        stream.put_slice(nal);
    };
    if keyframe {
        config.parameter_sets().for_each(&mut put);
    }
    for nal in length_prefixed_nal_units(unit) {
        put(nal?);
    }
    Ok(stream.freeze())
}

/// One access unit as an encoder wrote it, ready to be packaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The configuration that stood in front of it, if any did.
    pub config: Option<AvcConfig>,
    /// The units in length-prefixed form, without delimiters, filler and parameter sets.
    pub data: Bytes,
}

/// Reads one access unit of an encoder's byte stream.
///
/// # Errors
/// [`InvalidAvc`] when the parameter sets in it cannot be packaged.
pub fn to_length_prefixed(stream: &[u8]) -> Result<Encoded, InvalidAvc> {
    let mut data = BytesMut::with_capacity(stream.len() + 16);
    let (mut sps, mut pps) = (None, None);
    for nal in nal_units(stream) {
        match nal[0] & 0x1f {
            nal_type::SPS => sps = Some(nal),
            nal_type::PPS => pps = Some(nal),
            nal_type::AUD | nal_type::FILLER => {}
            _ => {
                data.put_u32(nal.len() as u32);
                data.put_slice(nal);
            }
        }
    }
    let config = match (sps, pps) {
        (Some(sps), Some(pps)) => Some(AvcConfig::from_parameter_sets(sps, pps)?),
        _ => None,
    };
    Ok(Encoded {
        config,
        data: data.freeze(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_at_three_and_four_byte_start_codes() {
        let stream = [
            0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 1, 0, 0, 0, 0, 1, 0x41, 2,
        ];
        let found: Vec<_> = nal_units(&stream).collect();
        assert_eq!(found, [&[9, 0xf0][..], &[0x65, 1], &[0x41, 2]]);
    }

    #[test]
    fn tells_which_length_is_wrong() {
        let unit = [0, 0, 0, 1, 0x41, 0, 0, 0, 9, 0x41];
        let read: Vec<_> = length_prefixed_nal_units(&unit).collect();
        assert_eq!(
            read,
            [
                Ok(&[0x41][..]),
                Err(InvalidNalLength {
                    at: 5,
                    len: 9,
                    left: 1
                })
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_units_or_refused(bytes: Vec<u8>) {
            for nal in nal_units(&bytes) {
                prop_assert!(!nal.is_empty());
            }
            let lengths: Result<Vec<_>, _> = length_prefixed_nal_units(&bytes).collect();
            if let Ok(nals) = lengths {
                let total: usize = nals.iter().map(|nal| nal.len() + 4).sum();
                prop_assert_eq!(total, bytes.len());
            }
        }

        #[test]
        fn slices_survive_both_ways(slices in prop::collection::vec(
            prop::collection::vec(4u8..=255, 1..40), 1..5)
        ) {
            let mut unit = BytesMut::new();
            let mut stream = Vec::new();
            for slice in &slices {
                // A slice of a picture that is no IDR.
                let nal = [&[0x41][..], slice].concat();
                unit.put_u32(nal.len() as u32);
                unit.put_slice(&nal);
                stream.extend([0, 0, 1]);
                stream.extend(nal);
            }
            let encoded = to_length_prefixed(&stream).unwrap();
            prop_assert_eq!(encoded.config, None);
            prop_assert_eq!(encoded.data, unit.freeze());
        }
    }
}
