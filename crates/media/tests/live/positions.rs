//! Blocking requests, position by position (draft-rfc8216bis section 6.2.5.2).

use weir_media::live::PlaylistAnswer;
use weir_model::{Msn, PartIndex, PlaylistPosition, Skip};

use crate::{
    encoder::Encoder,
    world::{Event, World},
};

#[derive(Debug, PartialEq)]
enum Answer {
    Ready,
    Wait,
    TooFar,
}

fn ask(world: &World, msn: u64, part: Option<u32>) -> Answer {
    let at = PlaylistPosition {
        msn: Msn(msn),
        part: part.map(PartIndex),
    };
    match world
        .live
        .playlist("source".parse().unwrap(), Some(at), Skip::No)
    {
        PlaylistAnswer::Ready(_) => Answer::Ready,
        PlaylistAnswer::Wait => Answer::Wait,
        PlaylistAnswer::TooFarAhead => Answer::TooFar,
        PlaylistAnswer::Unknown => panic!("no such rendition"),
    }
}

/// Segments 0 to 2 are complete, with six parts each; of segment 3 parts 0 and 1 are.
fn three_segments_and_two_parts() -> World {
    let mut world = World::new(Vec::new());
    world.schedule(0, Event::Publish);
    world.schedule_all(Encoder::default().run(0, 20, &mut 0));
    world.run_for(6800);
    world
}

#[test]
fn each_position_is_answered_when_it_is_there() {
    let world = three_segments_and_two_parts();
    let check = |msn, part, expected| {
        assert_eq!(ask(&world, msn, part), expected, "msn {msn}, part {part:?}");
    };
    check(0, None, Answer::Ready);
    check(2, Some(5), Answer::Ready);
    check(2, None, Answer::Ready);
    // Past the last part of segment 2: the first of segment 3.
    check(2, Some(6), Answer::Ready);
    check(2, Some(600), Answer::Ready);
    check(3, Some(0), Answer::Ready);
    check(3, Some(1), Answer::Ready);
    check(3, Some(2), Answer::Wait);
    check(3, Some(600), Answer::Wait);
    check(3, None, Answer::Wait);
    check(4, Some(0), Answer::Wait);
    check(4, None, Answer::Wait);
    check(5, None, Answer::TooFar);
    check(5, Some(0), Answer::TooFar);
    check(u64::MAX, None, Answer::TooFar);
    check(u64::MAX - 1, Some(u32::MAX), Answer::TooFar);
}

#[test]
fn a_position_past_the_last_part_waits_for_the_next_segment() {
    let mut world = three_segments_and_two_parts();
    assert_eq!(ask(&world, 3, Some(6)), Answer::Wait);
    world.run_for(1230); // 8.03 s: segment 3 is complete, part 0 of segment 4 is not
    assert_eq!(ask(&world, 3, None), Answer::Ready);
    assert_eq!(ask(&world, 3, Some(6)), Answer::Wait);
    world.run_for(320);
    assert_eq!(ask(&world, 3, Some(6)), Answer::Ready);
}

#[test]
fn an_ended_video_answers_every_position_with_the_whole_playlist() {
    let mut world = three_segments_and_two_parts();
    world.schedule(0, Event::End);
    world.run_for(10);
    for (msn, part) in [
        (0, None),
        (3, Some(60)),
        (9, None),
        (u64::MAX, Some(u32::MAX)),
    ] {
        assert_eq!(ask(&world, msn, part), Answer::Ready);
    }
    let whole = world
        .live
        .playlist("source".parse().unwrap(), None, Skip::Yes);
    let PlaylistAnswer::Ready(text) = whole else {
        panic!()
    };
    assert!(text.ends_with("#EXT-X-ENDLIST\n"));
    assert!(!text.contains("EXT-X-SKIP") && !text.contains("PRELOAD-HINT"));
}

#[test]
fn an_unknown_rendition_is_unknown() {
    let world = three_segments_and_two_parts();
    let answer = world.live.playlist("480p".parse().unwrap(), None, Skip::No);
    assert_eq!(answer, PlaylistAnswer::Unknown);
}
