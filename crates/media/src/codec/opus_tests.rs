use proptest::prelude::*;

use super::*;
use crate::codec::samples;

fn parse(head: &[u8]) -> Result<OpusConfig, InvalidOpus> {
    OpusConfig::parse(Bytes::copy_from_slice(head))
}

#[test]
fn reads_what_libopus_wrote() {
    let stereo = parse(samples::OPUS_STEREO).unwrap();
    assert_eq!((stereo.channels, stereo.pre_skip), (2, 312));
    assert_eq!(stereo.rfc6381(), "Opus");
    let surround = parse(samples::OPUS_SURROUND).unwrap();
    assert_eq!(surround.channels, 6);
}

#[test]
fn writes_the_specific_box_big_endian() {
    let stereo = parse(samples::OPUS_STEREO).unwrap();
    assert_eq!(
        stereo.specific_box()[..],
        [0, 2, 0x01, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0]
    );
    for sample in [samples::OPUS_STEREO, samples::OPUS_SURROUND] {
        let config = parse(sample).unwrap();
        let read = OpusConfig::from_specific_box(&config.specific_box());
        assert_eq!(read, Ok(config));
    }
}

#[test]
fn tells_how_long_packets_are() {
    let check = |packet: &[u8], samples| assert_eq!(packet_samples(packet), samples);
    // One frame: SILK of 10 to 60 ms, hybrid of 10 and 20 ms, CELT of 2.5 to 20 ms.
    let single = |config: u8| [config << 3];
    for (first, lengths) in [
        (0, &[480, 960, 1920, 2880][..]),
        (8, &[480, 960, 1920, 2880]),
        (12, &[480, 960]),
        (14, &[480, 960]),
        (16, &[120, 240, 480, 960]),
        (28, &[120, 240, 480, 960]),
    ] {
        for (config, length) in (first..).zip(lengths) {
            check(&single(config), Some(*length));
        }
    }
    check(&[31 << 3 | 1], Some(1920));
    check(&[31 << 3 | 2], Some(1920));
    check(&[31 << 3 | 3, 0xc0 | 6], Some(5760));
    check(&[31 << 3 | 3, 7], None);
    check(&[31 << 3 | 3, 0], None);
    check(&[31 << 3 | 3], None);
    check(&[], None);
}

#[test]
fn refuses_what_cannot_be_packaged() {
    let changed = |at: usize, value: u8| {
        let mut head = samples::OPUS_STEREO.to_vec();
        head[at] = value;
        parse(&head)
    };
    assert_eq!(changed(0, b'o'), Err(InvalidOpus::Magic));
    assert_eq!(changed(8, 16), Err(InvalidOpus::Version(16)));
    for (channels, family) in [(0, 0), (3, 0), (0, 1), (9, 1), (2, 255)] {
        let mut head = samples::OPUS_STEREO.to_vec();
        (head[9], head[18]) = (channels, family);
        assert_eq!(
            parse(&head),
            Err(InvalidOpus::Channels { channels, family })
        );
    }
    let short = &samples::OPUS_SURROUND[..26];
    assert_eq!(parse(short), Err(InvalidOpus::Length(26)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = parse(&bytes);
        let _ = OpusConfig::from_specific_box(&bytes);
        let _ = packet_samples(&bytes);
        let head = [&b"OpusHead"[..], &bytes].concat();
        if let Ok(config) = parse(&head) {
            let read = OpusConfig::from_specific_box(&config.specific_box()).unwrap();
            prop_assert_eq!((read.channels, read.pre_skip), (config.channels, config.pre_skip));
        }
    }
}
