//! Writing boxes (ISO/IEC 14496-12 section 4.2).

use bytes::{BufMut, BytesMut};

/// A box's type.
pub(super) type FourCc = [u8; 4];

/// Writes a box whose size is what `content` wrote.
pub(super) fn put_box(out: &mut BytesMut, name: &FourCc, content: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(name);
    content(out);
    let size = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Writes a box with version and flags.
pub(super) fn put_full_box(
    out: &mut BytesMut,
    name: &FourCc,
    version: u8,
    flags: u32,
    content: impl FnOnce(&mut BytesMut),
) {
    put_box(out, name, |out| {
        out.put_u32(u32::from(version) << 24 | flags);
        content(out);
    });
}

/// The transformation that changes nothing (section 6.2.2).
pub(super) fn put_unity_matrix(out: &mut BytesMut) {
    for value in [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000] {
        out.put_u32(value);
    }
}
