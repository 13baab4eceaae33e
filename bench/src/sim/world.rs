//! The whole of it: viewers, points of presence, shields and origins, one event after the other.
//!
//! Viewers who do the same at the same time are one event with a number: those who wait for one position
//! of one stream at one point of presence, are as far away from it and take lists coded alike, are
//! answered together, and so ask for the next one together. Nothing is rounded for that.
//!
//! - [`mod@self`]: events, and what viewers do
//! - [`super::upstream`]: what their points of presence do for them

use std::rc::Rc;

use super::{
    audience::{self, Arrival, Viewer, Way},
    catalogue::{Catalogue, Object, What},
    geography::Geography,
    ledger::Ledger,
    node::{self, Clock, Flight, FlightId, Node, NodeId, Opening, Waiter},
    queue::{Micros, Queue},
    scenario::Scenario,
    stream::{Broadcast, PARTS, SEGMENT, Stream},
};

/// Viewers notice that their point of presence is gone, and find another one, within so long.
const SHORTEST_MOVE: Micros = 200_000;
const LONGEST_MOVE: Micros = 1_500_000;
/// Between looks at who is to be probed.
const PROBES: Micros = 100_000;
/// Between times of forgetting what nobody follows any more, and how old that is.
const FORGET_EVERY: Micros = 5_000_000;
const FORGOTTEN_AFTER: Micros = 40_000_000;

/// Something that happens.
pub(super) enum Event {
    /// A viewer opens a video.
    Open(u16, Viewer),
    /// A viewer has the multivariant playlist.
    ReadPlaylist(u16, Viewer),
    /// A viewer has the media playlist, which ends with part `k`.
    Begin(u16, Viewer, u64),
    /// Viewers ask for part `k` of a stream and for the playlist that lists it.
    Follow {
        pop: u16,
        stream: Stream,
        k: u64,
        way: Way,
        count: u32,
    },
    /// A viewer without low latency asks for a playlist and a segment.
    Poll(u16, Viewer),
    /// A request has come to a shield.
    Reach {
        shield: NodeId,
        from: FlightId,
        attempt: u32,
    },
    /// An answer that its origin made at some time, or word that there is none, has come back.
    Answered {
        flight: FlightId,
        attempt: u32,
        made: Option<Micros>,
    },
    /// A flight is to go on.
    GoOn(FlightId),
    /// A flight may be late.
    Hedge(FlightId),
    /// Peers are probed, and one has answered or not.
    Probe(NodeId),
    Probed {
        node: NodeId,
        peer: usize,
        up: bool,
    },
    /// What nobody follows any more is forgotten.
    Forget,
    /// Machines go and come.
    LosePop,
    LoseShield,
    ReturnShield,
}

/// The state of a simulation.
pub(crate) struct World {
    pub(super) scenario: Scenario,
    pub(super) clock: Clock,
    pub(super) geography: Geography,
    pub(super) catalogue: Catalogue,
    pub(super) nodes: Vec<Node>,
    pub(super) flights: Vec<(u32, Option<Flight>)>,
    pub(super) free: Vec<u32>,
    pub(super) queue: Queue<Event>,
    pub(super) random: fastrand::Rng,
    pub(super) lost_pop: NodeId,
    pub(super) lost_shield: NodeId,
    watching: u64,
    events: u64,
    pub(crate) ledger: Ledger,
}

/// What a request came to at once.
pub(super) enum Found {
    /// The answer, when its origin made it, and when it has left.
    Answer { made: Micros, left: Micros },
    /// It is waited for.
    Wait,
}

impl World {
    /// Everything in its place, and everyone on their way: what one machine of each point of presence
    /// and shield has to do with it.
    pub(crate) fn new(scenario: Scenario, machine: u32) -> Self {
        let mut random = fastrand::Rng::with_seed(scenario.seed);
        let geography = Geography::new(&scenario, &mut random);
        let origins = 0..scenario.broadcasts;
        let broadcasts: Vec<Broadcast> = origins
            .map(|n| Broadcast::new(&mut random, (n % u32::from(scenario.origins)) as u16))
            .collect();
        let mut arrivals = audience::arrivals(&scenario, &geography, &mut random);
        let lost_pop = audience::fullest_pop(&scenario, &arrivals);
        arrivals.retain(|arrival| arrival.viewer.stream.broadcast() % scenario.machines == machine);
        let clock = Clock::new();
        let nodes = (0..scenario.pops + scenario.shields).map(|id| {
            let members = node::members(&scenario, id >= scenario.pops);
            Node::new(&scenario, &members, &broadcasts, clock.at(0))
        });
        let mut world = Self {
            nodes: nodes.collect(),
            clock,
            geography,
            catalogue: Catalogue::new(broadcasts),
            flights: Vec::new(),
            free: Vec::new(),
            queue: Queue::new(),
            lost_pop,
            lost_shield: scenario.pops,
            random,
            watching: 0,
            events: 0,
            ledger: Ledger::default(),
            scenario,
        };
        world.arrange(arrivals);
        world
    }

    fn arrange(&mut self, arrivals: Vec<Arrival>) {
        for Arrival { at, pop, viewer } in arrivals {
            self.queue.put(at, Event::Open(pop, viewer));
        }
        for node in 0..self.nodes.len() {
            self.queue.put(PROBES, Event::Probe(node as NodeId));
        }
        let Scenario {
            pop_lost_at,
            shield_lost_at,
            shield_back_at,
            ..
        } = self.scenario;
        self.queue.put(FORGET_EVERY, Event::Forget);
        self.queue.put(pop_lost_at, Event::LosePop);
        self.queue.put(shield_lost_at, Event::LoseShield);
        self.queue.put(shield_back_at, Event::ReturnShield);
    }

    /// Lets time pass until the end.
    pub(crate) fn run(&mut self) {
        let mut second = 0;
        while let Some((now, event)) = self.queue.take() {
            if now >= self.scenario.end {
                break;
            }
            while now / 1_000_000 > second {
                self.ledger.viewers.push(self.watching);
                second += 1;
            }
            self.events += 1;
            self.happen(now, event);
        }
        self.ledger.viewers.push(self.watching);
        // What was sent before the end and would have come after it.
        let seconds = (self.scenario.end / 1_000_000) as usize;
        self.ledger.seconds.truncate(seconds);
    }

    /// Events so far.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    fn happen(&mut self, now: Micros, event: Event) {
        match event {
            Event::Open(pop, viewer) => self.open(now, pop, viewer),
            Event::ReadPlaylist(pop, viewer) => self.read_playlist(now, pop, viewer),
            Event::Begin(pop, viewer, k) => self.begin(now, pop, viewer, k),
            Event::Follow {
                pop,
                stream,
                k,
                way,
                count,
            } => {
                self.follow(now, pop, stream, k, way, count);
            }
            Event::Poll(pop, viewer) => self.poll(now, pop, viewer),
            Event::Reach {
                shield,
                from,
                attempt,
            } => self.reach(now, shield, from, attempt),
            Event::Answered {
                flight,
                attempt,
                made,
            } => {
                self.answered(now, flight, attempt, made);
            }
            Event::GoOn(flight) => self.go_on(now, flight),
            Event::Hedge(flight) => self.hedge(now, flight),
            Event::Probe(node) => {
                self.probe(now, node);
                self.queue.put(now + PROBES, Event::Probe(node));
            }
            Event::Probed { node, peer, up } => self.probed(now, node, peer, up),
            Event::Forget => {
                let before = now.saturating_sub(FORGOTTEN_AFTER);
                self.catalogue.forget_before(before);
                self.queue.put(now + FORGET_EVERY, Event::Forget);
            }
            Event::LosePop => self.lose_pop(now),
            Event::LoseShield => self.lose_shield(now),
            Event::ReturnShield => self.return_shield(now),
        }
    }

    fn open(&mut self, now: Micros, pop: u16, viewer: Viewer) {
        if !self.is_up(pop) {
            return self.move_on(now, pop, viewer);
        }
        self.watching += 1;
        if !viewer.low_latency {
            return self.poll(now, pop, viewer);
        }
        let what = What::Multivariant(viewer.way.coding());
        let waiter = Waiter::Opening {
            viewer,
            step: Opening::Multivariant,
            since: now,
        };
        let found = self.request(now, pop, viewer.stream.audio(), what, waiter);
        if let Found::Answer { left, .. } = found {
            let then = left + viewer.way.round_trip();
            self.queue.put(then, Event::ReadPlaylist(pop, viewer));
        }
    }

    fn read_playlist(&mut self, now: Micros, pop: u16, viewer: Viewer) {
        if !self.is_up(pop) {
            return self.leave(now, pop, viewer);
        }
        let what = What::Playlist(viewer.way.coding());
        self.take(now, pop, viewer.stream.audio(), what);
        let waiter = Waiter::Opening {
            viewer,
            step: Opening::Playlist,
            since: now,
        };
        let found = self.request(now, pop, viewer.stream, what, waiter);
        if let Found::Answer { made, left } = found {
            self.playlist_read(left, pop, viewer, made);
        }
    }

    /// A viewer got a playlist that its origin made then.
    pub(super) fn playlist_read(&mut self, now: Micros, pop: u16, viewer: Viewer, made: Micros) {
        let k = self.catalogue.broadcast(viewer.stream).last_part(made);
        let then = now + viewer.way.round_trip();
        self.queue.put(then, Event::Begin(pop, viewer, k));
    }

    /// Fetches what is needed to begin, and follows from there.
    fn begin(&mut self, now: Micros, pop: u16, viewer: Viewer, k: u64) {
        if !self.is_up(pop) {
            return self.leave(now, pop, viewer);
        }
        for stream in [viewer.stream, viewer.stream.audio()] {
            self.take(now, pop, stream, What::Init);
            for part in k - k % PARTS..=k {
                self.take(now, pop, stream, What::Part(part));
            }
            self.follow(now, pop, stream, k + 1, viewer.way, 1);
        }
    }

    fn follow(&mut self, now: Micros, pop: u16, stream: Stream, k: u64, way: Way, count: u32) {
        if !self.is_up(pop) {
            return self.followers_leave(now, pop, stream, way, count);
        }
        let takers = Waiter::Takers { count, since: now };
        let _ = self.request(now, pop, stream, What::Part(k), takers);
        let followers = Waiter::Followers {
            stream,
            k,
            way,
            count,
            since: now,
        };
        let what = What::Position(k, way.coding());
        if let Found::Answer { left, .. } = self.request(now, pop, stream, what, followers) {
            self.ask_next(left, pop, stream, k, way, count);
        }
    }

    /// Viewers have the playlist of position `k`.
    pub(super) fn ask_next(
        &mut self,
        now: Micros,
        pop: u16,
        stream: Stream,
        k: u64,
        way: Way,
        count: u32,
    ) {
        let next = Event::Follow {
            pop,
            stream,
            k: k + 1,
            way,
            count,
        };
        self.queue.put(now + way.round_trip(), next);
    }

    fn poll(&mut self, now: Micros, pop: u16, viewer: Viewer) {
        if !self.is_up(pop) {
            return self.leave(now, pop, viewer);
        }
        // What a playlist lists that is a moment old.
        let listed = now.saturating_sub(500_000);
        let k = self.catalogue.broadcast(viewer.stream).last_part(listed);
        for stream in [viewer.stream, viewer.stream.audio()] {
            self.take(now, pop, stream, What::Playlist(viewer.way.coding()));
            self.take(now, pop, stream, What::Segment((k + 1) / PARTS - 1));
        }
        self.queue.put(now + SEGMENT, Event::Poll(pop, viewer));
    }

    /// Asks for one viewer who only takes it.
    fn take(&mut self, now: Micros, pop: u16, stream: Stream, what: What) {
        let waiter = Waiter::Takers {
            count: 1,
            since: now,
        };
        let _ = self.request(now, pop, stream, what, waiter);
    }

    /// What a point of presence does with viewers' requests for one thing.
    fn request(
        &mut self,
        now: Micros,
        pop: u16,
        stream: Stream,
        what: What,
        waiter: Waiter,
    ) -> Found {
        let object = self.catalogue.object(stream, what);
        let count = match waiter {
            Waiter::Takers { count, .. } | Waiter::Followers { count, .. } => u64::from(count),
            Waiter::Opening { .. } | Waiter::Downstream { .. } => 1,
        };
        let class = object.class as usize;
        let counts = self.ledger.at(now);
        counts.requests[class] += count;
        let machine = &mut self.nodes[usize::from(pop)];
        machine.cores.ask(now);
        let found = machine.shelf.fresh(&object.key, self.clock.at(now));
        if let Some(made) = found.map(|found| *found.value) {
            counts.hits[class] += count;
            let left = self.answer(now, pop, &object);
            self.tell(now, class, left - now, count, true);
            return Found::Answer { made, left };
        }
        let led = self.board(now, pop, object, waiter);
        self.ledger.at(now).collapsed[class] += count - u64::from(led);
        Found::Wait
    }

    /// Joins the flight for `object`, or begins one; whether it did.
    pub(super) fn board(
        &mut self,
        now: Micros,
        node: NodeId,
        object: Rc<Object>,
        waiter: Waiter,
    ) -> bool {
        use weir_pop::shelf::Boarding;

        let next = self.next_flight();
        let board = &mut self.nodes[usize::from(node)].board;
        match board.board(&object.key, || next) {
            Boarding::Follows(seat) => {
                if let Some(flight) = self.flight(seat) {
                    flight.waiters.push(waiter);
                }
                false
            }
            Boarding::Leads(seat) => {
                let mut flight = Flight::new(node, object, now);
                flight.waiters.push(waiter);
                self.take_off(seat, flight);
                self.go_on(now, seat);
                true
            }
        }
    }

    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.nodes[usize::from(node)].is_up
    }

    /// A viewer whose point of presence is gone goes to one nearby.
    pub(super) fn leave(&mut self, now: Micros, pop: u16, viewer: Viewer) {
        self.watching -= 1;
        self.ledger.at(now).moved += 1;
        self.move_on(now, pop, viewer);
    }

    fn move_on(&mut self, now: Micros, pop: u16, viewer: Viewer) {
        let near = self.geography.nearest_pops(usize::from(pop));
        let up: Vec<u16> = near
            .iter()
            .copied()
            .filter(|pop| self.is_up(*pop))
            .take(3)
            .collect();
        let to = up[self.random.usize(..up.len())];
        let takes = self.random.u64(SHORTEST_MOVE..LONGEST_MOVE);
        self.queue.put(now + takes, Event::Open(to, viewer));
    }

    /// Those who follow sound follow pictures too, and are counted there.
    pub(super) fn followers_leave(
        &mut self,
        now: Micros,
        pop: u16,
        stream: Stream,
        way: Way,
        count: u32,
    ) {
        if !stream.is_audio() {
            let viewer = Viewer {
                stream,
                way,
                low_latency: true,
            };
            (0..count).for_each(|_| self.leave(now, pop, viewer));
        }
    }
}
