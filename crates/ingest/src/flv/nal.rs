//! Access units of H.264 and HEVC: NAL units behind lengths of one to four bytes, which leave here
//! with four.

use bytes::{BufMut, Bytes, BytesMut};

use super::FlvError;

/// An access unit without its empty NAL units.
pub(super) struct AccessUnit {
    /// NAL units with 4-byte lengths.
    pub(super) data: Bytes,
    /// Whether a NAL unit is of the kind asked for.
    pub(super) found: bool,
}

/// Reads an access unit. `None` if nothing is in it. `is_wanted` is asked with the first byte of
/// each NAL unit.
pub(super) fn read(
    data: Bytes,
    length_size: usize,
    is_wanted: impl Fn(u8) -> bool,
) -> Result<Option<AccessUnit>, FlvError> {
    const LENGTH_SIZE: usize = 4;
    let (mut found, mut count, mut total) = (false, 0, 0);
    for nal in nal_units(&data, length_size) {
        let nal = nal?;
        found |= is_wanted(nal[0]);
        count += 1;
        total += nal.len();
    }
    if count == 0 {
        return Ok(None);
    }
    let normal_len = total + LENGTH_SIZE * count;
    if length_size == LENGTH_SIZE && data.len() == normal_len {
        return Ok(Some(AccessUnit { data, found }));
    }
    let mut normal = BytesMut::with_capacity(normal_len);
    for nal in nal_units(&data, length_size).flatten() {
        normal.put_u32(nal.len() as u32);
        normal.put_slice(nal);
    }
    Ok(Some(AccessUnit {
        data: normal.freeze(),
        found,
    }))
}

/// The NAL units that are not empty.
fn nal_units(mut rest: &[u8], length_size: usize) -> impl Iterator<Item = Result<&[u8], FlvError>> {
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let left = rest.len();
            let Some((len, after)) = rest.split_at_checked(length_size) else {
                rest = &[];
                return Some(Err(FlvError::NalLength {
                    declared: length_size,
                    left,
                }));
            };
            let declared = len.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
            let Some((nal, after)) = after.split_at_checked(declared) else {
                rest = &[];
                return Some(Err(FlvError::NalLength {
                    declared,
                    left: left - length_size,
                }));
            };
            rest = after;
            if !nal.is_empty() {
                return Some(Ok(nal));
            }
        }
        None
    })
}
