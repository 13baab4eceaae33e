//! Reactions, presence and notices between two frames. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use weir_model::room::{Frame, Notice, REPORT_EVERY, Reaction};

/// A listener that has not reported for so long serves nobody any more.
const EXPIRY: Duration = REPORT_EVERY.saturating_mul(3);
/// The number of viewers is told at most once in this time.
const VIEWERS_PAUSE: Duration = Duration::from_secs(1);

/// What a room has yet to tell.
#[derive(Debug, Default)]
pub(super) struct Tally {
    reactions: BTreeMap<Reaction, u32>,
    /// Viewers by listener, and when it said so.
    reports: HashMap<u64, (u64, Instant)>,
    told_viewers: Option<(u64, Instant)>,
    notice: Option<Notice>,
    told_notice: Option<Notice>,
}

impl Tally {
    /// One reaction.
    pub(super) fn react(&mut self, reaction: Reaction) {
        let count = self.reactions.entry(reaction).or_default();
        *count = count.saturating_add(1);
    }

    /// A listener serves so many viewers.
    pub(super) fn report(&mut self, listener: u64, viewers: u64, now: Instant) {
        self.reports.insert(listener, (viewers, now));
    }

    /// A listener has gone.
    pub(super) fn leave(&mut self, listener: u64) {
        self.reports.remove(&listener);
    }

    /// What there is to notice of the broadcast at the moment. A broadcast that is gone has ended.
    pub(super) fn observe(&mut self, notice: Option<Notice>) {
        self.notice = notice.or(self.notice.map(|_| Notice::Ended));
    }

    /// How many viewers all listeners serve.
    pub(super) fn viewers(&self, now: Instant) -> u64 {
        let fresh = |at: &Instant| now.saturating_duration_since(*at) < EXPIRY;
        self.reports
            .values()
            .filter(|(_, at)| fresh(at))
            .fold(0, |sum, (viewers, _)| sum.saturating_add(*viewers))
    }

    /// What there was to notice last.
    pub(super) fn notice(&self) -> Option<Notice> {
        self.notice
    }

    /// What is to be told now. To be called once a second, and when something has come.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Frame> {
        let mut frames = Vec::new();
        if !self.reactions.is_empty() {
            let counts = std::mem::take(&mut self.reactions);
            frames.push(Frame::Reactions { counts });
        }
        if let Some(notice) = self.notice.filter(|_| self.notice != self.told_notice) {
            self.told_notice = self.notice;
            frames.push(Frame::Notice { notice });
        }
        let viewers = self.viewers(now);
        let told = self.told_viewers.map_or(0, |(viewers, _)| viewers);
        let may = self
            .told_viewers
            .is_none_or(|(_, at)| now.saturating_duration_since(at) >= VIEWERS_PAUSE);
        if viewers != told && may {
            self.told_viewers = Some((viewers, now));
            frames.push(Frame::Viewers { viewers });
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_are_counted_together() {
        let (mut tally, now) = (Tally::default(), Instant::now());
        for reaction in [Reaction::Heart, Reaction::Clap, Reaction::Heart] {
            tally.react(reaction);
        }
        let counts = [(Reaction::Heart, 2), (Reaction::Clap, 1)].into();
        assert_eq!(tally.take(now), [Frame::Reactions { counts }]);
        assert_eq!(tally.take(now), []);
    }

    #[test]
    fn who_falls_silent_counts_no_more() {
        let (mut tally, mut now) = (Tally::default(), Instant::now());
        tally.report(1, 10, now);
        tally.report(2, 5, now);
        assert_eq!(tally.take(now), [Frame::Viewers { viewers: 15 }]);
        now += Duration::from_secs(14);
        tally.report(2, 6, now);
        assert_eq!(tally.take(now), [Frame::Viewers { viewers: 16 }]);
        now += Duration::from_secs(1);
        assert_eq!(tally.take(now), [Frame::Viewers { viewers: 6 }]);
        tally.leave(2);
        assert_eq!(tally.take(now), [], "not so soon");
        now += Duration::from_secs(1);
        assert_eq!(tally.take(now), [Frame::Viewers { viewers: 0 }]);
    }

    #[test]
    fn a_broadcast_is_noticed_as_it_changes() {
        let (mut tally, now) = (Tally::default(), Instant::now());
        let mut notices = Vec::new();
        let stages = [
            None,
            Some(Notice::Live),
            Some(Notice::Live),
            Some(Notice::Slate),
            Some(Notice::Live),
            None,
            None,
        ];
        for stage in stages {
            tally.observe(stage);
            notices.extend(tally.take(now));
        }
        let told = [Notice::Live, Notice::Slate, Notice::Live, Notice::Ended];
        assert_eq!(notices, told.map(|notice| Frame::Notice { notice }));
        assert_eq!(tally.notice(), Some(Notice::Ended));
    }
}
