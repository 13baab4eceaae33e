//! What points of presence do about what they lack: flights to shields and origins, their failures and
//! hedges. What is decided, the PoP's own rules decide; here requests only take their time.

use std::time::Duration;

use weir_pop::{
    shelf::{Arrival, Verdict, judge},
    upstream::{Change, PeerId, Step},
};

use super::{
    audience::Way,
    catalogue::{MOST_SHIELDS, Object},
    node::{Flight, FlightId, Node, NodeId, Opening, Waiter, hedged},
    queue::Micros,
    stream::Stream,
    world::{Event, World},
};

/// What an origin takes to answer what it has.
const ORIGIN_TAKES: Micros = 300;
/// What a shield takes.
const SHIELD_TAKES: Micros = 100;

/// Where a peer is.
enum Peer {
    Shield(NodeId),
    Origin(u16),
}

impl World {
    pub(super) fn next_flight(&mut self) -> FlightId {
        let at = match self.free.last() {
            Some(at) => *at,
            None => {
                self.flights.push((0, None));
                let at = (self.flights.len() - 1) as u32;
                self.free.push(at);
                at
            }
        };
        let generation = self.flights[at as usize].0;
        FlightId { at, generation }
    }

    pub(super) fn take_off(&mut self, id: FlightId, flight: Flight) {
        self.free.pop();
        self.flights[id.at as usize].1 = Some(flight);
    }

    pub(super) fn flight(&mut self, id: FlightId) -> Option<&mut Flight> {
        let (generation, flight) = &mut self.flights[id.at as usize];
        flight.as_mut().filter(|_| *generation == id.generation)
    }

    pub(super) fn end_flight(&mut self, id: FlightId) -> Option<Flight> {
        let (generation, flight) = &mut self.flights[id.at as usize];
        if *generation != id.generation {
            return None;
        }
        let flight = flight.take()?;
        *generation += 1;
        self.free.push(id.at);
        Some(flight)
    }

    /// A flight does what its router says next.
    pub(super) fn go_on(&mut self, now: Micros, id: FlightId) {
        let at = self.clock.at(now);
        let (generation, flight) = &mut self.flights[id.at as usize];
        let Some(flight) = flight.as_mut().filter(|_| *generation == id.generation) else {
            return;
        };
        let node = flight.node;
        let wait = flight.object.wait.as_micros() as Micros;
        let deadline = flight.began + wait;
        let router = &mut self.nodes[usize::from(node)].router;
        match router.next(&mut flight.journey, at) {
            Step::Ask(peer) => {
                if flight.journey.asked() > 1 {
                    self.ledger.at(now).retries += 1;
                }
                let late_after = hedged(&flight.object)
                    .and_then(|what| self.nodes[usize::from(node)].router.late_after(peer, what));
                if let Some(late_after) = late_after {
                    self.queue.put(now + micros(late_after), Event::Hedge(id));
                }
                self.ask(now, id, peer);
            }
            Step::Pause(pause) if now + micros(pause) <= deadline => {
                self.queue.put(now + micros(pause), Event::GoOn(id));
            }
            Step::AwaitPeer => self.nodes[usize::from(node)].awaiting.push(id),
            Step::Search(video) => panic!("{video} is in no directory"),
            Step::Pause(_) | Step::GiveUp => self.land(now, id, None),
        }
    }

    fn ask(&mut self, now: Micros, id: FlightId, peer: PeerId) {
        let Some(flight) = self.flight(id) else {
            return;
        };
        let attempt = flight.asked.len() as u32;
        flight.asked.push((peer, now));
        flight.open += 1;
        let (node, object) = (flight.node, flight.object.clone());
        match self.peer(node, peer) {
            Peer::Shield(shield) => {
                let way = self
                    .geography
                    .one_way(usize::from(node), usize::from(shield));
                self.ledger.at(now).to_shields += 1;
                let reach = Event::Reach {
                    shield,
                    from: id,
                    attempt,
                };
                self.queue.put(now + way, reach);
            }
            Peer::Origin(origin) => {
                let way = self.geography.to_origin(usize::from(node), origin);
                let comes = now + way;
                let made = match object.held {
                    true => comes.max(object.complete_at),
                    false => comes,
                };
                let counts = self.ledger.at(comes);
                counts.to_origins[object.class as usize] += 1;
                let by = match node.checked_sub(self.scenario.pops) {
                    Some(shield) => usize::from(shield),
                    None => {
                        counts.past_shields += 1;
                        MOST_SHIELDS
                    }
                };
                let asked = object.asked[by].get();
                object.asked[by].set(asked + 1);
                // Points of presence that go past a shield have nobody to ask together.
                if object.once && asked > 0 && by < MOST_SHIELDS {
                    counts.repeated += 1;
                }
                let answered = Event::Answered {
                    flight: id,
                    attempt,
                    made: Some(made),
                };
                self.queue.put(made + ORIGIN_TAKES + way, answered);
            }
        }
    }

    fn peer(&self, node: NodeId, peer: PeerId) -> Peer {
        let (pops, shields) = (self.scenario.pops, self.scenario.shields);
        let peer = peer as u16;
        match node < pops {
            true if peer < shields => Peer::Shield(pops + peer),
            true => Peer::Origin(peer - shields),
            false => Peer::Origin(peer),
        }
    }

    /// A request of a point of presence has come to a shield.
    pub(super) fn reach(&mut self, now: Micros, shield: NodeId, from: FlightId, attempt: u32) {
        let Some(flight) = self.flight(from) else {
            return;
        };
        let (pop, object) = (flight.node, flight.object.clone());
        let back = self
            .geography
            .one_way(usize::from(pop), usize::from(shield));
        if !self.is_up(shield) {
            let refused = Event::Answered {
                flight: from,
                attempt,
                made: None,
            };
            return self.queue.put(now + back, refused);
        }
        let shelf = &self.nodes[usize::from(shield)].shelf;
        if let Some(found) = shelf.fresh(&object.key, self.clock.at(now)) {
            let made = Some(*found.value);
            let answered = Event::Answered {
                flight: from,
                attempt,
                made,
            };
            return self.queue.put(now + SHIELD_TAKES + back, answered);
        }
        self.board(
            now,
            shield,
            object,
            Waiter::Downstream {
                flight: from,
                attempt,
            },
        );
    }

    /// A flight's peer answered or failed.
    pub(super) fn answered(
        &mut self,
        now: Micros,
        id: FlightId,
        attempt: u32,
        made: Option<Micros>,
    ) {
        let at = self.clock.at(now);
        let Some(flight) = self.flight(id) else {
            return;
        };
        flight.open -= 1;
        let (node, open) = (flight.node, flight.open);
        let (peer, asked_at) = flight.asked[attempt as usize];
        let (first, _) = flight.asked[0];
        let what = hedged(&flight.object);
        let router = &mut self.nodes[usize::from(node)].router;
        let mut changes = [Change::None; 2];
        match made {
            Some(_) => {
                changes[0] = router.answered(peer, at);
                if let Some(what) = what {
                    router.took(peer, what, Duration::from_micros(now - asked_at));
                    if attempt > 0 && open > 0 && peer != first {
                        // It left unanswered what another one had.
                        changes[1] = router.failed(first, at);
                    }
                }
            }
            None => changes[0] = router.failed(peer, at),
        }
        if changes.iter().any(|change| *change != Change::None) {
            self.wake(now, node);
        }
        match made {
            Some(made) => self.land(now, id, Some(made)),
            None if open == 0 => self.go_on(now, id),
            None => {}
        }
    }

    /// Flights that waited for a peer try again.
    fn wake(&mut self, now: Micros, node: NodeId) {
        for id in std::mem::take(&mut self.nodes[usize::from(node)].awaiting) {
            self.queue.put(now, Event::GoOn(id));
        }
    }

    /// A flight that is under way still gets a second peer, if there is the budget.
    pub(super) fn hedge(&mut self, now: Micros, id: FlightId) {
        let at = self.clock.at(now);
        let (generation, flight) = &mut self.flights[id.at as usize];
        let Some(flight) = flight
            .as_mut()
            .filter(|f| *generation == id.generation && f.open == 1)
        else {
            return;
        };
        let (first, _) = flight.asked[flight.asked.len() - 1];
        let router = &mut self.nodes[usize::from(flight.node)].router;
        if let Some(second) = router.hedge(&mut flight.journey, first, at) {
            self.ledger.at(now).hedges += 1;
            self.ask(now, id, second);
        }
    }

    /// What a flight brought is kept by the rules, and everyone who waited is told.
    fn land(&mut self, now: Micros, id: FlightId, made: Option<Micros>) {
        let Some(flight) = self.end_flight(id) else {
            return;
        };
        let at = self.clock.at(now);
        let Flight {
            node,
            object,
            waiters,
            ..
        } = flight;
        let Node { shelf, board, .. } = &mut self.nodes[usize::from(node)];
        let arrival = match made {
            Some(_) => Arrival::Good,
            None => Arrival::Nothing,
        };
        let made = match judge(arrival, shelf.life(&object.key), &object.terms, at) {
            Verdict::Keep(life) => {
                let value = made.unwrap_or(now);
                shelf.keep(&object.key, value, life, u64::from(object.bytes), at);
                Some(value)
            }
            Verdict::StandIn(life) => shelf.stand_in(&object.key, life).map(|found| *found.value),
            Verdict::Tell => None,
        };
        board.land(&object.key);
        let class = object.class as usize;
        // Nobody waits for what cannot be there.
        let due = |since: Micros| match object.held {
            true => since.max(object.complete_at),
            false => since,
        };
        let mut next: Vec<(Stream, u64, Way, u32)> = Vec::new();
        for waiter in waiters {
            match waiter {
                Waiter::Takers { count, since } => {
                    let left = self.answer(now, node, &object);
                    self.tell(now, class, left - due(since), count.into(), made.is_some());
                }
                Waiter::Followers {
                    stream,
                    k,
                    way,
                    count,
                    since,
                } => {
                    let left = self.answer(now, node, &object);
                    self.tell(now, class, left - due(since), count.into(), made.is_some());
                    // A player asks again for what it was not given.
                    let k = if made.is_some() { k } else { k - 1 };
                    if left > now {
                        self.ask_next(left, node, stream, k, way, count);
                        continue;
                    }
                    let same = |next: &&mut (Stream, u64, Way, u32)| {
                        (next.0, next.1, next.2) == (stream, k, way)
                    };
                    match next.iter_mut().find(same) {
                        Some((.., sum)) => *sum += count,
                        None => next.push((stream, k, way, count)),
                    }
                }
                Waiter::Opening {
                    viewer,
                    step,
                    since,
                } => {
                    let left = self.answer(now, node, &object);
                    self.tell(now, class, left - since, 1, made.is_some());
                    let then = left + viewer.way.round_trip();
                    match (step, made) {
                        (Opening::Multivariant, Some(_)) => {
                            self.queue.put(then, Event::ReadPlaylist(node, viewer));
                        }
                        (Opening::Playlist, Some(made)) => {
                            self.playlist_read(left, node, viewer, made);
                        }
                        // A player begins anew.
                        (_, None) => self.leave(now, node, viewer),
                    }
                }
                Waiter::Downstream { flight, attempt } => {
                    let Some(pop) = self.flight(flight).map(|flight| flight.node) else {
                        continue;
                    };
                    let back = self.geography.one_way(usize::from(pop), usize::from(node));
                    let answered = Event::Answered {
                        flight,
                        attempt,
                        made,
                    };
                    self.queue.put(now + SHIELD_TAKES + back, answered);
                }
            }
        }
        for (stream, k, way, count) in next {
            self.ask_next(now, node, stream, k, way, count);
        }
    }

    /// When an answer for a viewer has left, that is there now.
    pub(super) fn answer(&mut self, now: Micros, node: NodeId, object: &Object) -> Micros {
        let left = self.nodes[usize::from(node)].cores.answer(now);
        if self.scenario.cores.is_some() && object.held {
            let late = left.saturating_sub(object.complete_at);
            object.late.borrow_mut().push(late as u32);
        }
        left
    }

    pub(super) fn tell(&mut self, now: Micros, class: usize, late: Micros, count: u64, well: bool) {
        let counts = self.ledger.at(now);
        counts.late[class].count(late, count);
        if !well {
            counts.failed += count;
        }
    }

    /// Whoever is due is probed.
    pub(super) fn probe(&mut self, now: Micros, node: NodeId) {
        if !self.is_up(node) {
            return;
        }
        let at = self.clock.at(now);
        for peer in self.nodes[usize::from(node)].router.probes(at) {
            let (way, up) = match self.peer(node, peer) {
                Peer::Shield(shield) => {
                    let way = self
                        .geography
                        .one_way(usize::from(node), usize::from(shield));
                    (way, self.is_up(shield))
                }
                Peer::Origin(origin) => (self.geography.to_origin(usize::from(node), origin), true),
            };
            self.queue
                .put(now + 2 * way, Event::Probed { node, peer, up });
        }
    }

    pub(super) fn probed(&mut self, now: Micros, node: NodeId, peer: PeerId, up: bool) {
        let at = self.clock.at(now);
        let router = &mut self.nodes[usize::from(node)].router;
        let change = match up {
            true => router.answered(peer, at),
            false => router.failed(peer, at),
        };
        if change != Change::None {
            self.wake(now, node);
        }
    }
}

fn micros(duration: Duration) -> Micros {
    duration.as_micros() as Micros
}
