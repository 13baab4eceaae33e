//! Who is watching now. It is a gauge, not a count: it lives in memory, is fed by what is folded,
//! and is whole again [`PRESENT_FOR`] after a start.

use std::{collections::HashMap, time::Duration};

use weir_model::{VideoId, WallTime};

use crate::{block::Block, rollup::Subject, schema::EventType, uniques::SessionHash};

/// How long after it was last heard of a session counts as watching. Our player reports every 10 s,
/// and a report may wait 5 s for company.
pub const PRESENT_FOR: Duration = Duration::from_secs(30);

/// When each session was last heard to watch each video.
#[derive(Debug, Default)]
pub struct Presence {
    videos: HashMap<VideoId, HashMap<SessionHash, WallTime>>,
    swept: WallTime,
}

impl Presence {
    /// Takes note of a block.
    pub fn hear(&mut self, block: &Block) {
        let now = block.received();
        let mut session = None;
        for event in block.events() {
            // Only what happened just now says that somebody is there.
            let recent = now.since(event.time) <= PRESENT_FOR;
            if recent && matches!(event.event, EventType::View | EventType::Watch) {
                let session = *session.get_or_insert_with(|| SessionHash::of(block.session()));
                let heard = self.videos.entry(event.video).or_default();
                let last = heard.entry(session).or_default();
                *last = now.max(*last);
            }
        }
        if now.since(self.swept) > PRESENT_FOR {
            self.swept = now;
            self.videos.retain(|_, heard| {
                heard.retain(|_, last| now.since(*last) <= PRESENT_FOR);
                !heard.is_empty()
            });
        }
    }

    /// How many sessions are watching. One that watches two videos counts at each.
    pub fn watching(&self, subject: Subject, now: WallTime) -> u64 {
        let present = |heard: &HashMap<_, WallTime>| {
            let present = heard.values();
            present
                .filter(|last| now.since(**last) <= PRESENT_FOR)
                .count() as u64
        };
        match subject {
            Subject::Video(video) => self.videos.get(&video).map_or(0, present),
            Subject::All => self.videos.values().map(present).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{batch::Event, dimension::Attributes};

    const NOW: u64 = 1_795_000_000_000;

    fn block(session: u32, video: &str, event: EventType, time: u64, received: u64) -> Block {
        let event = Event {
            seq: 0,
            video: video.parse().unwrap(),
            event,
            time: WallTime(NOW + time),
            value: None,
            rendition: Default::default(),
        };
        let session = format!("session-number-{session:04}").parse().unwrap();
        let received = WallTime(NOW + received);
        Block::new(session, received, Attributes::default(), vec![event]).unwrap()
    }

    #[test]
    fn counts_who_was_heard_lately() {
        let (a, b) = ("oabcdefghijk", "oaaaaaaaaaaa");
        let subject = |video: &str| Subject::Video(video.parse().unwrap());
        let mut presence = Presence::default();
        let check = |presence: &Presence, at: u64, expected: [u64; 3]| {
            let now = WallTime(NOW + at);
            let told = [subject(a), subject(b), Subject::All]
                .map(|subject| presence.watching(subject, now));
            assert_eq!(told, expected, "at {at}");
        };
        check(&presence, 0, [0, 0, 0]);
        presence.hear(&block(1, a, EventType::View, 0, 0));
        presence.hear(&block(1, a, EventType::Watch, 10_000, 10_000));
        presence.hear(&block(2, a, EventType::Watch, 11_000, 12_000));
        presence.hear(&block(2, b, EventType::Watch, 12_000, 12_000));
        // A share says nothing.
        presence.hear(&block(3, a, EventType::Share, 12_000, 12_000));
        check(&presence, 12_000, [2, 1, 3]);
        check(&presence, 40_000, [2, 1, 3]);
        check(&presence, 40_001, [1, 1, 2]);
        check(&presence, 42_001, [0, 0, 0]);
        // Nor does what is told late, but it has the others forgotten.
        presence.hear(&block(4, a, EventType::Watch, 0, 60_000));
        check(&presence, 60_000, [0, 0, 0]);
        assert!(presence.videos.is_empty(), "swept by the last block");
    }
}
