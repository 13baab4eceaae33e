use super::{super::part_target::PartProfile, *};
use crate::{
    codec::{OpusConfig, samples},
    fmp4::read,
    unit::Timestamp,
};

/// One frame of CELT of 20 ms, and three of SILK of 20 ms.
const PACKET_20_MS: &[u8] = &[31 << 3, 1, 2, 3];
const PACKET_60_MS: &[u8] = &[9 << 3 | 3, 3, 1, 2];

#[test]
fn opus_packets_last_as_long_as_they_say() {
    let head = Bytes::from_static(samples::OPUS_STEREO);
    let config = TrackConfig::Opus(OpusConfig::parse(head).unwrap());
    let mut packager = TrackPackager::new(&config, Some(PartTarget::of(PartProfile::Standard)));
    let mut parts = Vec::new();
    let mut durations = Vec::new();
    let mut samples = 0;
    for i in 0..60 {
        let (data, duration) = match i % 4 {
            3 => (PACKET_60_MS, 2880),
            _ => (PACKET_20_MS, 960),
        };
        // The encoder's clock counts milliseconds, and each time a little too few.
        let ms = samples / 48 - i64::from(i % 3 == 1);
        let unit = Unit {
            kind: TrackKind::Audio,
            dts: Timestamp::from_ms(ms),
            pts: Timestamp::from_ms(ms),
            keyframe: true,
            data: Bytes::from_static(data),
        };
        parts.extend(packager.push(unit).unwrap());
        durations.push(duration);
        samples += i64::from(duration);
    }
    parts.extend(packager.finish(None, u64::MAX));
    let fragments = parts
        .iter()
        .flat_map(|part| read::fragments(&part.bytes).unwrap());
    let written: Vec<u32> = fragments
        .flat_map(|fragment| fragment.samples)
        .map(|sample| sample.duration)
        .collect();
    assert_eq!(written, durations);
    assert_eq!(packager.resyncs(), 0);
    assert_eq!(packager.timescale(), 48_000);
    let longest = parts.iter().map(|part| part.duration).max();
    assert!(longest <= Some(48 * 350), "{longest:?}");
}
