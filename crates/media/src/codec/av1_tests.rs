use proptest::prelude::*;

use super::*;
use crate::codec::samples;

/// The start of a keyframe as SVT-AV1 writes it for 854x480: temporal delimiter, sequence header,
/// frame; the frame cut to its first bytes.
const SVT_KEYFRAME: &[u8] = &[
    0x12, 0x00, 0x0a, 0x0c, 0x02, 0x00, 0x00, 0x25, 0x26, 0x35, 0x5e, 0xf8, 0x95, 0xf2, 0x00, 0x80,
    0x32, 0x04, 0x10, 0x00, 0x87, 0xe0,
];
/// The start of its second frame.
const SVT_INTER_FRAME: &[u8] = &[0x12, 0x00, 0x32, 0x04, 0x28, 0x08, 0x00, 0x40];

fn parse(record: &[u8]) -> Result<Av1Config, InvalidAv1> {
    Av1Config::parse(Bytes::copy_from_slice(record))
}

#[test]
fn reads_what_libaom_wrote() {
    let config = parse(samples::AOM_480P).unwrap();
    assert_eq!(config.rfc6381(), "av01.0.04M.08");
    assert_eq!((config.picture.width, config.picture.height), (854, 480));
    let hdr = parse(samples::AOM_1080P_HDR).unwrap();
    assert_eq!(hdr.rfc6381(), "av01.0.09M.10.0.110.09.16.09.0");
    assert_eq!((hdr.picture.width, hdr.picture.height), (1920, 1080));
}

#[test]
fn makes_the_record_of_a_sequence_header() {
    for sample in [samples::AOM_480P, samples::AOM_1080P_HDR] {
        const TYPE_AND_SIZE: usize = 2;
        let payload = &sample[HEADER_LEN + TYPE_AND_SIZE..];
        let made = Av1Config::from_sequence_header(payload).unwrap();
        assert_eq!(made.record, sample);
        assert!(made.has_sequence_header(payload));
    }
}

#[test]
fn finds_where_decoding_can_start() {
    let unit = TemporalUnit::read(&Bytes::from_static(SVT_KEYFRAME)).unwrap();
    assert!(unit.keyframe);
    assert_eq!(unit.data, SVT_KEYFRAME[2..], "the delimiter is gone");
    let header = unit.sequence_header.unwrap();
    assert_eq!(header, SVT_KEYFRAME[4..16]);
    let config = Av1Config::from_sequence_header(&header).unwrap();
    assert_eq!((config.picture.width, config.picture.height), (854, 480));

    let inter = TemporalUnit::read(&Bytes::from_static(SVT_INTER_FRAME)).unwrap();
    assert!(!inter.keyframe);
    // A key frame without its sequence header, and one that is not shown yet.
    let bare = Bytes::from_static(&SVT_KEYFRAME[16..]);
    assert!(!TemporalUnit::read(&bare).unwrap().keyframe);
    let mut hidden = SVT_KEYFRAME.to_vec();
    hidden[18] = 0x00;
    assert!(!TemporalUnit::read(&hidden.into()).unwrap().keyframe);
}

#[test]
fn refuses_what_cannot_be_packaged() {
    assert_eq!(parse(&[]), Err(InvalidAv1::NoSequenceHeader));
    assert_eq!(parse(&[0x81, 0]), Err(InvalidAv1::Truncated(2)));
    assert_eq!(parse(&[1, 0, 0, 0]), Err(InvalidAv1::Version(1)));
    assert_eq!(parse(&[0x81, 0, 0, 0]), Err(InvalidAv1::NoSequenceHeader));
    let short = &samples::AOM_480P[..samples::AOM_480P.len() - 1];
    assert!(matches!(
        parse(short),
        Err(InvalidAv1::Obu(InvalidObu::Size { size: 11, .. }))
    ));
    assert!(matches!(
        parse(&[0x81, 0, 0, 0, 0x0a, 1, 0]),
        Err(InvalidAv1::SequenceHeader(1))
    ));
    let unit = Bytes::from_static(&[0x80]);
    assert_eq!(
        TemporalUnit::read(&unit),
        Err(InvalidObu::Header { at: 0, byte: 0x80 })
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = parse(&bytes);
        let _ = Av1Config::from_sequence_header(&bytes);
        if let Ok(unit) = TemporalUnit::read(&Bytes::from(bytes.clone())) {
            prop_assert!(unit.data.len() <= bytes.len());
        }
    }

    #[test]
    fn damaged_records_are_read_or_refused(at: prop::sample::Index, value: u8) {
        for sample in [samples::AOM_480P, samples::AOM_1080P_HDR] {
            let mut record = sample.to_vec();
            record[at.index(sample.len())] = value;
            if let Ok(config) = parse(&record) {
                prop_assert!(config.picture.width > 0 && config.picture.height > 0);
                prop_assert!(config.rfc6381().starts_with("av01."));
            }
        }
    }
}
