//! Which msn holds which stretch of media time: decided once, for all renditions.

use std::collections::VecDeque;

use weir_model::{Msn, WallTime};

/// A stretch of media time that one segment of every rendition holds. Times are in ticks of
/// 1/90,000 s of presentation.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) msn: Msn,
    pub(super) start: i64,
    /// Known when the next one starts or the encoder leaves.
    pub(super) end: Option<End>,
    pub(super) discontinuity: bool,
    /// No rendition has media for it.
    pub(super) gap: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) at: i64,
    /// When it became known.
    pub(super) since: WallTime,
    /// The encoder left: what there is of the segment is all there will be.
    pub(super) cut_short: bool,
}

/// The slots that some rendition has still to fill, and the durable reservation of msns.
#[derive(Debug)]
pub(super) struct Schedule {
    slots: VecDeque<Slot>,
    next: Msn,
    reserved: Msn,
    asked: Msn,
    end: i64,
}

impl Schedule {
    /// Goes on at `next`. Those below `reserved` may be used.
    pub(super) fn new(next: Msn, reserved: Msn) -> Self {
        Self {
            slots: VecDeque::new(),
            next,
            reserved,
            asked: reserved,
            end: 0,
        }
    }

    /// msn of the next slot.
    pub(super) fn next(&self) -> Msn {
        self.next
    }

    /// End of the last slot, in presentation time; of an open one its start.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    pub(super) fn get(&self, msn: Msn) -> Option<&Slot> {
        let first = self.slots.front()?.msn;
        self.slots
            .get(usize::try_from(msn.0.checked_sub(first.0)?).ok()?)
    }

    pub(super) fn last(&self) -> Option<&Slot> {
        self.slots.back()
    }

    /// Whether the next slot's msn is durably reserved.
    pub(super) fn can_start(&self) -> bool {
        self.next < self.reserved
    }

    pub(super) fn reserved(&mut self, reserved: Msn) {
        self.reserved = self.reserved.max(reserved);
        self.asked = self.asked.max(reserved);
    }

    /// The reservation to ask for: that of the msn after the next one.
    pub(super) fn reservation_due(&mut self) -> Option<Msn> {
        let due = self.next.next();
        (self.asked < due).then(|| {
            self.asked = due;
            due
        })
    }

    /// Starts the next slot, which ends the last one if it is open. Only if
    /// [`can_start`](Self::can_start).
    pub(super) fn start(&mut self, now: WallTime, start: i64, discontinuity: bool) -> Msn {
        let msn = self.next;
        self.close(now, start, false);
        // Composition offsets that lie could lead backwards.
        let start = start.max(self.end);
        self.slots.push_back(Slot {
            msn,
            start,
            end: None,
            discontinuity,
            gap: false,
        });
        self.next = msn.next();
        self.end = start;
        msn
    }

    /// Starts a slot that misses in all renditions, from the end of the last one to `end`.
    pub(super) fn start_gap(&mut self, now: WallTime, end: i64) -> Msn {
        let msn = self.start(now, self.end, false);
        if let Some(slot) = self.slots.back_mut() {
            slot.gap = true;
        }
        self.close(now, end, false);
        msn
    }

    /// Ends the last slot, if it is open.
    pub(super) fn close(&mut self, now: WallTime, at: i64, cut_short: bool) {
        if let Some(slot) = self.slots.back_mut().filter(|slot| slot.end.is_none()) {
            let at = at.max(slot.start + 1);
            slot.end = Some(End {
                at,
                since: now,
                cut_short,
            });
            self.end = at;
        }
    }

    /// Forgets the slots before `msn`.
    pub(super) fn forget_before(&mut self, msn: Msn) {
        while self.slots.front().is_some_and(|slot| slot.msn < msn) {
            self.slots.pop_front();
        }
    }
}
