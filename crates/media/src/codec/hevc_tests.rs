use proptest::prelude::*;

use super::*;
use crate::codec::{Colour, FrameRate, PixelAspect, samples};

fn parse(record: &[u8]) -> Result<HevcConfig, InvalidHevc> {
    HevcConfig::parse(Bytes::copy_from_slice(record))
}

#[test]
fn reads_what_x265_wrote() {
    let config = parse(samples::X265_480P_ANAMORPHIC).unwrap();
    assert_eq!(config.rfc6381(), "hvc1.1.6.L90.90");
    assert_eq!(
        config.picture,
        Picture {
            width: 854,
            height: 480,
            pixel_aspect: Some(PixelAspect {
                horizontal: 4,
                vertical: 3
            }),
            frame_rate: Some(FrameRate {
                numerator: 30_000,
                denominator: 1001
            }),
            colour: Some(Colour {
                matrix: 1,
                ..Colour::UNSPECIFIED
            }),
        }
    );
    assert_eq!(config.picture.display_width(), 1139);
    let types: Vec<u8> = config
        .parameter_sets()
        .map(|set| nal_type::of(set[0]))
        .collect();
    assert_eq!(types, [nal_type::VPS, nal_type::SPS, nal_type::PPS]);

    let hdr = parse(samples::X265_1080P_HDR).unwrap();
    assert_eq!(hdr.rfc6381(), "hvc1.2.4.L123.90");
    assert_eq!((hdr.picture.width, hdr.picture.height), (1920, 1080));
    assert_eq!(hdr.picture.frame_rate.map(FrameRate::as_f64), Some(60.0));
    let colour = hdr.picture.colour.unwrap();
    assert_eq!(
        (colour.primaries, colour.transfer, colour.matrix),
        (9, 16, 9)
    );
}

#[test]
fn promises_that_the_record_is_complete() {
    const FIRST_ARRAY: usize = 23;
    let told = samples::X265_480P_ANAMORPHIC;
    assert_eq!(told[FIRST_ARRAY], nal_type::VPS);
    let config = parse(told).unwrap();
    assert_eq!(config.record[FIRST_ARRAY], 0x80 | nal_type::VPS);
    assert_eq!(config.record.len(), told.len());
    assert_eq!(parse(&config.record), Ok(config));
}

#[test]
fn writes_spaces_tiers_and_constraints_of_codec_strings() {
    let mut record = samples::X265_480P_ANAMORPHIC.to_vec();
    // General profile space 1, high tier, profile 1; no constraint bytes.
    record[1] = 0x61;
    record[6..12].fill(0);
    assert_eq!(parse(&record).unwrap().rfc6381(), "hvc1.A1.6.H90");
    record[11] = 0x0f;
    assert_eq!(
        parse(&record).unwrap().rfc6381(),
        "hvc1.A1.6.H90.0.0.0.0.0.F"
    );
}

#[test]
fn bare_parameter_sets_make_the_record_that_an_encoder_writes() {
    for sample in [samples::X265_480P_ANAMORPHIC, samples::X265_1080P_HDR] {
        let theirs = parse(sample).unwrap();
        let set = |kind| {
            let mut sets = theirs.parameter_sets();
            sets.find(|set| nal_type::of(set[0]) == kind).unwrap()
        };
        let [vps, sps, pps] = [nal_type::VPS, nal_type::SPS, nal_type::PPS].map(set);
        let ours = HevcConfig::from_parameter_sets(vps, sps, pps).unwrap();
        assert_eq!(ours.picture, theirs.picture);
        assert_eq!(ours.rfc6381(), theirs.rfc6381());
        // Chroma format, bit depths; layers, nesting, length of lengths.
        assert_eq!(ours.record[16..19], theirs.record[16..19]);
        assert_eq!(ours.record[21], theirs.record[21]);
    }
}

#[test]
fn only_closed_gops_are_places_to_start() {
    let starts: Vec<u8> = (0..64)
        .filter(|&nal_type| nal_type::starts_closed_gop(nal_type))
        .collect();
    // BLA_W_RADL, BLA_N_LP, IDR_W_RADL, IDR_N_LP; neither BLA_W_LP (16) nor CRA (21).
    assert_eq!(starts, [17, 18, 19, 20]);
}

#[test]
fn refuses_what_cannot_be_packaged() {
    let good = samples::X265_480P_ANAMORPHIC;
    let changed = |at: usize, value: u8| {
        let mut record = good.to_vec();
        record[at] = value;
        parse(&record)
    };
    assert_eq!(parse(&[]), Err(InvalidHevc::Truncated(0)));
    assert_eq!(changed(0, 2), Err(InvalidHevc::Version(2)));
    assert_eq!(
        changed(NAL_LENGTH_SIZE_AT, 0x0d),
        Err(InvalidHevc::NalLengthSize(2))
    );
    // The video parameter set is called something else.
    assert_eq!(
        changed(28, 39 << 1),
        Err(InvalidHevc::MissingSet(nal_type::VPS))
    );
    assert!(matches!(
        parse(&good[..good.len() - 1]),
        Err(InvalidHevc::Truncated(_))
    ));
    let long = vec![0; MAX_RECORD_LEN + 1];
    assert_eq!(parse(&long), Err(InvalidHevc::TooLong(long.len())));
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_refused(bytes: Vec<u8>) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_parameter_sets_are_a_record_or_refused(sets: [Vec<u8>; 3]) {
        let [vps, sps, pps] = sets;
        let _ = HevcConfig::from_parameter_sets(&vps, &sps, &pps);
    }

    #[test]
    fn damaged_records_are_read_or_refused(
        at: prop::sample::Index,
        value: u8,
        cut: prop::sample::Index,
    ) {
        for sample in [samples::X265_480P_ANAMORPHIC, samples::X265_1080P_HDR] {
            let mut record = sample.to_vec();
            record[at.index(sample.len())] = value;
            record.truncate(cut.index(sample.len()) + 1);
            if let Ok(config) = parse(&record) {
                prop_assert!(config.picture.width > 0 && config.picture.height > 0);
                prop_assert!(config.rfc6381().starts_with("hvc1."));
                prop_assert_eq!(parse(&config.record), Ok(config));
            }
        }
    }
}
