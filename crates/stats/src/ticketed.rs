//! What of a batch its session ticket vouches for. A ticket says that a session began to watch a video
//! at a time; the events that it stands for are that session's, of that video, and of a time when it
//! could be watched.
//!
//! That nobody watches for longer than time passes follows from two rules together. Here, every
//! moment that a watch event claims has to lie between the ticket's beginning, less [`EARLY`], and the
//! event's receipt, and [`AHEAD`]. And what counts of a session's claims is never more than the span
//! between the first moment and the last ([`crate::viewer`]). So the sum is at most the time since the
//! ticket was signed, and 70 seconds. A view counts once for a session in any case, however many
//! tickets it has.

use std::time::Duration;

use thiserror::Error;
use weir_model::{VideoId, WallTime, ticket::Ticket};

use crate::{
    batch::{Batch, Event, Reason, Session},
    dimension::Dimension,
    schema::EventType,
};

/// How much earlier than its ticket a session may have begun: a player plays before it has one, and
/// may be told to ask again in a minute.
pub const EARLY: Duration = Duration::from_secs(60);

/// How much later than now what was watched may have ended: players know the time of their server to
/// a few seconds.
pub const AHEAD: Duration = Duration::from_secs(10);

/// Why an event does not count.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotVouchedFor {
    /// The batch has no ticket.
    #[error("no session ticket came with it: ask for one, POST /api/v1/videos/{{id}}/sessions")]
    NoTicket,
    /// The batch has a ticket that is not good; why, its [answers](crate::batch::Answers) say.
    #[error("the session ticket is not good")]
    BadTicket,
    /// The ticket is another session's.
    #[error("the ticket is another session's")]
    OtherSession,
    /// The ticket is for another video.
    #[error("the ticket is for {0}")]
    OtherVideo(VideoId),
    /// It happened before the ticket was good, or after.
    #[error("the ticket is good for what happened from {from} until {until}")]
    OtherTime {
        /// Unix ms.
        from: WallTime,
        /// Unix ms.
        until: WallTime,
    },
    /// More was watched than time has passed.
    #[error("watched {claimed_ms} ms of the {passed_ms} ms that have passed")]
    Watched {
        /// What the event says.
        claimed_ms: u64,
        /// Since the ticket was signed, up to when the event says it happened or arrived.
        passed_ms: u64,
    },
}

impl NotVouchedFor {
    /// One word for counters.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoTicket => "no_ticket",
            Self::BadTicket => "bad_ticket",
            Self::OtherSession => "other_session",
            Self::OtherVideo(_) => "other_video",
            Self::OtherTime { .. } => "other_time",
            Self::Watched { .. } => "watched",
        }
    }
}

/// Refuses all that `ticket` does not vouch for in a batch that was received at `received`. Where the
/// viewer is, and on what, the edge has seen: what the ticket says of that goes before what the player
/// says.
pub fn vouch(batch: &mut Batch, ticket: &Ticket, received: WallTime) {
    let said = [
        (
            Dimension::Country,
            ticket.country.map(|country| country.to_string()),
        ),
        (
            Dimension::Device,
            ticket.device.map(|device| device.as_str().to_owned()),
        ),
        (Dimension::Pop, Some(ticket.pop.clone())),
    ];
    for (dimension, word) in said {
        if let Some(Ok(label)) = word.map(|word| dimension.label(&word)) {
            batch.attributes.set(dimension, label);
        }
    }
    let session = batch.session.clone();
    batch.refuse(|event| {
        let vouched = check(&session, event, ticket, received);
        vouched.err().map(Reason::Ticket)
    });
}

fn check(
    session: &Session,
    event: &Event,
    ticket: &Ticket,
    received: WallTime,
) -> Result<(), NotVouchedFor> {
    if ticket.session.as_str() != session.as_str() {
        return Err(NotVouchedFor::OtherSession);
    }
    if ticket.video != event.video {
        return Err(NotVouchedFor::OtherVideo(ticket.video));
    }
    let from = WallTime(ticket.issued.0.saturating_sub(ms(EARLY)));
    let until = ticket.expires();
    if event.time < from || event.time > until {
        return Err(NotVouchedFor::OtherTime { from, until });
    }
    if event.event == EventType::Watch {
        let claimed_ms = u64::from(event.value.unwrap_or(0));
        let latest = received.plus(AHEAD);
        let passed_ms = event.time.min(latest).0.saturating_sub(from.0);
        if event.time > latest || claimed_ms > passed_ms {
            return Err(NotVouchedFor::Watched {
                claimed_ms,
                passed_ms,
            });
        }
    }
    Ok(())
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_model::{DeviceClass, SessionId};

    use super::*;
    use crate::{
        dimension::{Attributes, Label},
        viewer::Viewer,
    };

    const ISSUED: WallTime = WallTime(1_795_367_096_000);
    const VIDEO: &str = "oabcdefghijk";

    fn ticket() -> Ticket {
        Ticket {
            session: SessionId::from_random(7),
            video: VIDEO.parse().unwrap(),
            country: None,
            device: None,
            pop: "fra-1".to_owned(),
            issued: ISSUED,
        }
    }

    fn event(event: EventType, after_ms: i64, value: Option<u32>) -> Event {
        Event {
            seq: 1,
            video: VIDEO.parse().unwrap(),
            event,
            time: WallTime(ISSUED.0.saturating_add_signed(after_ms)),
            value,
            rendition: Label::UNKNOWN,
        }
    }

    fn batch(events: Vec<Event>) -> Batch {
        Batch {
            session: ticket().session.as_str().parse().unwrap(),
            ticket: None,
            attributes: Attributes::default(),
            events: events.into_iter().map(Ok).collect(),
        }
    }

    /// What becomes of an event that is received so long after the ticket was signed.
    fn fate(event: Event, received_after_ms: u64) -> Result<(), NotVouchedFor> {
        let mut batch = batch(vec![event]);
        vouch(
            &mut batch,
            &ticket(),
            WallTime(ISSUED.0 + received_after_ms),
        );
        match batch.events.remove(0) {
            Ok(_) => Ok(()),
            Err(refusal) => match refusal.reason {
                Reason::Ticket(reason) => Err(reason),
                reason => panic!("{reason}"),
            },
        }
    }

    #[test]
    fn a_ticket_is_for_one_session_and_one_video() {
        use EventType::{Like, View};
        assert_eq!(fate(event(View, 300, None), 800), Ok(()));
        let elsewhere = Event {
            video: "oaaaaaaaaaaa".parse().unwrap(),
            ..event(Like, 300, None)
        };
        let other = NotVouchedFor::OtherVideo(VIDEO.parse().unwrap());
        assert_eq!(fate(elsewhere, 800), Err(other));

        let mut stolen = batch(vec![event(View, 300, None), event(Like, 300, None)]);
        stolen.session = SessionId::from_random(8).as_str().parse().unwrap();
        vouch(&mut stolen, &ticket(), ISSUED);
        assert_eq!(stolen.accepted().count(), 0);
    }

    #[test]
    fn the_edge_is_believed_and_not_the_player() {
        let mut batch = batch(vec![event(EventType::View, 300, None)]);
        for (dimension, word) in [(Dimension::Device, "tv"), (Dimension::Os, "linux")] {
            batch
                .attributes
                .set(dimension, dimension.label(word).unwrap());
        }
        let ticket = Ticket {
            country: "IS".parse().ok(),
            device: Some(DeviceClass::Phone),
            ..ticket()
        };
        vouch(&mut batch, &ticket, ISSUED);
        let known: Vec<_> = batch.attributes.known().collect();
        let known: Vec<_> = known
            .iter()
            .map(|(d, label)| (*d, label.as_str()))
            .collect();
        let expected = [
            (Dimension::Device, "phone"),
            (Dimension::Country, "IS"),
            (Dimension::Pop, "fra-1"),
            (Dimension::Os, "linux"),
        ];
        assert_eq!(known, expected);
    }

    #[test]
    fn good_events_count_beside_bad_ones() {
        let elsewhere = Event {
            video: "oaaaaaaaaaaa".parse().unwrap(),
            ..event(EventType::Share, 0, None)
        };
        let mut mixed = batch(vec![
            elsewhere,
            event(EventType::View, 100, None),
            event(EventType::Watch, 200, Some(100_000)),
            event(EventType::Stall, 300, Some(100_000)),
        ]);
        vouch(&mut mixed, &ticket(), WallTime(ISSUED.0 + 1000));
        let accepted: Vec<_> = mixed.accepted().map(|event| event.event).collect();
        assert_eq!(accepted, [EventType::View, EventType::Stall]);
    }

    #[test]
    fn a_ticket_is_for_its_time() {
        const DAY: i64 = 86_400_000;
        let view = |after| fate(event(EventType::View, after, None), after.max(0) as u64);
        assert_eq!(view(-60_000), Ok(()), "played before the ticket came");
        assert!(matches!(
            view(-60_001),
            Err(NotVouchedFor::OtherTime { .. })
        ));
        assert_eq!(view(DAY), Ok(()));
        assert!(matches!(
            view(DAY + 1),
            Err(NotVouchedFor::OtherTime { .. })
        ));
        // What happened in time may be told late.
        let told_late = fate(event(EventType::View, DAY - 1, None), 2 * DAY as u64 - 1);
        assert_eq!(told_late, Ok(()));
    }

    #[test]
    fn nothing_is_watched_before_its_time() {
        let watch = |to, ms, received| fate(event(EventType::Watch, to, Some(ms)), received);
        assert_eq!(watch(10_000, 10_000, 10_000), Ok(()));
        assert_eq!(watch(10_000, 70_000, 10_000), Ok(()));
        let expected = NotVouchedFor::Watched {
            claimed_ms: 70_001,
            passed_ms: 70_000,
        };
        assert_eq!(watch(10_000, 70_001, 10_000), Err(expected));
        assert_eq!(
            watch(20_000, 10_000, 10_000),
            Ok(()),
            "a clock that is ahead"
        );
        assert!(watch(20_001, 10_000, 10_000).is_err(), "still to come");
        assert!(watch(3_600_000, 3_600_000, 1000).is_err());
    }

    proptest! {
        /// However a script claims, and whatever tickets it takes, a session has watched no longer
        /// than the time since its first ticket, and the slack.
        #[test]
        fn nobody_watches_longer_than_time_passes(
            claims in prop::collection::vec(
                (0..200_000_u64, -100_000..300_000_i64, 1..200_000_u32),
                1..40,
            ),
        ) {
            let mut viewer = Viewer::default();
            let (mut watched, mut last) = (0, 0);
            let mut claims = claims;
            claims.sort_by_key(|(received, ..)| *received);
            for (seq, (received, to, value)) in claims.into_iter().enumerate() {
                let claim = Event {
                    seq: seq as u32,
                    ..event(EventType::Watch, to, Some(value))
                };
                if fate(claim, received).is_err() {
                    continue;
                }
                last = received;
                viewer.take(&claim, WallTime(ISSUED.0 + received), |_, rollup| {
                    watched += rollup.sum as u64;
                });
            }
            let most = last + ms(EARLY) + ms(AHEAD);
            prop_assert!(watched <= most, "{watched} ms of {most}");
        }
    }
}
