//! Transport streams of a few packets, written here. `tests/ts.rs` reads real ones.

mod muxer;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;
use weir_media::unit::{Media, TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit};

use self::muxer::{AUDIO, MAP, Muxer, VIDEO, adts_frame, picture, slice};
use super::{packet::LEN, *};

const FRAME: u64 = 3600;

fn run(stream: &[u8], cut: usize) -> (Vec<Event>, Demuxer) {
    let now = Instant::now();
    let mut demuxer = Demuxer::default();
    let mut events = Vec::new();
    for piece in stream.chunks(cut) {
        demuxer.handle_input(now, piece);
        events.extend(std::iter::from_fn(|| demuxer.poll_event()));
    }
    demuxer.finish(now);
    events.extend(std::iter::from_fn(|| demuxer.poll_event()));
    (events, demuxer)
}

fn units(events: &[Event], kind: TrackKind) -> Vec<&Unit> {
    let unit = |event| match event {
        &Event::Media(Media::Unit(ref unit)) if unit.kind == kind => Some(unit),
        _ => None,
    };
    events.iter().filter_map(unit).collect()
}

fn configs(events: &[Event]) -> Vec<&TrackConfig> {
    let config = |event| match event {
        &Event::Media(Media::Config(ref config)) => Some(config),
        _ => None,
    };
    events.iter().filter_map(config).collect()
}

fn refused(events: &[Event]) -> Vec<&str> {
    let mut refused = Vec::new();
    for event in events {
        if let Event::Refused { what, .. } = event {
            refused.push(what.as_str());
        }
    }
    refused
}

/// Pictures at their rate, an IDR every ten, each large enough for several packets, and sound
/// with each.
fn film(pictures: u64) -> Muxer {
    let mut muxer = Muxer::new(&[(0x1b, VIDEO, &[]), (0x0f, AUDIO, &[])]);
    for i in 0..pictures {
        let at = 90_000 + i * FRAME;
        muxer.video(at, at, &picture(i % 10 == 0, i as u8, 1000));
        muxer.audio(Some(at), &adts_frame(i as u8, 300));
    }
    muxer
}

#[test]
fn access_units_and_frames_come_out_as_they_are() {
    let stream = film(20).out;
    let (events, demuxer) = run(&stream, 1316);
    let configs = configs(&events);
    let [TrackConfig::Aac(aac), TrackConfig::Avc(avc)] = configs[..] else {
        panic!("{configs:?}");
    };
    assert_eq!((avc.width, avc.height), (320, 180));
    assert_eq!(
        (aac.sample_rate, aac.channels, &aac.asc[..]),
        (44_100, 2, &[0x12, 0x10][..])
    );
    let video = units(&events, TrackKind::Video);
    assert_eq!(video.len(), 20);
    for (i, unit) in (0..).zip(video) {
        let slice = slice(i % 10 == 0, i as u8, 1000);
        assert_eq!(unit.keyframe, i % 10 == 0);
        assert_eq!(unit.data[..4], (slice.len() as u32).to_be_bytes());
        assert_eq!(unit.data[4..], slice);
        assert_eq!(unit.dts, Timestamp((90_000 + i * FRAME) as i64));
    }
    let audio = units(&events, TrackKind::Audio);
    assert_eq!(audio.len(), 20);
    for (i, unit) in (0..).zip(audio) {
        assert_eq!(unit.data, vec![i; 300]);
    }
    assert_eq!(demuxer.damage(), Damage::default());
    assert_eq!(demuxer.repairs(), Default::default());
}

#[test]
fn packets_are_found_again_after_garbage() {
    let film = film(60).out;
    let mut stream = b"GET / HTTP/1.1\r\n\r\nGG".to_vec();
    for (i, packets) in film.chunks(LEN * 7).enumerate() {
        stream.extend_from_slice(packets);
        if i < 20 {
            stream.extend(vec![0x47; i % 5 * 40]);
        }
    }
    let (events, demuxer) = run(&stream, 1000);
    assert!(demuxer.damage().lost_step > 0);
    let video = units(&events, TrackKind::Video);
    let last: Vec<_> = video
        .iter()
        .rev()
        .take(30)
        .map(|unit| unit.data[20])
        .collect();
    assert_eq!(last, (30..60).rev().collect::<Vec<u8>>());
}

#[test]
fn an_error_in_a_table_is_noticed_and_the_next_table_used() {
    let mut muxer = Muxer::new(&[(0x1b, VIDEO, &[])]);
    let broken = muxer.out.len() - LEN + 20;
    muxer.out[broken] ^= 1;
    muxer.video(0, 0, &picture(true, 1, 100));
    muxer.tables();
    muxer.video(FRAME, FRAME, &picture(true, 2, 100));
    let (events, demuxer) = run(&muxer.out, LEN);
    assert_eq!(units(&events, TrackKind::Video).len(), 1);
    assert_eq!(demuxer.damage().tables, 1);
}

#[test]
fn a_map_that_changes_is_followed() {
    let mut muxer = film(10);
    muxer.map(&[(0x0f, AUDIO, &[]), (0x1b, VIDEO + 7, &[])]);
    let at = 90_000 + 10 * FRAME;
    muxer.pes(
        VIDEO + 7,
        0xe0,
        Some(at),
        None,
        &picture(true, 77, 500),
        false,
    );
    let (events, _) = run(&muxer.out, LEN);
    let video = units(&events, TrackKind::Video);
    assert_eq!(video.last().map(|unit| unit.data[20]), Some(77));
    assert_eq!(
        video.len(),
        10,
        "the last picture of the old stream never ended"
    );
    assert_eq!(units(&events, TrackKind::Audio).len(), 10);
}

#[test]
fn a_map_may_be_longer_than_a_packet() {
    let private: Vec<_> = (0..60)
        .map(|i| (0x86, 0x200 + i, &[5, 4, 1, 2, 3, 4][..]))
        .collect();
    let streams = [&private[..], &[(0x1b, VIDEO, &[][..])]].concat();
    let mut muxer = Muxer::new(&streams);
    muxer.video(0, 0, &picture(true, 1, 100));
    let (events, demuxer) = run(&muxer.out, 77);
    assert_eq!(units(&events, TrackKind::Video).len(), 1);
    assert!(refused(&events).iter().all(|what| *what == "SCTE-35 cues"));
    assert_eq!(demuxer.damage(), Damage::default());
}

#[test]
fn what_is_not_taken_is_named_once() {
    let streams: [(u8, u16, &[u8]); 6] = [
        (0x1b, VIDEO, &[]),
        (0x21, 0x120, &[]),
        (0x06, 0x121, b"\x0a\x04eng\0\x05\x04AC-3"),
        (0x06, 0x122, &[0x56, 0]),
        (0xee, 0x123, &[]),
        (0x1b, 0x124, &[]),
    ];
    let mut muxer = Muxer::new(&streams);
    for _ in 0..3 {
        muxer.tables();
        muxer.map(&streams[..3]);
    }
    let (events, _) = run(&muxer.out, LEN);
    let expected = [
        "JPEG 2000",
        "AC-3",
        "teletext",
        "of stream type 0xee",
        "a further video stream",
    ];
    assert_eq!(refused(&events), expected);
}

#[test]
fn the_clock_wraps() {
    let mut muxer = Muxer::new(&[(0x1b, VIDEO, &[]), (0x0f, AUDIO, &[])]);
    let first = (1 << 33) - 5 * FRAME;
    for i in 0..10 {
        let at = (first + i * FRAME) & ((1 << 33) - 1);
        let shown = (at + 2 * FRAME) & ((1 << 33) - 1);
        muxer.video(shown, at, &picture(i == 0, i as u8, 100));
        muxer.audio(Some(at), &adts_frame(i as u8, 100));
    }
    let (events, demuxer) = run(&muxer.out, LEN);
    for kind in [TrackKind::Video, TrackKind::Audio] {
        for (i, unit) in (0..).zip(units(&events, kind)) {
            assert_eq!(unit.dts, Timestamp((first + i * FRAME) as i64));
            let composition = if kind == TrackKind::Video {
                2 * FRAME
            } else {
                0
            };
            assert_eq!(unit.pts.0 - unit.dts.0, composition as i64);
        }
    }
    assert!(demuxer.repairs().wraps >= 1);
    assert_eq!(
        demuxer.repairs().forward_jumps + demuxer.repairs().backward_jumps,
        0
    );
}

#[test]
fn frames_of_sound_may_share_a_pes_packet_or_go_over_its_end() {
    let frames: Vec<u8> = (0..12)
        .flat_map(|i| adts_frame(i, 100 + usize::from(i)))
        .collect();
    // The first frame that begins in each piece, by where pieces are cut.
    let mut muxer = Muxer::new(&[(0x0f, AUDIO, &[])]);
    let samples = |frame: u64| frame * 1024 * 90_000 / 44_100;
    let begins: Vec<usize> = (0..12)
        .scan(0, |at, i| {
            let begin = *at;
            *at += 107 + i;
            Some(begin)
        })
        .collect();
    let cuts = [0, 300, 301, 700, 1200, frames.len()];
    for piece in cuts.windows(2) {
        let first = begins
            .iter()
            .position(|begin| (piece[0]..piece[1]).contains(begin));
        muxer.audio(
            first.map(|i| 1000 + samples(i as u64)),
            &frames[piece[0]..piece[1]],
        );
    }
    let (events, demuxer) = run(&muxer.out, LEN);
    let audio = units(&events, TrackKind::Audio);
    assert_eq!(audio.len(), 12);
    for (i, unit) in (0u8..).zip(audio) {
        assert_eq!(unit.data, vec![i; 100 + usize::from(i)]);
        let expected = (1000 + samples(i.into())) as i64;
        assert!(
            (unit.dts.0 - expected).abs() <= 1,
            "frame {i}: {} for {expected}",
            unit.dts.0
        );
    }
    assert_eq!(demuxer.damage(), Damage::default());
}

#[test]
fn sound_is_found_again_after_bytes_that_are_no_frame() {
    let mut muxer = Muxer::new(&[(0x0f, AUDIO, &[])]);
    muxer.audio(
        Some(1000),
        &[adts_frame(1, 100), vec![0xff; 50], adts_frame(2, 90)].concat(),
    );
    muxer.audio(Some(9000), &adts_frame(3, 80));
    let (events, demuxer) = run(&muxer.out, LEN);
    let lengths: Vec<_> = units(&events, TrackKind::Audio)
        .iter()
        .map(|unit| unit.data.len())
        .collect();
    assert_eq!(lengths, [100, 90, 80]);
    assert_eq!(demuxer.damage().frames, 1);
}

#[test]
fn a_repeated_packet_is_taken_once() {
    let film = film(10).out;
    let doubled: Vec<u8> = film
        .chunks(LEN)
        .flat_map(|packet| [packet, packet].concat())
        .collect();
    assert_eq!(run(&doubled, LEN).0, run(&film, LEN).0);
}

/// The film without the packets of one picture, but for those that are kept.
fn without(film: &[u8], nth_picture: usize, keep: impl Fn(usize) -> bool) -> Vec<u8> {
    let (mut pictures, mut packets) = (0, 0);
    let mut stream = Vec::new();
    for packet in film.chunks(LEN) {
        if u16::from_be_bytes([packet[1] & 0x1f, packet[2]]) == VIDEO {
            if packet[1] & 0x40 != 0 {
                pictures += 1;
                packets = 0;
            }
            packets += 1;
            if pictures == nth_picture + 1 && !keep(packets) {
                continue;
            }
        }
        stream.extend_from_slice(packet);
    }
    stream
}

#[test]
fn after_a_hole_pictures_wait_for_the_next_idr() {
    let film = film(30).out;
    for keep in [0, 1] {
        let stream = without(&film, 13, |nth| nth == keep);
        let (events, demuxer) = run(&stream, LEN);
        let video = units(&events, TrackKind::Video);
        let seen: Vec<_> = video.iter().map(|unit| unit.data[20]).collect();
        assert_eq!(
            seen,
            [(0..13).collect::<Vec<u8>>(), (20..30).collect()].concat()
        );
        assert_eq!(units(&events, TrackKind::Audio).len(), 30, "sound goes on");
        let damage = demuxer.damage();
        assert_eq!((damage.holes, damage.awaiting_keyframe), (1, 6));
        assert_eq!(
            damage.frames, keep as u64,
            "a picture of which something came"
        );
    }
}

#[test]
fn pictures_without_idrs_do_not_wait_for_ever() {
    let mut muxer = Muxer::new(&[(0x1b, VIDEO, &[])]);
    let seconds = |s: u64| s * u64::from(TIMESCALE);
    for i in 0..200 {
        muxer.video(i * FRAME, i * FRAME, &picture(i == 0, i as u8, 300));
    }
    let stream = without(&muxer.out, 20, |_| false);
    let (events, demuxer) = run(&stream, LEN);
    let waited = seconds(MAX_KEYFRAME_WAIT) / FRAME;
    assert_eq!(demuxer.damage().awaiting_keyframe, waited);
    assert_eq!(
        units(&events, TrackKind::Video).len() as u64,
        200 - 1 - waited
    );
}

#[test]
fn a_hole_in_the_sound_costs_the_frames_in_it() {
    let mut muxer = Muxer::new(&[(0x0f, AUDIO, &[])]);
    for i in 0..10 {
        muxer.audio(Some(i * 2089), &adts_frame(i as u8, 300));
    }
    // The fourth frame's second packet.
    let tables = 2;
    let lost = LEN * (tables + 3 * 2 + 1);
    muxer.out.drain(lost..lost + LEN);
    let (events, demuxer) = run(&muxer.out, LEN);
    let seen: Vec<_> = units(&events, TrackKind::Audio)
        .iter()
        .map(|unit| unit.data[0])
        .collect();
    assert_eq!(seen, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert_eq!((demuxer.damage().holes, demuxer.damage().frames), (1, 1));
}

#[test]
fn a_pes_packet_without_end_is_given_up() {
    let mut muxer = Muxer::new(&[(0x1b, VIDEO, &[])]);
    muxer.video(0, 0, &vec![0xaa; MAX_PES_LEN + 1]);
    muxer.video(FRAME, FRAME, &picture(true, 1, 100));
    let (events, demuxer) = run(&muxer.out, 64 * 1024);
    assert_eq!(units(&events, TrackKind::Video).len(), 1);
    assert_eq!(demuxer.damage().frames, 1);
}

#[test]
fn a_scrambled_or_damaged_packet_is_not_used() {
    for (at, mask) in [(3, 0xc0), (1, 0x80), (3, 0x00)] {
        let mut film = film(12).out;
        // The one after the tables and a video packet.
        let packet = &mut film[LEN * 3..LEN * 4];
        if mask == 0 {
            // Neither payload nor adaptation field.
            packet[3] &= 0x0f;
        } else {
            packet[at] |= mask;
        }
        let (events, demuxer) = run(&film, LEN);
        assert_eq!(demuxer.damage().packets, 1);
        assert_eq!(units(&events, TrackKind::Video)[0].data[20], 10);
    }
}

#[test]
fn sound_that_browsers_cannot_play_is_refused_with_the_reason() {
    let mut muxer = Muxer::new(&[(0x0f, AUDIO, &[])]);
    let mut main_profile = adts_frame(1, 50);
    main_profile[2] &= 0x3f;
    muxer.audio(Some(0), &main_profile);
    let (events, _) = run(&muxer.out, LEN);
    let expected = "MPEG-4 audio object type 1 is not supported, only AAC-LC and HE-AAC";
    assert_eq!(refused(&events), [expected]);
}

fn film_data() -> (Vec<u8>, Vec<Bytes>) {
    let film = film(40).out;
    let (events, _) = run(&film, LEN);
    let all = [TrackKind::Video, TrackKind::Audio]
        .iter()
        .flat_map(|kind| units(&events, *kind))
        .map(|unit| unit.data.clone())
        .collect();
    (film, all)
}

proptest! {
    #[test]
    fn any_bytes_are_survived(stream: Vec<u8>, packets in prop::collection::vec(
        (0u16..3, any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..184)), 0..30)
    ) {
        run(&stream, 100);
        // Packets of the PIDs that matter, with anything in them.
        let mut muxer = film(3);
        for (pid, flags, control, payload) in packets {
            let pid = [MAP, VIDEO, AUDIO][usize::from(pid)];
            let mut packet = vec![0x47, flags & 0x40 | (pid >> 8) as u8, pid as u8, control];
            packet.extend(payload);
            packet.resize(LEN, 0xff);
            muxer.out.extend(packet);
        }
        run(&muxer.out, LEN);
    }

    /// Whatever the network loses, what comes out is what went in, in order and with rising times.
    #[test]
    fn any_loss_leaves_whole_frames(
        lost in prop::collection::vec((0usize..300, 1usize..20), 0..12),
        cut in 1usize..2000,
    ) {
        let (film, all) = film_data();
        let is_lost = |i: usize| lost.iter().any(|(at, count)| (*at..at + count).contains(&i));
        let mut in_a_row = BTreeMap::<u16, usize>::new();
        let mut packets = Vec::new();
        for (i, packet) in film.chunks(LEN).enumerate() {
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            let in_a_row = in_a_row.entry(pid).or_default();
            // A counter of four bits does not show the loss of sixteen packets of a stream.
            if is_lost(i) && *in_a_row < 15 {
                *in_a_row += 1;
            } else {
                *in_a_row = 0;
                packets.push(packet);
            }
        }
        let stream = packets.concat();
        let (events, demuxer) = run(&stream, cut);
        for kind in [TrackKind::Video, TrackKind::Audio] {
            let units = units(&events, kind);
            for unit in &units {
                prop_assert!(all.contains(&unit.data));
            }
            for pair in units.windows(2) {
                prop_assert!(pair[0].dts < pair[1].dts);
            }
        }
        prop_assert_eq!(demuxer.repairs().raised, 0);
        prop_assert_eq!(run(&stream, LEN).0, events, "bytes mean the same however they are cut");
    }
}

#[test]
fn a_silence_of_the_encoder_is_a_gap() {
    let mut demuxer = Demuxer::default();
    let now = Instant::now();
    let mut muxer = Muxer::new(&[(0x0f, AUDIO, &[])]);
    muxer.audio(Some(0), &adts_frame(1, 50));
    demuxer.handle_input(now, &std::mem::take(&mut muxer.out));
    muxer.audio(Some(90_000 * 8), &adts_frame(2, 50));
    demuxer.handle_input(now + Duration::from_secs(8), &muxer.out);
    let events: Vec<_> = std::iter::from_fn(|| demuxer.poll_event()).collect();
    let times: Vec<_> = units(&events, TrackKind::Audio)
        .iter()
        .map(|unit| unit.dts.0)
        .collect();
    assert_eq!(times, [0, 90_000 * 8]);
    assert_eq!(demuxer.repairs(), Default::default());
}
