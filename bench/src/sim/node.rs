//! One point of presence, which a shield is too: the PoP's own rules about what is kept, who asks and
//! whom, with nothing around them.

use std::{
    hash::BuildHasherDefault,
    rc::Rc,
    time::{Duration, Instant},
};

use weir_model::{
    VideoId,
    edge::{Lease, Leases},
};
use weir_pop::{
    shelf::{Board, Bounds, Shelf},
    upstream::{Hedged, Journey, Member, PeerId, Policy, Role, Router, Subject},
};

use super::{
    audience::{Viewer, Way},
    catalogue::{Mixed, Object},
    cores::Cores,
    queue::Micros,
    scenario::Scenario,
    stream::{Broadcast, Stream},
};

/// Number of a point of presence, or of a shield after them.
pub(crate) type NodeId = u16;

/// A flight under way somewhere, if it still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlightId {
    pub(crate) at: u32,
    pub(crate) generation: u32,
}

/// One request upstream, and everyone who waits for it.
pub(crate) struct Flight {
    pub(crate) node: NodeId,
    pub(crate) object: Rc<Object>,
    pub(crate) journey: Journey,
    pub(crate) began: Micros,
    /// Who was asked, and when.
    pub(crate) asked: Vec<(PeerId, Micros)>,
    /// How many of them have not answered.
    pub(crate) open: u32,
    pub(crate) waiters: Vec<Waiter>,
}

impl Flight {
    pub(crate) fn new(node: NodeId, object: Rc<Object>, began: Micros) -> Self {
        let journey = Journey::new(Subject::of(&object.target), object.held);
        Self {
            node,
            object,
            journey,
            began,
            asked: Vec::new(),
            open: 0,
            waiters: Vec::new(),
        }
    }
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waiter {
    /// Viewers who have nothing else to do with it than to take it.
    Takers { count: u32, since: Micros },
    /// Viewers who follow a stream, and ask for the position after `k` next.
    Followers {
        stream: Stream,
        k: u64,
        way: Way,
        count: u32,
        since: Micros,
    },
    /// One who opens a video, at this step.
    Opening {
        viewer: Viewer,
        step: Opening,
        since: Micros,
    },
    /// A point of presence that asked a shield, for the how-manieth time.
    Downstream { flight: FlightId, attempt: u32 },
}

/// What a player waits for before it follows the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Multivariant,
    Playlist,
}

/// A point of presence or a shield. What lies on the shelf is when the origin made it.
pub(crate) struct Node {
    pub(crate) shelf: Shelf<Micros, BuildHasherDefault<Mixed>>,
    pub(crate) board: Board<FlightId>,
    pub(crate) router: Router,
    /// Flights that wait for any peer to come back.
    pub(crate) awaiting: Vec<FlightId>,
    /// Of what viewers ask.
    pub(crate) cores: Cores,
    pub(crate) is_up: bool,
}

impl Node {
    pub(crate) fn new(
        scenario: &Scenario,
        members: &[Member],
        broadcasts: &[Broadcast],
        now: Instant,
    ) -> Self {
        let mut router = Router::new(Policy::default(), members, now);
        for origin in 0..usize::from(scenario.origins) {
            let here = |b: &&Broadcast| usize::from(b.origin) == origin;
            let lease = |video: VideoId| Lease {
                video,
                epoch: Some(Broadcast::EPOCH),
            };
            let leases = Leases {
                version: 1,
                videos: broadcasts
                    .iter()
                    .filter(here)
                    .map(|b| lease(b.video))
                    .collect(),
            };
            router.directory_mut().told(origin, leases);
        }
        Self {
            shelf: Shelf::with_hasher(
                Bounds::of_memory(scenario.cache_bytes),
                BuildHasherDefault::default(),
            ),
            board: Board::default(),
            router,
            awaiting: Vec::new(),
            cores: Cores::new(scenario.cores),
            is_up: true,
        }
    }
}

/// The peers of a point of presence: shields, then origins; a shield asks origins alone.
pub(crate) fn members(scenario: &Scenario, is_shield: bool) -> Vec<Member> {
    let member = |role, name: String| Member {
        name,
        role,
        weight: 1,
    };
    let shields = (0..scenario.shields).filter(|_| !is_shield);
    let shields = shields.map(|n| member(Role::Shield, format!("shield-{n}")));
    let origins = (0..scenario.origins).map(|n| member(Role::Origin, format!("origin-{n}")));
    shields.chain(origins).collect()
}

/// What of the hedged kinds an object is.
pub(crate) fn hedged(object: &Object) -> Option<Hedged> {
    match object.class {
        weir_edge_abi::Class::Part => Some(Hedged::Part),
        weir_edge_abi::Class::Playlist if object.held => Some(Hedged::Position),
        _ => None,
    }
}

/// Virtual time as the PoP's rules take it.
#[derive(Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// One that begins now.
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn at(self, at: Micros) -> Instant {
        self.0 + Duration::from_micros(at)
    }
}
