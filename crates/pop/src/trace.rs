//! Which requests are followed through the logs of PoP and origin (W3C Trace Context).
//!
//! A viewer's `traceparent` is carried on to the origin. Of requests without one a share is given
//! one. A request is logged if it is sampled; viewers may ask for that only so often, as anyone can
//! set the flag.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue};
use weir_model::{TraceParent, trace::TRACEPARENT};

/// Viewers' requests to be sampled that are heeded in each [`PERIOD`].
const HEEDED: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);

/// Chooses the requests that are followed.
#[derive(Debug)]
pub(crate) struct Tracer {
    /// One in so many requests is given a trace; 0 for none.
    every: u64,
    seen: AtomicU64,
    heeded: Mutex<Heeded>,
}

/// How many viewers were heeded in the period that began at `since`.
#[derive(Debug, Default)]
struct Heeded {
    since: Option<Instant>,
    viewers: u32,
}

impl Tracer {
    /// Follows the share `rate` (0 to 1) of the requests that bring no trace of their own.
    pub(crate) fn new(rate: f64) -> Self {
        let every = match rate {
            rate if rate > 0.0 => (1.0 / rate).round().max(1.0) as u64,
            _ => 0,
        };
        Self {
            every,
            seen: AtomicU64::new(0),
            heeded: Mutex::default(),
        }
    }

    /// The place of a request with these header fields in a trace, if it has one: what the origin
    /// is to be told, with an id of our own.
    pub(crate) fn place(&self, head: &HeaderMap, now: Instant) -> Option<TraceParent> {
        let brought = head.get(TRACEPARENT).and_then(|field| {
            let parent: TraceParent = field.to_str().ok()?.parse().ok()?;
            Some(parent)
        });
        match brought {
            Some(mut parent) => {
                parent.sampled = parent.sampled && self.heed(now);
                Some(parent.child(random()?))
            }
            None => {
                let chosen =
                    self.every > 0 && self.seen.fetch_add(1, Relaxed).is_multiple_of(self.every);
                chosen.then_some(())?;
                Some(TraceParent::new(random()?, random()?, true))
            }
        }
    }

    fn heed(&self, now: Instant) -> bool {
        let mut heeded = self.heeded.lock().unwrap_or_else(PoisonError::into_inner);
        let current = heeded.since.is_some_and(|since| now < since + PERIOD);
        if !current {
            *heeded = Heeded {
                since: Some(now),
                viewers: 0,
            };
        }
        heeded.viewers += 1;
        heeded.viewers <= HEEDED
    }
}

/// Has the origin know of it, in the header of what it is asked.
pub(crate) fn tell(trace: Option<&TraceParent>, head: &mut HeaderMap) {
    let field = trace.and_then(|trace| HeaderValue::from_str(&trace.to_string()).ok());
    if let Some(field) = field {
        head.insert(TRACEPARENT, field);
    }
}

/// Without randomness there are no traces, and all else goes on.
fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn head(field: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(TRACEPARENT),
            HeaderValue::from_static(field),
        )])
    }

    #[test]
    fn a_viewers_trace_goes_on_under_a_new_parent() {
        let tracer = Tracer::new(0.0);
        let place = tracer.place(&head(FIELD), Instant::now()).unwrap();
        let written = place.to_string();
        assert_eq!(written[..36], FIELD[..36]);
        assert_ne!(written, FIELD);
        assert!(place.sampled);
        assert_eq!(tracer.place(&head("00-nonsense"), Instant::now()), None);
        assert_eq!(tracer.place(&HeaderMap::new(), Instant::now()), None);
    }

    #[test]
    fn viewers_cannot_flood_the_log() {
        let tracer = Tracer::new(0.0);
        let now = Instant::now();
        let sampled = |now| tracer.place(&head(FIELD), now).unwrap().sampled;
        let heeded = (0..100).filter(|_| sampled(now)).count();
        assert_eq!(heeded, HEEDED as usize);
        assert!(sampled(now + PERIOD));
    }

    #[test]
    fn a_share_of_the_others_is_followed() {
        let count = |rate| {
            let tracer = Tracer::new(rate);
            let place = |_: &i32| tracer.place(&HeaderMap::new(), Instant::now());
            (0..100).filter_map(|i| place(&i)).count()
        };
        assert_eq!(count(0.0), 0);
        assert_eq!(count(0.1), 10);
        assert_eq!(count(1.0), 100);
        assert_eq!(count(7.0), 100);
    }
}
