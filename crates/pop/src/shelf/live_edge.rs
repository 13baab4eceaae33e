//! Which positions of a live stream are too far ahead to be asked for.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use weir_model::{LiveEdge, Msn, PlaylistPosition};

/// No stream makes segments faster than this for long. What is known of its edge is as old as the
/// last question about it, so the edge may have moved on by so much.
const SHORTEST_SEGMENT: Duration = Duration::from_millis(500);
/// Streams that are not heard of for so long may be forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The live edges of a bounded number of streams.
#[derive(Debug)]
pub struct LiveEdges {
    streams: HashMap<Box<str>, (LiveEdge, Instant)>,
    most: usize,
}

impl LiveEdges {
    /// Of `most` streams at a time; of further ones nothing is known, and the origin decides.
    pub fn new(most: usize) -> Self {
        Self {
            streams: HashMap::new(),
            most,
        }
    }

    /// The origin said that `stream` ends at `edge`, in the answer to a request that was sent at
    /// `sent`: at no time before that. When the answer was whole says nothing of when that was true,
    /// as its body may have been slow. An edge never goes back.
    pub fn note(&mut self, stream: &str, edge: LiveEdge, sent: Instant) {
        if let Some((known, since)) = self.streams.get_mut(stream) {
            if *known < edge {
                (*known, *since) = (edge, sent);
            } else if *known == edge {
                // It was there still.
                *since = sent.max(*since);
            }
            return;
        }
        if self.streams.len() >= self.most {
            self.streams
                .retain(|_, (_, since)| sent.saturating_duration_since(*since) < FORGOTTEN);
        }
        if self.streams.len() < self.most {
            self.streams.insert(stream.into(), (edge, sent));
        }
    }

    /// Whether `msn` is so far ahead of `stream` that nothing can be there for a while: it is
    /// refused without asking, as the origin would refuse it (draft-rfc8216bis section 6.2.5.2).
    pub fn is_beyond(&self, stream: &str, msn: u64, now: Instant) -> bool {
        self.streams.get(stream).is_some_and(|(edge, since)| {
            let passed = now.saturating_duration_since(*since).as_millis();
            let moved = passed.div_ceil(SHORTEST_SEGMENT.as_millis());
            let moved = u64::try_from(moved).unwrap_or(u64::MAX);
            let edge_by_now = LiveEdge {
                msn: Msn(edge.msn.0.saturating_add(moved)),
                ..*edge
            };
            edge_by_now.is_too_far(PlaylistPosition {
                msn: Msn(msn),
                part: None,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: LiveEdge = edge(10, 3);

    const fn edge(msn: u64, parts: u32) -> LiveEdge {
        LiveEdge {
            msn: Msn(msn),
            parts,
        }
    }

    #[test]
    fn refuses_what_is_far_ahead_alone() {
        let now = Instant::now();
        let mut edges = LiveEdges::new(10);
        assert!(!edges.is_beyond("a/480p", u64::MAX, now));
        edges.note("a/480p", EDGE, now);
        assert!(!edges.is_beyond("a/480p", 11, now));
        assert!(edges.is_beyond("a/480p", 12, now));
        assert!(!edges.is_beyond("b/480p", 12, now));
        // What is known grows old.
        assert!(!edges.is_beyond("a/480p", 12, now + Duration::from_millis(1)));
        assert!(edges.is_beyond("a/480p", 13, now + Duration::from_millis(500)));
        // And never goes back.
        edges.note("a/480p", edge(9, 0), now);
        assert!(!edges.is_beyond("a/480p", 11, now));
        // That it was there once does not make it older than it is.
        let earlier = now.checked_sub(Duration::from_secs(5)).unwrap();
        edges.note("a/480p", EDGE, earlier);
        assert!(edges.is_beyond("a/480p", 12, now));
        edges.note("a/480p", edge(11, 0), earlier);
        assert!(!edges.is_beyond("a/480p", 13, now));
        edges.note("a/480p", edge(u64::MAX, 0), now);
        assert!(!edges.is_beyond("a/480p", u64::MAX, now));
    }

    #[test]
    fn the_number_of_streams_is_bounded() {
        let now = Instant::now();
        let mut edges = LiveEdges::new(2);
        for stream in ["a", "b", "c"] {
            edges.note(stream, EDGE, now);
        }
        assert!(edges.is_beyond("a", 13, now) && edges.is_beyond("b", 13, now));
        assert!(!edges.is_beyond("c", 13, now));
        edges.note("c", EDGE, now + FORGOTTEN);
        assert!(edges.is_beyond("c", 13, now + FORGOTTEN));
    }
}
