use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::codec::{AacConfig, AvcConfig};

const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50,
    0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e,
    0x07, 0x8c, 0x18, 0xcb, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];

fn avc() -> TrackConfig {
    TrackConfig::Avc(AvcConfig::parse(Bytes::from_static(AVC_RECORD)).unwrap())
}

fn aac() -> TrackConfig {
    TrackConfig::Aac(AacConfig::parse(Bytes::from_static(&[0x11, 0x90])).unwrap())
}

fn unit(kind: TrackKind, ticks: i64, keyframe: bool) -> Unit {
    Unit {
        kind,
        dts: Timestamp(ticks),
        pts: Timestamp(ticks),
        keyframe,
        data: Bytes::from_static(b"unit"),
    }
}

fn video(length: i64, interval: i64) -> LoopTrack {
    let times = (0..length).step_by(interval as usize);
    LoopTrack {
        config: avc(),
        units: times
            .map(|at| unit(TrackKind::Video, at, at == 0))
            .collect(),
        length: Timestamp(length),
    }
}

fn sound(frames: i64) -> LoopTrack {
    let times = (0..frames).map(|n| n * 1920);
    LoopTrack {
        config: aac(),
        units: times.map(|at| unit(TrackKind::Audio, at, true)).collect(),
        length: Timestamp(frames * 1920),
    }
}

#[test]
fn what_cannot_be_shown_again_and_again_is_refused() {
    let check = |change: fn(&mut LoopTrack), expected| {
        let mut track = video(180_000, 3000);
        change(&mut track);
        assert_eq!(SlateLoop::new(vec![track]), Err(expected));
    };
    assert_eq!(SlateLoop::new(Vec::new()), Err(InvalidLoop::Empty));
    let twice = vec![sound(94), sound(94)];
    assert_eq!(
        SlateLoop::new(twice),
        Err(InvalidLoop::Twice(TrackKind::Audio))
    );
    check(
        |track| track.length.0 = 0,
        InvalidLoop::Length(Timestamp(0)),
    );
    check(
        |track| track.length.0 = i64::MAX,
        InvalidLoop::Length(Timestamp(i64::MAX)),
    );
    check(
        |track| track.units.clear(),
        InvalidLoop::Keyframe(TrackKind::Video),
    );
    check(
        |track| track.units[0].keyframe = false,
        InvalidLoop::Keyframe(TrackKind::Video),
    );
    check(
        |track| track.units[3].dts.0 = 6000,
        InvalidLoop::Time(Timestamp(6000)),
    );
    check(
        |track| track.units[59].dts.0 = 180_000,
        InvalidLoop::Time(Timestamp(180_000)),
    );
    check(
        |track| track.units[3].pts.0 = 0,
        InvalidLoop::Time(Timestamp(9000)),
    );
    check(
        |track| track.units[1].kind = TrackKind::Audio,
        InvalidLoop::Kind(TrackKind::Video),
    );
    let units = (0..961).map(|at| unit(TrackKind::Video, at, at == 0));
    let mut track = video(180_000, 3000);
    track.units = units.collect();
    let too_large = InvalidLoop::TooLarge {
        units: 961,
        bytes: 4 * 961,
    };
    assert_eq!(SlateLoop::new(vec![track]), Err(too_large));
}

#[test]
fn the_beginning_of_a_group_that_is_too_large_is_kept() {
    let mut group = LastGroup::default();
    assert!(!group.is_enough());
    group.take(&Media::Config(aac()));
    assert!(!group.is_enough());
    group.take(&Media::Config(avc()));
    assert!(group.is_enough());
    let picture = |n: i64| Unit {
        data: Bytes::from(vec![0; 3 << 20]),
        ..unit(TrackKind::Video, n, n % 100 == 0)
    };
    for n in [7, 0, 1, 2, 3] {
        group.take(&Media::Unit(picture(n)));
    }
    assert_eq!(group.media().len(), 2 + 2, "two of 3 MiB");
    // A smaller one would refer to what is missing.
    group.take(&Media::Unit(unit(TrackKind::Video, 4, false)));
    assert_eq!(group.media().len(), 2 + 2);
    group.take(&Media::Unit(picture(100)));
    assert_eq!(group.media().len(), 2 + 1);
}

proptest! {
    /// However seldom it is asked, units come in order, each when it is due, and never stop.
    #[test]
    fn a_loop_goes_on_for_ever(
        length in 90_000_i64..=360_000,
        interval in 1500_i64..45_000,
        frames in 47_i64..180,
        steps in prop::collection::vec(1_i64..900_000, 1..20),
    ) {
        let (video, sound) = (video(length, interval), sound(frames));
        let (pictures, sounds) = (video.units.len() as i64, sound.units.len() as i64);
        let (sound_length, mut now) = (sound.length.0, 0);
        let mut player = Player::new(SlateLoop::new(vec![video, sound]).unwrap());
        let mut came = Vec::new();
        for step in steps {
            now += step;
            while let Some(unit) = player.take_due(now) {
                came.push(unit);
            }
            prop_assert!(player.next_due() > now);
        }
        prop_assert!(came.is_sorted_by_key(|unit| unit.dts));
        let rounds = |length: i64, count: i64, step: i64| {
            now / length * count + count.min(now % length / step + 1)
        };
        let of = |kind| came.iter().filter(move |unit| unit.kind == kind).count() as i64;
        prop_assert_eq!(of(TrackKind::Video), rounds(length, pictures, interval));
        prop_assert_eq!(of(TrackKind::Audio), rounds(sound_length, sounds, 1920));
    }
}
