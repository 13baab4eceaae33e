use proptest::prelude::*;

use super::*;

fn parse(asc: &[u8]) -> Result<AacConfig, InvalidAac> {
    AacConfig::parse(Bytes::copy_from_slice(asc))
}

#[test]
fn reads_common_configurations() {
    let check = |asc: &[u8], object_type, sample_rate, channels| {
        let config = parse(asc).unwrap();
        let read = (config.object_type, config.sample_rate, config.channels);
        assert_eq!(read, (object_type, sample_rate, channels), "{asc:02x?}");
    };
    check(&[0x11, 0x90], 2, 48_000, 2);
    check(&[0x12, 0x10], 2, 44_100, 2);
    check(&[0x12, 0x08, 0x56, 0xe5, 0x00], 2, 44_100, 1); // with an SBR extension, unused
    check(&[0x11, 0xb8], 2, 48_000, 8); // 7.1
    check(&[0x2b, 0x11, 0x88, 0x00], 5, 24_000, 2); // HE-AAC: core at half the rate
    // 44,100 Hz written out behind the escape index.
    check(&[0x17, 0x80, 0x56, 0x22, 0x10], 2, 44_100, 2);
}

#[test]
fn names_the_object_type() {
    assert_eq!(parse(&[0x11, 0x90]).unwrap().rfc6381(), "mp4a.40.2");
    assert_eq!(
        parse(&[0x2b, 0x11, 0x88, 0x00]).unwrap().rfc6381(),
        "mp4a.40.5"
    );
}

#[test]
fn refuses_what_cannot_be_packaged() {
    assert_eq!(parse(&[]), Err(InvalidAac::Truncated(0)));
    assert_eq!(parse(&[0x11]), Err(InvalidAac::Truncated(1)));
    assert_eq!(parse(&[0; 65]), Err(InvalidAac::TooLong(65)));
    assert_eq!(
        parse(&[0x09, 0x90]),
        Err(InvalidAac::ObjectType(1)),
        "AAC Main"
    );
    assert_eq!(
        parse(&[0x16, 0x90]),
        Err(InvalidAac::SampleRate(0)),
        "reserved index 13"
    );
    assert_eq!(
        parse(&[0x11, 0x80]),
        Err(InvalidAac::Channels(0)),
        "program config element"
    );
    assert_eq!(parse(&[0x11, 0x94]), Err(InvalidAac::ShortFrames));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(asc in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(config) = parse(&asc) {
            prop_assert!((7_350..=96_000).contains(&config.sample_rate));
            prop_assert!((1..=8).contains(&config.channels));
        }
    }
}
