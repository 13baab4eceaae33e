//! Lets time pass for a broadcast.

use std::sync::{Arc, atomic::Ordering};

use weir_media::live::State;
use weir_model::Msn;

use super::Broadcast;

/// Wakes the core when it wants to be woken, and brings it what the journal acknowledged. Ends
/// with the broadcast.
pub(super) async fn run(broadcast: Arc<Broadcast>) {
    let mut reserved = 0;
    loop {
        let acknowledged = broadcast.acknowledged.load(Ordering::Acquire);
        if acknowledged > reserved {
            reserved = acknowledged;
            broadcast.tell(|live, now| live.reserved(now, Msn(acknowledged - 1)));
        }
        let clock = broadcast.surroundings.clock;
        let alarm = {
            let mut inner = broadcast.lock();
            inner.alarm = inner.next_look();
            inner.alarm
        };
        if alarm.is_some_and(|alarm| alarm <= clock.now()) {
            broadcast.look();
            // Without this a core that asks for the past would starve the runtime.
            tokio::task::yield_now().await;
            continue;
        }
        if *broadcast.state.borrow() == State::Ended {
            return;
        }
        let sleep = async {
            match alarm {
                Some(alarm) => tokio::time::sleep_until(clock.instant(alarm).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = broadcast.wake.notified() => {}
            () = broadcast.closed.cancelled() => return,
        }
    }
}
