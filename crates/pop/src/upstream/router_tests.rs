use proptest::prelude::*;
use weir_model::{
    Epoch,
    edge::{Lease, Leases},
};

use super::*;

const LIVE: &str = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7";

fn member(name: &str, role: Role) -> Member {
    Member {
        name: name.to_owned(),
        role,
        weight: 1,
    }
}

/// Peers 0 to `shields` - 1 are shields, the rest are origins.
fn router(shields: usize, origins: usize) -> (Router, Instant) {
    let now = Instant::now();
    let shields = (0..shields).map(|n| member(&format!("s{n}"), Role::Shield));
    let origins = (0..origins).map(|n| member(&format!("o{n}"), Role::Origin));
    let members: Vec<_> = shields.chain(origins).collect();
    (Router::new(Policy::default(), &members, now), now)
}

fn held() -> Journey {
    Journey::new(Subject::of(LIVE), true)
}

fn brief() -> Journey {
    Journey::new(Subject::of(LIVE), false)
}

fn fall(router: &mut Router, id: PeerId, now: Instant) {
    while router.condition(id) != Condition::Down {
        router.failed(id, now);
    }
}

fn rise(router: &mut Router, id: PeerId, now: Instant) {
    while router.condition(id) != Condition::Up {
        router.answered(id, now);
    }
}

#[test]
fn a_shield_that_fails_is_followed_by_the_next_and_then_by_the_origin() {
    let (mut router, now) = router(3, 1);
    let mut journey = brief();
    let mut asked = Vec::new();
    while let Step::Ask(id) = router.next(&mut journey, now) {
        asked.push(id);
        router.failed(id, now);
    }
    assert_eq!(asked.len(), 4);
    assert_eq!(asked.last(), Some(&3), "the origin comes last");
    let mut again = brief();
    assert_eq!(
        router.next(&mut again, now),
        Step::Ask(asked[0]),
        "always the same first"
    );
}

#[test]
fn with_all_shields_down_the_origin_is_asked_directly() {
    let (mut router, now) = router(2, 1);
    fall(&mut router, 0, now);
    fall(&mut router, 1, now);
    assert_eq!(router.next(&mut brief(), now), Step::Ask(2));
    rise(&mut router, 0, now);
    assert_eq!(router.next(&mut brief(), now), Step::Ask(0));
}

#[test]
fn what_is_sent_on_goes_past_shields() {
    let (mut router, now) = router(2, 1);
    assert_eq!(router.next(&mut brief().direct(), now), Step::Ask(2));
}

#[test]
fn what_is_held_waits_for_the_origin_and_the_rest_fails_at_once() {
    let (mut router, now) = router(0, 1);
    fall(&mut router, 0, now);
    assert_eq!(router.next(&mut brief(), now), Step::GiveUp);
    let mut waiting: Vec<_> = (0..200).map(|_| held()).collect();
    for journey in &mut waiting {
        assert_eq!(router.next(journey, now), Step::AwaitPeer);
    }
    // One of them tries, then all go on, none of them at the cost of a retry.
    router.answered(0, now);
    let mut tries = 0;
    for journey in &mut waiting {
        tries += usize::from(router.next(journey, now) == Step::Ask(0));
    }
    assert_eq!(tries, 1);
    router.answered(0, now);
    let before = router.status()[0].retries_left;
    for journey in waiting.iter_mut().filter(|journey| journey.asked() == 0) {
        assert_eq!(router.next(journey, now), Step::Ask(0));
    }
    assert_eq!(router.status()[0].retries_left, before);
}

#[test]
fn attempts_are_spaced_out_and_bounded() {
    let (mut router, now) = router(0, 1);
    let mut journey = brief();
    assert_eq!(router.next(&mut journey, now), Step::Ask(0));
    router.failed(0, now);
    assert_eq!(router.next(&mut journey, now), Step::Pause(MIN_PAUSE));
    assert_eq!(router.next(&mut journey, now), Step::Ask(0));
    router.failed(0, now);
    assert_eq!(router.next(&mut journey, now), Step::GiveUp);

    let mut journey = held();
    let mut pauses = Vec::new();
    for _ in 0..6 {
        // Others succeed meanwhile, so that it stays up.
        router.answered(0, now);
        assert_eq!(router.next(&mut journey, now), Step::Ask(0));
        router.failed(0, now);
        let Step::Pause(pause) = router.next(&mut journey, now) else {
            panic!("no pause")
        };
        pauses.push(pause.as_millis());
    }
    assert_eq!(pauses, [50, 100, 200, 400, 500, 500]);
}

#[test]
fn videos_are_searched_for_once_and_denials_are_learned_from() {
    let (mut router, now) = router(0, 2);
    let Subject::Video(video) = Subject::of(LIVE) else {
        panic!("names a video")
    };
    let mut journey = held();
    assert_eq!(router.next(&mut journey, now), Step::Search(video));
    router.searched(video, Some(0), now);
    assert_eq!(router.next(&mut journey, now), Step::Ask(0));
    assert!(router.misdirected(&mut journey, 0));
    assert_eq!(router.next(&mut journey, now), Step::Search(video));
    let lease = Lease {
        video,
        epoch: Some(Epoch(1)),
    };
    router.directory_mut().told(
        1,
        Leases {
            version: 1,
            videos: vec![lease],
        },
    );
    assert_eq!(router.next(&mut journey, now), Step::Ask(1));
    assert!(!router.misdirected(&mut journey, 1), "once is enough");
    router.searched(video, None, now);
    assert_eq!(
        router.next(&mut held(), now),
        Step::Ask(0),
        "which says so itself"
    );
}

#[test]
fn shields_are_asked_for_unknown_videos_before_any_search() {
    let (mut router, now) = router(1, 2);
    let mut journey = brief();
    assert_eq!(router.next(&mut journey, now), Step::Ask(0));
    router.failed(0, now);
    assert!(matches!(router.next(&mut journey, now), Step::Search(_)));
}

#[test]
fn a_late_answer_is_asked_for_elsewhere() {
    let (mut router, now) = router(2, 1);
    let mut journey = held();
    let Step::Ask(first) = router.next(&mut journey, now) else {
        panic!("nobody to ask")
    };
    assert_eq!(
        router.late_after(first, Hedged::Position),
        None,
        "nothing is known yet"
    );
    for _ in 0..100 {
        router.took(first, Hedged::Position, Duration::from_millis(330));
    }
    let late = router.late_after(first, Hedged::Position).unwrap();
    assert!((600..900).contains(&late.as_millis()), "{late:?}");
    assert_eq!(router.late_after(first, Hedged::Part), None);
    assert_eq!(router.hedge(&mut journey, first, now), Some(1 - first));

    let (mut router, now) = self::router(0, 1);
    let mut journey = held();
    assert_eq!(router.next(&mut journey, now), Step::Ask(0));
    assert_eq!(
        router.hedge(&mut journey, 0, now),
        Some(0),
        "over another connection"
    );
}

#[test]
fn a_peer_without_rivals_is_probed_only_while_it_is_gone() {
    let (mut alone, now) = router(0, 1);
    let later = now + Duration::from_secs(60);
    assert!(alone.probes(later).is_empty());
    fall(&mut alone, 0, later);
    assert_eq!(alone.probes(later), [0]);
    assert!(alone.probes(later).is_empty(), "not twice");
    assert_eq!(alone.probes(later + Duration::from_millis(500)), [0]);
    let (mut two, now) = router(1, 1);
    assert!(two.probes(now).is_empty());
    assert_eq!(two.probes(now + Duration::from_secs(3)), [0, 1]);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Begin { held: bool },
    Answer { ok: bool },
    Late,
    Wait(u16),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any::<bool>().prop_map(|held| Event::Begin { held }),
        4 => any::<bool>().prop_map(|ok| Event::Answer { ok }),
        2 => Just(Event::Late),
        2 => (0_u16..300).prop_map(Event::Wait),
    ]
}

proptest! {
    /// Whatever happens, what goes out beyond first requests stays within the budgets: of all peers
    /// together 20 each at once, 10 each a second, and a fifth of the requests. What goes on after an
    /// outage counts as a first request.
    #[test]
    fn retries_and_hedges_are_bounded(events in prop::collection::vec(event(), 1..400)) {
        let (mut router, mut now) = router(2, 1);
        let began = now;
        let (mut first, mut further) = (0.0, 0.0);
        let mut under_way: Vec<(Journey, PeerId)> = Vec::new();
        for event in events {
            match event {
                Event::Begin { held } => {
                    let mut journey = Journey::new(Subject::of(LIVE), held);
                    if let Step::Ask(id) = router.next(&mut journey, now) {
                        first += 1.0;
                        under_way.push((journey, id));
                    }
                }
                Event::Answer { ok: true } => {
                    if let Some((_, id)) = under_way.pop() {
                        router.answered(id, now);
                    }
                }
                Event::Answer { ok: false } => {
                    if let Some((mut journey, id)) = under_way.pop() {
                        router.failed(id, now);
                        let resumed = journey.resumed;
                        if let Step::Ask(id) = router.next(&mut journey, now) {
                            if resumed { first += 1.0 } else { further += 1.0 }
                            under_way.push((journey, id));
                        }
                    }
                }
                Event::Late => {
                    if let Some((journey, id)) = under_way.last_mut()
                        && router.hedge(journey, *id, now).is_some()
                    {
                        further += 1.0;
                    }
                }
                Event::Wait(ms) => {
                    now += Duration::from_millis(u64::from(ms));
                    for id in router.probes(now) {
                        router.answered(id, now);
                    }
                }
            }
            let seconds = (now - began).as_secs_f64();
            prop_assert!(further <= 3.0 * (20.0 + 10.0 * seconds) + 0.2 * first);
        }
    }

    /// Nobody is sent to a peer that is down, and the steps of a request come to an end.
    #[test]
    fn peers_that_are_down_are_let_alone(down in prop::collection::vec(any::<bool>(), 4), held in any::<bool>()) {
        let (mut router, now) = router(3, 1);
        for (id, down) in down.iter().enumerate() {
            if *down {
                fall(&mut router, id, now);
            }
        }
        let mut journey = Journey::new(Subject::of(LIVE), held);
        for _ in 0..50 {
            match router.next(&mut journey, now) {
                Step::Ask(id) => {
                    prop_assert!(!down[id]);
                    router.answered(id, now);
                }
                Step::Pause(_) => {}
                Step::AwaitPeer => {
                    prop_assert!(held && down.iter().all(|down| *down));
                    break;
                }
                Step::GiveUp => {
                    prop_assert!(!held);
                    break;
                }
                Step::Search(_) => prop_assert!(false, "there is one origin"),
            }
        }
    }
}
