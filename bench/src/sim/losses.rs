//! Machines that go and come.

use super::{
    node::{self, Flight, FlightId, Node, NodeId, Waiter},
    queue::Micros,
    world::{Event, World},
};

impl World {
    /// The fullest point of presence is gone; its viewers go elsewhere.
    pub(super) fn lose_pop(&mut self, now: Micros) {
        let lost = self.lost_pop;
        for waiter in self.go_down(lost) {
            match waiter {
                Waiter::Followers {
                    stream, way, count, ..
                } => {
                    self.followers_leave(now, lost, stream, way, count);
                }
                Waiter::Opening { viewer, .. } => self.leave(now, lost, viewer),
                Waiter::Takers { .. } | Waiter::Downstream { .. } => {}
            }
        }
    }

    /// The shield of the hot broadcast is gone; whoever asked it hears so.
    pub(super) fn lose_shield(&mut self, now: Micros) {
        let video = self.catalogue.broadcasts[0].video;
        let subject = weir_pop::upstream::Subject::Video(video);
        let members = node::members(&self.scenario, false);
        let shields = members.iter().take(usize::from(self.scenario.shields));
        let named = shields.map(|member| (member.name.as_str(), member.weight));
        let best = weir_pop::upstream::rendezvous::rank(subject.key(), named)[0];
        self.lost_shield = self.scenario.pops + best as NodeId;
        let lost = self.lost_shield;
        for waiter in self.go_down(lost) {
            let Waiter::Downstream { flight, attempt } = waiter else {
                continue;
            };
            if let Some(pop) = self.flight(flight).map(|flight| flight.node) {
                let back = self.geography.one_way(usize::from(pop), usize::from(lost));
                let broken = Event::Answered {
                    flight,
                    attempt,
                    made: None,
                };
                self.queue.put(now + back, broken);
            }
        }
    }

    /// The shield is back, and knows nothing.
    pub(super) fn return_shield(&mut self, now: Micros) {
        let members = node::members(&self.scenario, true);
        let broadcasts = &self.catalogue.broadcasts;
        let back = Node::new(&self.scenario, &members, broadcasts, self.clock.at(now));
        self.nodes[usize::from(self.lost_shield)] = back;
    }

    /// Ends all flights of a node; who waited for them.
    fn go_down(&mut self, node: NodeId) -> Vec<Waiter> {
        self.nodes[usize::from(node)].is_up = false;
        let of_node = |(at, (generation, flight)): (usize, &(u32, Option<Flight>))| {
            let flight = flight.as_ref().filter(|flight| flight.node == node);
            flight.map(|_| FlightId {
                at: at as u32,
                generation: *generation,
            })
        };
        let flights = self.flights.iter().enumerate().filter_map(of_node);
        let flights: Vec<FlightId> = flights.collect();
        let ended = flights.into_iter().filter_map(|id| self.end_flight(id));
        ended.flat_map(|flight| flight.waiters).collect()
    }
}
