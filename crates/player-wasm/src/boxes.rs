//! What the player needs of fMP4 (ISO/IEC 14496-12). Boxes that it has no use for, `emsg` and
//! `prft` among them, are passed over.
//!
//! - this file: the timescale of an initialisation segment's first track, and the decode time at
//!   which a chunk begins. Both stand within the first kilobyte, so that the shim hands over the
//!   head of a body and nothing more
//! - `index`: the subsegments of a file, by its `sidx`
//! - `codecs`: what an initialisation segment describes, where no list tells

mod codecs;
mod index;

pub use codecs::codecs;
pub use index::{Index, index};

/// How much of a body the shim hands over, in bytes.
pub const HEAD: usize = 2048;

/// Units per second of the first track (`moov/trak/mdia/mdhd`, section 8.4.2).
pub fn timescale(head: &[u8]) -> Option<u32> {
    let mdhd = find(head, b"moovtrakmdiamdhd")?;
    // Version and flags, then creation and modification time: two numbers of 32 or 64 bits.
    let at = if *mdhd.first()? == 1 { 4 + 16 } else { 4 + 8 };
    big_endian(mdhd, at, 4)
        .and_then(|scale| u32::try_from(scale).ok())
        .filter(|scale| *scale > 0)
}

/// Decode time of the first sample, in the track's timescale (`moof/traf/tfdt`, section 8.8.12).
pub fn decode_time(head: &[u8]) -> Option<u64> {
    let tfdt = find(head, b"mooftraftfdt")?;
    let width = if *tfdt.first()? == 1 { 8 } else { 4 };
    big_endian(tfdt, 4, width)
}

/// The payload of the first box at a path of kinds, one after the other: `mooftraftfdt`.
fn find<'a>(boxes: &'a [u8], path: &[u8]) -> Option<&'a [u8]> {
    path.chunks(4).try_fold(boxes, |boxes, kind| {
        each(boxes).find_map(|(found, payload)| (found == kind).then_some(payload))
    })
}

/// The boxes one after the other: type and payload, cut where the bytes end.
fn each(boxes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = boxes;
    core::iter::from_fn(move || {
        let size = big_endian(rest, 0, 4)?;
        let (header, size) = match size {
            0 => (8, u64::MAX),
            1 => (16, big_endian(rest, 8, 8)?),
            size => (8, size),
        };
        if size < header {
            return None;
        }
        let end = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        let found = (rest.get(4..8)?, rest.get(header as usize..end)?);
        rest = rest.get(end..)?;
        Some(found)
    })
}

fn big_endian(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let size = (payload.len() as u32 + 8).to_be_bytes();
        [&size[..], kind, payload].concat()
    }

    #[test]
    fn reads_a_timescale() {
        let mdhd = boxed(
            b"mdhd",
            &[&[0; 12][..], &90_000_u32.to_be_bytes(), &[0; 8]].concat(),
        );
        let mdia = boxed(b"mdia", &mdhd);
        let trak = boxed(b"trak", &[boxed(b"tkhd", &[0; 84]), mdia].concat());
        let moov = boxed(b"moov", &[boxed(b"mvhd", &[0; 100]), trak].concat());
        let init = [boxed(b"ftyp", b"iso6\0\0\0\0"), moov].concat();
        assert_eq!(timescale(&init), Some(90_000));
        assert_eq!(timescale(&init[..100]), None);
    }

    #[test]
    fn reads_decode_times_of_both_widths() {
        let chunk = |tfdt: &[u8]| {
            let traf = boxed(
                b"traf",
                &[boxed(b"tfhd", &[0; 8]), boxed(b"tfdt", tfdt)].concat(),
            );
            let moof = boxed(b"moof", &[boxed(b"mfhd", &[0; 8]), traf].concat());
            [boxed(b"styp", b"msdh"), moof, boxed(b"mdat", &[7; 50])].concat()
        };
        assert_eq!(decode_time(&chunk(&[0, 0, 0, 0, 0, 0, 1, 2])), Some(258));
        let wide = [&[1, 0, 0, 0][..], &(1_u64 << 40).to_be_bytes()].concat();
        assert_eq!(decode_time(&chunk(&wide)), Some(1 << 40));
        assert_eq!(decode_time(b"not a box"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            let _ = (timescale(&bytes), decode_time(&bytes), index(&bytes), codecs(&bytes));
        }

        #[test]
        fn no_sizes_are_too_strange(sizes in proptest::collection::vec(any::<u64>(), 0..6)) {
            let bytes: Vec<u8> = sizes
                .iter()
                .flat_map(|size| {
                    [&1_u32.to_be_bytes()[..], b"moof", &size.to_be_bytes()].concat()
                })
                .collect();
            let _ = decode_time(&bytes);
        }
    }
}
