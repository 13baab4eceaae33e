//! Publishers and players against str0m's other side, on a virtual clock and a wire that loses what
//! it is told to lose.

mod client;

use std::time::Duration;

use bytes::Bytes;
use str0m::media::{Direction, MediaKind};
use weir_media::{
    codec::{AvcConfig, OpusConfig},
    live::tap::Track,
    unit::{Media, Timestamp, TrackConfig, TrackKind, Unit},
};

use self::client::Client;
use super::{offer::Purpose, peer::Over, player::Player, publisher::Publisher};
use crate::broadcast::tap::Tapped;

/// x264: 1280x720, High at level 3.1.
const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50,
    0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e,
    0x07, 0x8c, 0x18, 0xcb, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
const PICTURE: Duration = Duration::from_millis(40);
/// Bytes of a picture: three packets.
const PICTURE_LEN: usize = 3000;

fn avc() -> AvcConfig {
    AvcConfig::parse(Bytes::from_static(AVC_RECORD)).unwrap()
}

/// A picture behind start codes.
fn picture(number: u32, keyframe: bool) -> Vec<u8> {
    let header = if keyframe { 0x65 } else { 0x41 };
    let slice = [vec![header], vec![0x80 + number as u8 % 64; PICTURE_LEN]].concat();
    let mut stream = Vec::new();
    if keyframe {
        for set in avc().parameter_sets() {
            stream.extend([&[0, 0, 0, 1][..], set].concat());
        }
    }
    stream.extend([&[0, 0, 0, 1][..], &slice].concat());
    stream
}

/// Publishes 25 pictures a second and their sound for so long, with keyframes where they are asked
/// for alone; `lost` says which of the client's packets don't arrive.
fn publish(seconds: u32, mut lost: impl FnMut(u32, &[u8]) -> bool) -> Client<Publisher> {
    let media = [MediaKind::Video, MediaKind::Audio];
    let mut wire = Client::connect(
        &media,
        Direction::SendOnly,
        Purpose::Publish,
        Publisher::new,
    );
    for number in 0..seconds * 25 {
        let keyframe = wire.take_keyframe_request();
        wire.write(MediaKind::Video, &picture(number, keyframe));
        for _ in 0..2 {
            wire.write(MediaKind::Audio, &[0xfc, 0xff, 0xfe]);
        }
        wire.advance(PICTURE, |packet| lost(number, packet));
    }
    wire
}

#[test]
fn a_publisher_is_asked_for_a_keyframe_every_two_seconds() {
    let wire = publish(9, |_, _| false);
    let media = &wire.core.media;
    assert!(matches!(
        media.first(),
        Some(Media::Config(TrackConfig::Avc(_) | TrackConfig::Opus(_)))
    ));
    let pictures = wire.pictures();
    let keyframes: Vec<i64> = pictures
        .iter()
        .filter(|u| u.keyframe)
        .map(|u| u.dts.0)
        .collect();
    assert!((4..=5).contains(&keyframes.len()), "{keyframes:?}");
    for pair in keyframes.windows(2) {
        let step = Duration::from_millis((pair[1] - pair[0]) as u64 / 90);
        assert!((2000..=2200).contains(&step.as_millis()), "{step:?}");
    }
    for pair in pictures.windows(2) {
        assert_eq!(pair[1].dts.0 - pair[0].dts.0, 3600, "no picture is missing");
    }
    assert!(wire.core.counters().plis as usize >= keyframes.len());
    assert_eq!(wire.core.counters().frames_dropped, 0);
}

#[test]
fn what_is_lost_is_sent_again() {
    let mut lost = 0;
    let wire = publish(4, |number, packet| {
        // One packet of every tenth picture.
        let lose = number % 10 == 5 && packet.len() > 1000 && lost < number;
        if lose {
            lost = number;
        }
        lose
    });
    assert!(lost > 0, "something was lost");
    assert_eq!(wire.core.counters().frames_dropped, 0);
    let pictures = wire.pictures();
    assert!(
        pictures
            .windows(2)
            .all(|pair| pair[1].dts.0 - pair[0].dts.0 == 3600)
    );
}

#[test]
fn after_a_hole_nothing_comes_before_a_keyframe() {
    // A second in which nothing gets through, longer than packets are kept.
    let wire = publish(8, |number, packet| {
        (60..110).contains(&number) && packet[0] >= 128
    });
    let pictures = wire.pictures();
    let hole = pictures
        .windows(2)
        .position(|pair| pair[1].dts.0 - pair[0].dts.0 > 3600 * 10);
    let after = &pictures[hole.expect("there is a hole") + 1];
    assert!(
        after.keyframe,
        "the first picture after the hole is a keyframe"
    );
}

#[test]
fn a_publisher_without_media_is_given_up() {
    let media = [MediaKind::Video];
    let mut wire = Client::connect(
        &media,
        Direction::SendOnly,
        Purpose::Publish,
        Publisher::new,
    );
    for _ in 0..35 {
        wire.advance(Duration::from_secs(1), |_| false);
    }
    assert!(
        matches!(wire.core.over, Some(Over::NoMedia(_))),
        "{:?}",
        wire.core.over
    );
}

fn track(name: &str, height: u32, reorders: bool) -> Track {
    let config = AvcConfig { height, ..avc() };
    Track {
        rendition: name.parse().unwrap(),
        config: TrackConfig::Avc(config),
        reorders,
    }
}

fn opus() -> Track {
    let head = b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00";
    Track {
        rendition: "audio".parse().unwrap(),
        config: TrackConfig::Opus(OpusConfig::parse(Bytes::from_static(head)).unwrap()),
        reorders: false,
    }
}

fn tapped(name: &str, number: u32, keyframe: bool, composition: i64) -> Tapped {
    let header = if keyframe { 0x65 } else { 0x41 };
    let nal = [vec![header], vec![0x80 + number as u8 % 64; PICTURE_LEN]].concat();
    let data = [&(nal.len() as u32).to_be_bytes()[..], &nal].concat();
    let dts = i64::from(number) * 3600;
    let unit = Unit {
        kind: TrackKind::Video,
        dts: Timestamp(dts),
        pts: Timestamp(dts + composition),
        keyframe,
        data: data.into(),
    };
    Tapped::new(name.parse().unwrap(), Media::Unit(unit))
}

fn playing(tracks: &[Track]) -> Client<Player> {
    let media = [MediaKind::Video, MediaKind::Audio];
    Client::connect(&media, Direction::RecvOnly, Purpose::Play, |peer, _| {
        Player::new(peer, tracks).unwrap()
    })
}

#[test]
fn a_player_begins_and_goes_on_after_a_skip_with_a_keyframe() {
    let tracks = [track("source", 720, false), opus()];
    let mut wire = playing(&tracks);
    assert!(wire.core.keyframes_wanted > 0, "it asks at once");
    for number in 10..110 {
        if number == 60 {
            wire.core.skip(3);
        }
        let unit = tapped("source", number, number % 25 == 0, 0);
        wire.play(&unit, &tracks);
        wire.advance(PICTURE, |_| false);
    }
    let shown = wire.shown();
    let expected: Vec<u32> = (25..60).chain(75..110).collect();
    assert_eq!(shown, expected);
    assert_eq!(wire.core.frames_dropped(), 3);
}

#[test]
fn a_player_leaves_a_source_that_begins_to_reorder() {
    let before = [track("source", 1080, false), track("480p", 480, false)];
    let after = [track("source", 1080, true), before[1].clone()];
    let mut wire = playing(&before);
    for number in 0..100 {
        let reorders = number >= 30;
        let tracks = if reorders { &after } else { &before };
        let composition = if reorders { 7200 } else { 0 };
        let source = tapped("source", number, number % 25 == 0, composition);
        wire.play(&source, tracks);
        let rung = tapped("480p", number, number % 25 == 0, 0);
        wire.play(&rung, tracks);
        wire.advance(PICTURE, |_| false);
    }
    let expected: Vec<u32> = (0..30).chain(50..100).collect();
    assert_eq!(wire.shown(), expected);
}
