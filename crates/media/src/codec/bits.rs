//! Reading bit by bit, most significant bit first.

/// A cursor over the bits of a byte string. Every read tells whether the bits were there.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = self.data.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// An unsigned number of up to 32 bits.
    pub(super) fn number(&mut self, bits: u32) -> Option<u32> {
        debug_assert!(bits <= 32);
        let mut value = 0u32;
        for _ in 0..bits {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    pub(super) fn skip(&mut self, bits: usize) -> Option<()> {
        self.position = self.position.checked_add(bits)?;
        (self.position <= self.data.len() * 8).then_some(())
    }

    /// `ue(v)` of ISO/IEC 14496-10 section 9.1.
    pub(super) fn unsigned_exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1u32 << zeros) - 1) + self.number(zeros)?)
    }

    /// `se(v)` of ISO/IEC 14496-10 section 9.1.1.
    pub(super) fn signed_exp_golomb(&mut self) -> Option<i32> {
        let code = i64::from(self.unsigned_exp_golomb()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { magnitude } else { -magnitude }).ok()
    }
}

/// The payload of a NAL unit of H.264 or HEVC: without the 3 of each 0, 0, 3 (ISO/IEC 14496-10
/// section 7.3.1).
pub(super) fn without_emulation_prevention(nal: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exp_golomb_codes() {
        // 1, 010, 011, 00100, 00101: 0, 1, 2, 3, 4 (ISO/IEC 14496-10 table 9-2).
        let data = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Bits::new(&data);
        let read: Vec<_> = (0..5)
            .map(|_| bits.unsigned_exp_golomb().unwrap())
            .collect();
        assert_eq!(read, [0, 1, 2, 3, 4]);
        let mut bits = Bits::new(&data);
        let read: Vec<_> = (0..5).map(|_| bits.signed_exp_golomb().unwrap()).collect();
        assert_eq!(read, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn ends_where_the_data_ends() {
        let mut bits = Bits::new(&[0xff]);
        assert_eq!(bits.number(8), Some(0xff));
        assert_eq!(bits.bit(), None);
        assert_eq!(Bits::new(&[0; 16]).unsigned_exp_golomb(), None);
        assert_eq!(Bits::new(&[0; 2]).skip(17), None);
    }
}
