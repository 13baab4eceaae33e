//! Where a request goes, and what follows when it fails there: all that is decided about peers,
//! without a clock or a socket.
//!
//! Requests go to the shield that is for their video; if it is not well, to the next best; if none
//! is, to the origin that has the video. [`Router::next`] says it step by step:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use weir_pop::upstream::{Journey, Member, Policy, Role, Router, Step, Subject};
//!
//! let now = Instant::now();
//! let members = [
//!     Member { name: "s1".to_owned(), role: Role::Shield, weight: 1 },
//!     Member { name: "o1".to_owned(), role: Role::Origin, weight: 1 },
//! ];
//! let mut router = Router::new(Policy::default(), &members, now);
//! let mut journey = Journey::new(Subject::of("/v/oabcdefghijk/index.m3u8"), false);
//! assert_eq!(router.next(&mut journey, now), Step::Ask(0));
//! router.failed(0, now);
//! assert_eq!(router.next(&mut journey, now), Step::Ask(1));
//! router.answered(1, now);
//! ```

use std::time::{Duration, Instant};

use weir_model::VideoId;

use super::{
    budget::{BudgetPolicy, RetryBudget},
    directory::{Directory, OriginId, Place},
    health::{Change, Condition, Health, HealthPolicy},
    lateness::Lateness,
    rendezvous,
    subject::Subject,
};

/// Number of a peer, in the order in which they were named.
pub type PeerId = usize;

/// First pause before peers that failed are asked again; it doubles up to [`MAX_PAUSE`].
const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_millis(500);
/// How often what need not be held is asked for.
const ATTEMPTS: u32 = 2;

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Another point of presence, between this one and the origins.
    Shield,
    /// Where videos are.
    Origin,
}

/// A peer, as it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What a shield is chosen by; the same at every point of presence.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// How much of the videos a shield takes, against others.
    pub weight: u32,
}

/// Bounds of what peers are asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// When a peer counts as gone, and as back.
    pub health: HealthPolicy,
    /// What retries and hedges may cost.
    pub budget: BudgetPolicy,
}

/// What is hedged, each with a notion of lateness of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hedged {
    /// A playlist position that is waited for.
    Position = 0,
    /// A part.
    Part = 1,
}

/// One request on its way.
#[derive(Clone, Debug)]
pub struct Journey {
    subject: Subject,
    /// Whether it waits for its answer as long as it may, whatever happens to peers meanwhile.
    held: bool,
    /// Whether it goes past the shields.
    direct: bool,
    /// Peers that failed it since the last pause.
    tried: Vec<PeerId>,
    asked: u32,
    pause: Duration,
    /// It waited for a peer to come back, and goes on as if it were the first.
    resumed: bool,
    misdirected: bool,
}

impl Journey {
    /// A request about `subject`.
    pub fn new(subject: Subject, held: bool) -> Self {
        Self {
            subject,
            held,
            direct: false,
            tried: Vec::new(),
            asked: 0,
            pause: MIN_PAUSE,
            resumed: false,
            misdirected: false,
        }
    }

    /// The same past the shields.
    pub fn direct(self) -> Self {
        Self {
            direct: true,
            ..self
        }
    }

    /// Whether it is about what several origins may have.
    pub fn may_be_anywhere(&self) -> bool {
        matches!(self.subject, Subject::Any(_))
    }

    /// How often a peer was asked.
    pub fn asked(&self) -> u32 {
        self.asked
    }
}

/// What a request does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this peer; then say what came of it.
    Ask(PeerId),
    /// Find out which origin has the video, tell [`Router::searched`], and ask again.
    Search(VideoId),
    /// Ask again after this.
    Pause(Duration),
    /// Ask again once a peer rose.
    AwaitPeer,
    /// Fail.
    GiveUp,
}

/// A peer, as it is.
#[derive(Debug)]
struct Peer {
    member: Member,
    health: Health,
    budget: RetryBudget,
    lateness: [Lateness; 2],
}

/// How a peer does, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Whether it is asked.
    pub condition: Condition,
    /// Retries that it may be asked at once.
    pub retries_left: u64,
    /// Videos on air there, of an origin that tells.
    pub leases: usize,
}

/// All that one point of presence knows of its peers.
#[derive(Debug)]
pub struct Router {
    peers: Vec<Peer>,
    shields: Vec<PeerId>,
    origins: Vec<PeerId>,
    directory: Directory,
}

impl Router {
    /// A router among `members`, of whom nothing bad is known.
    pub fn new(policy: Policy, members: &[Member], now: Instant) -> Self {
        let peer = |member: &Member| Peer {
            member: member.clone(),
            health: Health::new(policy.health, now),
            budget: RetryBudget::new(policy.budget, now),
            lateness: Default::default(),
        };
        let of_role = |role| {
            let is = move |(id, member): (PeerId, &Member)| (member.role == role).then_some(id);
            members
                .iter()
                .enumerate()
                .filter_map(is)
                .collect::<Vec<_>>()
        };
        let origins = of_role(Role::Origin);
        Self {
            peers: members.iter().map(peer).collect(),
            shields: of_role(Role::Shield),
            directory: Directory::new(origins.len()),
            origins,
        }
    }

    /// What a request does next: at its beginning, and after each [`failed`](Self::failed).
    pub fn next(&mut self, journey: &mut Journey, now: Instant) -> Step {
        let route = match self.route(journey, now) {
            Ok(route) => route,
            Err(video) => return Step::Search(video),
        };
        let untried = route
            .iter()
            .copied()
            .filter(|id| !journey.tried.contains(id));
        let admitted = untried.into_iter().find(|id| self.admit(*id, now));
        match admitted {
            Some(id) => self.ask(id, journey, now),
            None if journey.tried.is_empty() => {
                journey.resumed = true;
                if journey.held {
                    Step::AwaitPeer
                } else {
                    Step::GiveUp
                }
            }
            None if journey.held || journey.asked < ATTEMPTS => {
                journey.tried.clear();
                let pause = journey.pause;
                journey.pause = (2 * pause).min(MAX_PAUSE);
                Step::Pause(pause)
            }
            None => Step::GiveUp,
        }
    }

    fn ask(&mut self, id: PeerId, journey: &mut Journey, now: Instant) -> Step {
        let Some(peer) = self.peers.get_mut(id) else {
            return Step::GiveUp;
        };
        if journey.asked == 0 || journey.resumed {
            peer.budget.requested(now);
        } else if !peer.budget.spend(now) {
            return match journey.held {
                true => Step::Pause(peer.budget.ready_in(now).max(MIN_PAUSE)),
                false => Step::GiveUp,
            };
        }
        journey.resumed = false;
        journey.asked += 1;
        journey.tried.push(id);
        Step::Ask(id)
    }

    /// Whom a request may ask, best first; or the video that has to be found before.
    fn route(&self, journey: &Journey, now: Instant) -> Result<Vec<PeerId>, VideoId> {
        let subject = &journey.subject;
        let mut route = Vec::new();
        if !journey.direct {
            let shields = self.shields.iter().filter_map(|&id| self.peers.get(id));
            let named = shields.map(|peer| (peer.member.name.as_str(), peer.member.weight));
            let ranked = rendezvous::rank(subject.key(), named);
            route.extend(ranked.into_iter().filter_map(|at| self.shields.get(at)));
        }
        match subject {
            Subject::Any(_) => route.extend(&self.origins),
            Subject::Video(video) => match self.directory.look_up(*video, now) {
                Place::At(origin) => route.extend(self.origins.get(origin)),
                // It says best itself that it has no such video.
                Place::Nowhere => route.extend(self.origins.first()),
                // Shields know.
                Place::Unknown if self.any_open(&route, journey) => {}
                Place::Unknown => return Err(*video),
            },
        }
        Ok(route)
    }

    fn any_open(&self, route: &[PeerId], journey: &Journey) -> bool {
        let open = |id: &PeerId| {
            let up = |peer: &Peer| peer.health.condition() != Condition::Down;
            !journey.tried.contains(id) && self.peers.get(*id).is_some_and(up)
        };
        route.iter().any(open)
    }

    fn admit(&mut self, id: PeerId, now: Instant) -> bool {
        self.peers
            .get_mut(id)
            .is_some_and(|peer| peer.health.admit(now))
    }

    /// The peer answered, whatever it said.
    pub fn answered(&mut self, id: PeerId, now: Instant) -> Change {
        let peer = self.peers.get_mut(id);
        peer.map_or(Change::None, |peer| peer.health.succeeded(now))
    }

    /// The peer could not be reached, or left a request without an answer.
    pub fn failed(&mut self, id: PeerId, now: Instant) -> Change {
        let peer = self.peers.get_mut(id);
        peer.map_or(Change::None, |peer| peer.health.failed(now))
    }

    /// An origin said that it has not got the video. Whether the request is worth another go.
    pub fn misdirected(&mut self, journey: &mut Journey, id: PeerId) -> bool {
        let Some(origin) = self.origins.iter().position(|origin| *origin == id) else {
            return false;
        };
        let Subject::Video(video) = journey.subject else {
            return false;
        };
        if self.origins.len() == 1 {
            return false;
        }
        self.directory.misdirected(video, origin);
        let again = !journey.misdirected;
        journey.misdirected = true;
        journey.tried.clear();
        again
    }

    /// A second peer for a request that is late at `first`: the next best, or the same over another
    /// connection; `None` if there is no budget for it.
    pub fn hedge(&mut self, journey: &mut Journey, first: PeerId, now: Instant) -> Option<PeerId> {
        let route = self.route(journey, now).unwrap_or_default();
        let other = route
            .into_iter()
            .find(|id| !journey.tried.contains(id) && self.admit(*id, now));
        let second = other.unwrap_or(first);
        let peer = self.peers.get_mut(second)?;
        peer.budget.spend(now).then(|| {
            journey.asked += 1;
            journey.tried.push(second);
            second
        })
    }

    /// After what time such an answer of this peer is late, if that is known.
    pub fn late_after(&self, id: PeerId, what: Hedged) -> Option<Duration> {
        self.peers.get(id)?.lateness[what as usize].late_after()
    }

    /// Such an answer of this peer took so long, or was given up then.
    pub fn took(&mut self, id: PeerId, what: Hedged, time: Duration) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.lateness[what as usize].took(time);
        }
    }

    /// Who is to be probed at `now`; each is due again later.
    pub fn probes(&mut self, now: Instant) -> Vec<PeerId> {
        let alone = self.peers.len() == 1;
        let mut due = Vec::new();
        for (id, peer) in self.peers.iter_mut().enumerate() {
            // Where there is no choice, there is nothing to know of a peer that answers.
            let idle = alone && peer.health.condition() == Condition::Up;
            if !idle && peer.health.probe_at() <= now {
                peer.health.probed(now);
                due.push(id);
            }
        }
        due
    }

    /// Whether requests may go to the peer.
    pub fn condition(&self, id: PeerId) -> Condition {
        self.peers
            .get(id)
            .map_or(Condition::Down, |peer| peer.health.condition())
    }

    /// The origins, in order.
    pub fn origins(&self) -> &[PeerId] {
        &self.origins
    }

    /// Which origin has which video.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The same, to tell it what origins said.
    pub fn directory_mut(&mut self) -> &mut Directory {
        &mut self.directory
    }

    /// A search ended: this origin has the video, or none has.
    pub fn searched(&mut self, video: VideoId, origin: Option<OriginId>, now: Instant) {
        self.directory.searched(video, origin, now);
    }

    /// How all of them do, in the order in which they were named.
    pub fn status(&self) -> Vec<PeerStatus> {
        let status = |(id, peer): (PeerId, &Peer)| PeerStatus {
            name: peer.member.name.clone(),
            role: peer.member.role,
            condition: peer.health.condition(),
            retries_left: peer.budget.left(),
            leases: self
                .origins
                .iter()
                .position(|origin| *origin == id)
                .map_or(0, |origin| self.directory.count(origin)),
        };
        self.peers.iter().enumerate().map(status).collect()
    }
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
