//! The segment index (ISO/IEC 14496-12 section 8.16.3).

use alloc::vec::Vec;

use super::{big_endian, find};

/// The subsegments of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Units per second.
    pub timescale: u32,
    /// When the first one begins, in units.
    pub earliest: u64,
    /// Bytes between the index and the first subsegment.
    pub first_offset: u64,
    /// Bytes and units of each.
    pub references: Vec<(u32, u32)>,
}

/// Reads the first `sidx` among these boxes. One that refers to other indexes is not read.
pub fn index(boxes: &[u8]) -> Option<Index> {
    let sidx = find(boxes, b"sidx")?;
    let u32_at = |at| big_endian(sidx, at, 4).map(|n| n as u32);
    let width = if *sidx.first()? == 0 { 4 } else { 8 };
    let (earliest, first_offset) = (
        big_endian(sidx, 12, width)?,
        big_endian(sidx, 12 + width, width)?,
    );
    let at = 12 + 2 * width + 2;
    let count = big_endian(sidx, at, 2)?;
    let references: Option<Vec<(u32, u32)>> = (0..count as usize)
        .map(|k| {
            let at = at + 2 + 12 * k;
            // The first bit says that it is another index.
            let size = u32_at(at)?;
            (size < 1 << 31).then_some((size, u32_at(at + 4)?))
        })
        .collect();
    Some(Index {
        timescale: u32_at(8).filter(|scale| *scale > 0)?,
        earliest,
        first_offset,
        references: references?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::boxed;
    use super::*;

    fn sidx(version: u8, first_reference: u32) -> Vec<u8> {
        let mut sidx = vec![version, 0, 0, 0];
        let u32s = |sidx: &mut Vec<u8>, numbers: &[u32]| {
            numbers.iter().for_each(|n| sidx.extend(n.to_be_bytes()));
        };
        u32s(&mut sidx, &[1, 12_800]);
        match version {
            0 => u32s(&mut sidx, &[5, 7]),
            _ => u32s(&mut sidx, &[0, 5, 0, 7]),
        }
        u32s(
            &mut sidx,
            &[2, first_reference, 25_600, 0x9000_0000, 90, 25_601, 0],
        );
        boxed(b"sidx", &sidx)
    }

    #[test]
    fn reads_both_versions() {
        for version in [0, 1] {
            let read = index(&[boxed(b"emsg", b"x"), sidx(version, 80)].concat());
            let expected = Index {
                timescale: 12_800,
                earliest: 5,
                first_offset: 7,
                references: vec![(80, 25_600), (90, 25_601)],
            };
            assert_eq!(read, Some(expected));
        }
    }

    #[test]
    fn leaves_what_is_cut_short_or_refers_to_further_indexes() {
        assert_eq!(index(&sidx(0, 0x8000_0050)), None);
        let whole = sidx(0, 80);
        assert_eq!(index(&whole[..whole.len() - 16]), None);
        assert_eq!(index(b""), None);
    }
}
