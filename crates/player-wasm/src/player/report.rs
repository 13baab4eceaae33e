//! What is reported: events as they happen, quality as it was, batches until they are answered.
//!
//! Time counts as watched when the playhead moved while somebody could notice: the page was to be
//! seen, or its sound to be heard. A startup during which the page was hidden is not reported, for
//! browsers show no frame of such a page; nor are stalls that nobody could notice.

use alloc::string::String;

use super::Player;
use crate::outbox::EventKind;

/// How often quality is reported while playing, in ms.
const REPORT_EVERY_MS: u64 = 10_000;

impl Player {
    /// The batch to send, if the page is about to go: everything measured so far is in it.
    pub fn farewell(&mut self, now: u64) -> Option<String> {
        self.report_quality(now);
        (!self.outbox.is_empty()).then(|| self.outbox.batch())
    }

    /// Everything that waits for an answer, in the form of a batch of any length, to be kept beyond
    /// the life of the page.
    pub fn unsent(&self) -> Option<String> {
        (!self.outbox.is_empty()).then(|| self.outbox.all())
    }

    /// Reports something that the viewer did.
    pub fn report(&mut self, now: u64, kind: EventKind, value: Option<u64>) {
        self.note(now, kind, value);
        self.plan(now);
    }

    /// The answer to [`Command::Post`](crate::Command::Post): the events that are done with.
    pub fn answered(&mut self, now: u64, seqs: &[u64]) {
        self.posting = false;
        self.post_retry.succeeded();
        self.outbox.answered(now, seqs);
        self.plan(now);
    }

    /// [`Command::Post`](crate::Command::Post) got no answer, or one that says nothing about events.
    pub fn unanswered(&mut self, now: u64) {
        self.posting = false;
        self.post_retry.failed(now);
        self.plan(now);
    }

    /// Number of the next event, to be kept with the session.
    pub fn next_seq(&self) -> u64 {
        self.outbox.next_seq()
    }

    /// Whether the page is to be seen and its sound to be heard.
    pub fn attend(&mut self, now: u64, visible: bool, audible: bool) {
        self.attended = visible || audible;
        if !visible && self.meter.startup_ms().is_none() {
            self.startup_unseen = true;
        }
        self.plan(now);
    }

    /// Puts an event down under the time of the servers.
    pub(super) fn note(&mut self, now: u64, kind: EventKind, value: Option<u64>) {
        let date_ms = self.clock.server_ms(now) as u64;
        self.outbox.push(now, date_ms, kind, value);
    }

    /// Notes the first frame.
    pub(super) fn note_startup(&mut self, now: u64, startup_ms: u64) {
        if !self.viewed {
            self.viewed = true;
            self.note(now, EventKind::View, None);
        }
        if !self.startup_unseen {
            self.note(now, EventKind::Startup, Some(startup_ms));
        }
        self.reported_at = now;
    }

    pub(super) fn report_when_due(&mut self, now: u64) {
        if now >= self.reported_at + REPORT_EVERY_MS {
            self.report_quality(now);
        }
    }

    /// Reports time watched since the last report, and what it was like.
    fn report_quality(&mut self, now: u64) {
        self.reported_at = now;
        let watched_ms = self.meter.watched_ms();
        if watched_ms <= self.reported_watch_ms {
            return;
        }
        let since_ms = watched_ms - self.reported_watch_ms;
        self.note(now, EventKind::Watch, Some(since_ms));
        self.reported_watch_ms = watched_ms;
        if let Some(video) = self.tracks.first() {
            let kbit = video.rendition().bits_per_s / 1000.0;
            self.note(now, EventKind::Bitrate, Some(kbit as u64));
        }
        if let Some(latency) = self.latency_ms(now).filter(|_| self.following) {
            self.note(now, EventKind::Latency, Some(latency.max(0.0) as u64));
        }
    }

    pub(super) fn post_due_at(&self, now: u64) -> Option<u64> {
        let due = self.outbox.due_at().filter(|_| !self.posting)?;
        Some(due.max(self.post_retry.due_at(now).unwrap_or(0)))
    }

    pub(super) fn plan_post(&mut self, now: u64) {
        if self.post_due_at(now).is_some_and(|due| due <= now) {
            self.posting = true;
            let batch = self.outbox.batch();
            self.commands.push(crate::Command::Post(batch));
        }
    }
}
