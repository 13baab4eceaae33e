//! What one session has done with one video, and what of it counts.
//!
//! The rules, in the order of the log:
//! - an event counts once, whatever number of times it is sent;
//! - a session views a video once;
//! - a session likes or dislikes a video, not both, and may take it back;
//! - a session never watched longer than the time between the earliest moment that it claims to
//!   have watched and the latest;
//! - a session that was silent for longer than a late event may take is forgotten.

use std::time::Duration;

use thiserror::Error;
use weir_model::WallTime;

use crate::{
    batch::{Event, MAX_AHEAD, MAX_LATE},
    cell::Rollup,
    schema::EventType,
    seqs::Seqs,
};

/// After this silence no event that was taken before can be taken again, because by then its
/// time lies too far back. What is known of the viewer has no more use.
pub const FORGOTTEN_AFTER: Duration = MAX_LATE.saturating_add(MAX_AHEAD);

/// The state behind the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Viewer {
    last_received: WallTime,
    viewed: bool,
    opinion: Option<Opinion>,
    watched: Watched,
    seqs: Seqs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opinion {
    Like,
    Dislike,
}

impl Opinion {
    fn event(self) -> EventType {
        match self {
            Self::Like => EventType::Like,
            Self::Dislike => EventType::Dislike,
        }
    }
}

/// Watch events claim the time before them. Claims that overlap can't all be true; the sum is
/// held to the span that the claims cover together. Claims that don't overlap are all counted, in
/// whatever order they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Watched {
    /// Earliest and latest moment claimed, Unix ms; equal before the first claim.
    from: u64,
    to: u64,
    /// What was counted, in ms.
    counted_ms: u64,
}

impl Watched {
    fn claim(&mut self, to: WallTime, ms: u32) -> u64 {
        let from = to.0.saturating_sub(ms.into());
        if self.from == self.to {
            (self.from, self.to) = (from, to.0);
        } else {
            (self.from, self.to) = (self.from.min(from), self.to.max(to.0));
        }
        let counted = u64::from(ms).min((self.to - self.from).saturating_sub(self.counted_ms));
        self.counted_ms += counted;
        counted
    }
}

impl Viewer {
    /// Takes an event that was received at `received`, and tells `count` what it adds. False for
    /// an event that was taken before.
    pub fn take(
        &mut self,
        event: &Event,
        received: WallTime,
        mut count: impl FnMut(EventType, Rollup),
    ) -> bool {
        if received.since(self.last_received) > FORGOTTEN_AFTER {
            *self = Self::default();
        }
        self.last_received = self.last_received.max(received);
        if !self.seqs.insert(event.seq) {
            return false;
        }
        match event.event {
            EventType::View if self.viewed => {}
            EventType::View => {
                self.viewed = true;
                count(EventType::View, Rollup { count: 1, sum: 0 });
            }
            EventType::Like => self.say(Opinion::Like, event.value != Some(0), count),
            EventType::Dislike => self.say(Opinion::Dislike, event.value != Some(0), count),
            EventType::Watch => {
                let counted = self.watched.claim(event.time, event.value.unwrap_or(0));
                if counted > 0 {
                    // Bounded by the value, which is a u32.
                    count(
                        EventType::Watch,
                        Rollup {
                            count: 1,
                            sum: counted as i64,
                        },
                    );
                }
            }
            other => {
                // Codes and states are no quantities.
                let sum = other.unit().and(event.value).map_or(0, i64::from);
                count(other, Rollup { count: 1, sum });
            }
        }
        true
    }

    /// When its last event was received.
    pub fn last_received(&self) -> WallTime {
        self.last_received
    }

    /// The state as bytes, for a store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![
            FORMAT,
            u8::from(self.viewed),
            match self.opinion {
                None => 0,
                Some(Opinion::Like) => 1,
                Some(Opinion::Dislike) => 2,
            },
        ];
        let Watched {
            from,
            to,
            counted_ms,
        } = self.watched;
        for number in [self.last_received.0, from, to, counted_ms] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        self.seqs.encode(&mut out);
        out
    }

    /// Reads the bytes of [`Viewer::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidViewer> {
        let invalid = InvalidViewer { len: bytes.len() };
        let (&[format, viewed, opinion], rest) = bytes.split_first_chunk().ok_or(invalid)?;
        let (numbers, seqs) = rest.split_at_checked(32).ok_or(invalid)?;
        let (numbers, _) = numbers.as_chunks();
        let number = |i: usize| u64::from_le_bytes(numbers[i]);
        let viewed = match (format, viewed) {
            (FORMAT, 0) => false,
            (FORMAT, 1) => true,
            _ => return Err(invalid),
        };
        let opinion = match opinion {
            0 => None,
            1 => Some(Opinion::Like),
            2 => Some(Opinion::Dislike),
            _ => return Err(invalid),
        };
        let watched = Watched {
            from: number(1),
            to: number(2),
            counted_ms: number(3),
        };
        if watched.from > watched.to {
            return Err(invalid);
        }
        let seqs = Seqs::decode(seqs).ok_or(invalid)?;
        Ok(Self {
            last_received: WallTime(number(0)),
            viewed,
            opinion,
            watched,
            seqs,
        })
    }

    fn say(&mut self, opinion: Opinion, holds: bool, mut count: impl FnMut(EventType, Rollup)) {
        let next = match (holds, self.opinion) {
            (true, _) => Some(opinion),
            (false, Some(held)) if held == opinion => None,
            (false, held) => held,
        };
        if next == self.opinion {
            return;
        }
        if let Some(dropped) = self.opinion {
            count(dropped.event(), Rollup { count: -1, sum: 0 });
        }
        if let Some(taken) = next {
            count(taken.event(), Rollup { count: 1, sum: 0 });
        }
        self.opinion = next;
    }
}

/// Version of the stored state.
const FORMAT: u8 = 1;

/// Bytes that are no viewer's state.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{len} bytes that are not a viewer's state of version 1")]
pub struct InvalidViewer {
    /// How many bytes there are.
    pub len: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_000_000_000;

    /// Takes the events in order and answers the net count and sum of one type.
    fn check(
        events: &[(EventType, u64, Option<u32>)],
        of: EventType,
        expected: (i64, i64),
    ) -> Viewer {
        let (mut viewer, mut total) = (Viewer::default(), Rollup::default());
        for (i, (event, time, value)) in events.iter().enumerate() {
            let event = Event {
                seq: i as u32,
                video: "oabcdefghijk".parse().unwrap(),
                event: *event,
                time: WallTime(NOW + time),
                value: *value,
                rendition: Default::default(),
            };
            for again in 0..2 {
                let taken = viewer.take(&event, WallTime(NOW), |event, rollup| {
                    if event == of {
                        total += rollup;
                    }
                });
                assert_eq!(taken, again == 0);
            }
        }
        assert_eq!((total.count, total.sum), expected, "{of:?} of {events:?}");
        viewer
    }

    #[test]
    fn a_session_views_once() {
        use EventType::View;
        check(
            &[
                (View, 0, None),
                (View, 5000, None),
                (View, 90_000_000, None),
            ],
            View,
            (1, 0),
        );
    }

    #[test]
    fn an_opinion_is_a_state() {
        use EventType::{Dislike, Like};
        let changes = [(Like, 0, None), (Like, 1, Some(1)), (Dislike, 2, None)];
        check(&changes, Like, (0, 0));
        check(&changes, Dislike, (1, 0));
        check(
            &[(Like, 0, None), (Like, 1, Some(0)), (Like, 2, Some(0))],
            Like,
            (0, 0),
        );
        check(&[(Dislike, 0, None), (Like, 1, Some(0))], Dislike, (1, 0));
    }

    #[test]
    fn watching_takes_its_time() {
        use EventType::Watch;
        check(
            &[(Watch, 10_000, Some(10_000)), (Watch, 20_000, Some(10_000))],
            Watch,
            (2, 20_000),
        );
        check(
            &[(Watch, 20_000, Some(10_000)), (Watch, 10_000, Some(10_000))],
            Watch,
            (2, 20_000),
        );
        check(
            &[(Watch, 0, Some(10_000)), (Watch, 0, Some(10_000))],
            Watch,
            (1, 10_000),
        );
        check(
            &[(Watch, 0, Some(10_000)), (Watch, 1000, Some(10_000))],
            Watch,
            (2, 11_000),
        );
    }

    #[test]
    fn quantities_add_up_and_codes_do_not() {
        use EventType::{Error, Stall};
        check(
            &[(Stall, 0, Some(250)), (Stall, 0, Some(750))],
            Stall,
            (2, 1000),
        );
        check(&[(Error, 0, Some(3)), (Error, 0, None)], Error, (2, 0));
    }

    #[test]
    fn is_forgotten_when_nothing_can_come_twice_any_more() {
        let view = |time| Event {
            seq: 1,
            video: "oabcdefghijk".parse().unwrap(),
            event: EventType::View,
            time: WallTime(time),
            value: None,
            rendition: Default::default(),
        };
        let silence = FORGOTTEN_AFTER.as_millis() as u64;
        let mut viewer = Viewer::default();
        assert!(viewer.take(&view(NOW), WallTime(NOW), |_, _| {}));
        assert!(
            !viewer.take(&view(NOW), WallTime(NOW + silence), |_, _| {}),
            "known until then"
        );
        let later = NOW + 2 * silence + 1;
        assert!(viewer.take(&view(later), WallTime(later), |_, _| {}));
    }

    proptest! {
        #[test]
        fn the_state_is_read_back(
            events in prop::collection::vec(
                (0..300_u32, 0..crate::schema::TABLE.len(), 0..100_000_u64, any::<u32>()), 0..40,
            ),
        ) {
            let mut viewer = Viewer::default();
            for (seq, event, time, value) in events {
                let event = Event {
                    seq,
                    video: "oabcdefghijk".parse().unwrap(),
                    event: crate::schema::TABLE[event].event,
                    time: WallTime(NOW + time),
                    value: Some(value),
                    rendition: Default::default(),
                };
                viewer.take(&event, WallTime(NOW), |_, _| {});
                prop_assert_eq!(Viewer::decode(&viewer.encode()), Ok(viewer.clone()));
            }
        }

        #[test]
        fn any_bytes_are_a_state_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(viewer) = Viewer::decode(&bytes) {
                prop_assert_eq!(viewer.encode(), bytes);
            }
        }

        #[test]
        fn nobody_watches_longer_than_time_passes(
            claims in prop::collection::vec((0..100_000_u64, 1..50_000_u32), 1..30),
        ) {
            let mut watched = Watched::default();
            let total: u64 = claims.iter().map(|(to, ms)| watched.claim(WallTime(NOW + to), *ms)).sum();
            let from = claims.iter().map(|(to, ms)| NOW + to - u64::from(*ms)).min().unwrap();
            let to = claims.iter().map(|(to, _)| NOW + to).max().unwrap();
            prop_assert!(total <= to - from, "{total} ms of {}", to - from);
        }
    }
}
