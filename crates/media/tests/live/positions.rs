//! Blocking requests, position by position (draft-rfc8216bis section 6.2.5.2).

use weir_media::live::PositionAnswer;
use weir_model::{LiveEdge, Msn, PartIndex, PlaylistPosition, RenditionId, Skip};

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
    match world.live.reaches(source(), at) {
        PositionAnswer::Reached(_) | PositionAnswer::Passed => Answer::Ready,
        PositionAnswer::Wait => Answer::Wait,
        PositionAnswer::TooFarAhead => Answer::TooFar,
        PositionAnswer::Unknown => panic!("no such rendition"),
    }
}

fn source() -> RenditionId {
    "source".parse().unwrap()
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
    assert_eq!(world.live.edge(source()), None);
    let text = world.live.playlist(source(), Skip::Yes).unwrap();
    assert!(text.ends_with("#EXT-X-ENDLIST\n"));
    assert!(!text.contains("EXT-X-SKIP") && !text.contains("PRELOAD-HINT"));
}

#[test]
fn what_was_just_reached_has_one_spelling() {
    let world = three_segments_and_two_parts();
    let check = |msn, part: Option<u32>, expected: Option<(u64, Option<u32>)>| {
        let at = |msn, part: Option<u32>| PlaylistPosition {
            msn: Msn(msn),
            part: part.map(PartIndex),
        };
        let expected = match expected {
            Some((msn, part)) => PositionAnswer::Reached(at(msn, part)),
            None => PositionAnswer::Passed,
        };
        let answer = world.live.reaches(source(), at(msn, part));
        assert_eq!(answer, expected, "msn {msn}, part {part:?}");
    };
    check(3, Some(1), Some((3, Some(1))));
    check(2, None, Some((2, None)));
    check(2, Some(5), Some((2, Some(5))));
    check(2, Some(600), Some((3, Some(0))));
    check(1, None, None);
    check(1, Some(5), None);
    check(0, Some(0), None);
}

#[test]
fn the_live_edge_is_the_part_that_comes() {
    let world = three_segments_and_two_parts();
    let edge = world.live.edge(source()).unwrap();
    assert_eq!(
        edge,
        LiveEdge {
            msn: Msn(3),
            parts: 2
        }
    );
    // What the edge of an origin tells is what the origin itself goes by.
    for msn in 0..9 {
        let at = PlaylistPosition {
            msn: Msn(msn),
            part: None,
        };
        let answer = world.live.reaches(source(), at);
        let too_far = answer == PositionAnswer::TooFarAhead;
        assert_eq!(edge.is_too_far(at), too_far, "{msn}");
    }
}

#[test]
fn an_unknown_rendition_is_unknown() {
    let world = three_segments_and_two_parts();
    let rung = "480p".parse().unwrap();
    let at = PlaylistPosition {
        msn: Msn(0),
        part: None,
    };
    assert_eq!(world.live.reaches(rung, at), PositionAnswer::Unknown);
    assert_eq!(world.live.playlist(rung, Skip::No), None);
    assert_eq!(world.live.edge(rung), None);
}
