use proptest::prelude::*;

use super::*;
use crate::codec::samples;

fn parse(record: &[u8]) -> Result<AvcConfig, InvalidAvc> {
    AvcConfig::parse(Bytes::copy_from_slice(record))
}

#[test]
fn reads_what_x264_writes() {
    let config = parse(samples::X264_720P).unwrap();
    assert_eq!((config.width, config.height), (1280, 720));
    assert_eq!(config.rfc6381(), "avc1.64001f");
    assert_eq!(
        config.frame_rate,
        Some(FrameRate {
            numerator: 30,
            denominator: 1
        })
    );
    let bt709 = Colour {
        primaries: 1,
        transfer: 1,
        matrix: 1,
        full_range: false,
    };
    assert_eq!(config.colour, Some(bt709));
    assert_eq!(
        config.pixel_aspect,
        Some(PixelAspect {
            horizontal: 1,
            vertical: 1
        })
    );
}

#[test]
fn crops_to_1080_lines_and_keeps_the_pixel_shape() {
    let config = parse(samples::X264_1080P_ANAMORPHIC).unwrap();
    assert_eq!((config.width, config.height), (1920, 1080));
    assert_eq!(
        config.pixel_aspect,
        Some(PixelAspect {
            horizontal: 4,
            vertical: 3
        })
    );
    assert_eq!(config.display_width(), 2560);
    assert_eq!(
        config.frame_rate,
        Some(FrameRate {
            numerator: 30_000,
            denominator: 1001
        })
    );
    assert_eq!(config.rfc6381(), "avc1.42c028");
}

#[test]
fn makes_the_record_that_the_muxer_made() {
    for record in [samples::X264_720P, samples::X264_1080P_ANAMORPHIC] {
        let config = parse(record).unwrap();
        let sets: Vec<_> = config.parameter_sets().collect();
        let made = AvcConfig::from_parameter_sets(sets[0], sets[1]).unwrap();
        assert_eq!(made, config);
    }
}

#[test]
fn refuses_what_cannot_be_packaged() {
    let changed = |at: usize, value: u8| {
        let mut record = samples::X264_720P.to_vec();
        record[at] = value;
        parse(&record)
    };
    assert_eq!(changed(0, 2), Err(InvalidAvc::Version(2)));
    assert_eq!(changed(4, 0xfd), Err(InvalidAvc::NalLengthSize(2)));
    assert_eq!(
        changed(7, 0xff),
        Err(InvalidAvc::Truncated(samples::X264_720P.len()))
    );
    assert_eq!(
        parse(&[1, 100, 0, 31, 0xff, 0xe0, 0]),
        Err(InvalidAvc::NoSps)
    );
    assert_eq!(
        parse(&[1; MAX_RECORD_LEN + 1]),
        Err(InvalidAvc::TooLong(MAX_RECORD_LEN + 1))
    );
    for len in 0..samples::X264_720P.len() - 4 {
        assert!(parse(&samples::X264_720P[..len]).is_err(), "{len} bytes");
    }
}

proptest! {
    #[test]
    fn any_record_is_read_or_refused(record: Vec<u8>) {
        let _ = parse(&record);
    }

    #[test]
    fn any_parameter_set_is_read_or_refused(sps: Vec<u8>, pps: Vec<u8>) {
        if let Ok(config) = AvcConfig::from_parameter_sets(&sps, &pps) {
            prop_assert!(config.width > 0 && config.height > 0);
            prop_assert_eq!(config.parameter_sets().collect::<Vec<_>>(), [&sps[..], &pps[..]]);
        }
    }

    #[test]
    fn a_damaged_record_is_read_or_refused(at in 0..samples::X264_720P.len(), value: u8) {
        let mut record = samples::X264_720P.to_vec();
        record[at] = value;
        if let Ok(config) = parse(&record) {
            prop_assert!(config.width > 0 && config.height > 0 && config.display_width() > 0);
        }
    }
}
