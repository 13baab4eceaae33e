use proptest::prelude::*;

use super::*;
use crate::codec::samples;

/// The start of a key frame as libvpx writes it for 854x480 in profile 0, and of the frame after.
const KEY_FRAME: &[u8] = &[
    0x82, 0x49, 0x83, 0x42, 0x00, 0x35, 0x50, 0x1d, 0xf6, 0x06, 0x38, 0x24,
];
const INTER_FRAME: &[u8] = &[0x86, 0x00, 0x40, 0x92, 0xf1, 0x21, 0x40, 0x04];
/// Of 1280x720 in profile 2, ten bits.
const KEY_FRAME_TEN_BITS: &[u8] = &[
    0x92, 0x49, 0x83, 0x42, 0x00, 0x27, 0xf8, 0x16, 0x7b, 0x03, 0x1c, 0x12,
];

fn parse(record: &[u8]) -> Result<Vp9Config, InvalidVp9> {
    Vp9Config::parse(Bytes::copy_from_slice(record), 854, 480)
}

#[test]
fn reads_what_libvpx_wrote() {
    let config = parse(samples::VPX_480P).unwrap();
    assert_eq!(config.rfc6381(), "vp09.00.30.08");
    assert_eq!((config.picture.width, config.picture.height), (854, 480));
    assert_eq!(config.picture.colour, None);
}

#[test]
fn writes_optional_fields_where_they_matter() {
    // Profile 2 at level 4.1, ten bits, 4:2:0, BT.2020 with PQ.
    let hdr = parse(&[2, 41, 0xa2, 9, 16, 9, 0, 0]).unwrap();
    assert_eq!(hdr.rfc6381(), "vp09.02.41.10.01.09.16.09.00");
    // Level undefined: that of 854x480.
    let undefined = parse(&[0, 0, 0x82, 1, 1, 1, 0, 0]).unwrap();
    assert_eq!(undefined.rfc6381(), "vp09.00.30.08");
}

#[test]
fn believes_in_rgb_only_with_full_chroma() {
    let remuxed = parse(&[0, 30, 0x82, 2, 2, 0, 0, 0]).unwrap();
    assert_eq!(
        (&remuxed.record[..], remuxed.picture.colour),
        (samples::VPX_480P, None)
    );
    let rgb = parse(&[1, 30, 0x87, 1, 13, 0, 0, 0]).unwrap();
    assert_eq!(rgb.rfc6381(), "vp09.01.30.08.03.01.13.00.01");
}

#[test]
fn finds_the_size_in_key_frames_alone() {
    assert_eq!(keyframe_size(KEY_FRAME), Some((854, 480)));
    assert_eq!(keyframe_size(KEY_FRAME_TEN_BITS), Some((1280, 720)));
    assert_eq!(keyframe_size(INTER_FRAME), None);
    assert_eq!(keyframe_size(&KEY_FRAME[..7]), None);
    assert_eq!(keyframe_size(&[]), None);
}

#[test]
fn refuses_what_cannot_be_packaged() {
    let check = |record: &[u8], error| assert_eq!(parse(record), Err(error));
    check(&[0; 7], InvalidVp9::Length(7));
    check(&[4, 10, 0x82, 2, 2, 2, 0, 0], InvalidVp9::Profile(4));
    check(&[0, 10, 0x92, 2, 2, 2, 0, 0], InvalidVp9::BitDepth(9));
    let record = Bytes::from_static(samples::VPX_480P);
    assert_eq!(
        Vp9Config::parse(record, 0, 480),
        Err(InvalidVp9::Size(0, 480))
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, record: [u8; 8], width: u32, height: u32) {
        if let Some((width, height)) = keyframe_size(&bytes) {
            prop_assert!((1..=1 << 16).contains(&width) && (1..=1 << 16).contains(&height));
        }
        let _ = parse(&bytes);
        let record = Bytes::copy_from_slice(&record);
        if let Ok(config) = Vp9Config::parse(record, width, height) {
            prop_assert!(config.rfc6381().starts_with("vp09."));
        }
    }
}
