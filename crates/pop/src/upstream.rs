//! What a PoP does towards origins and shields.
//!
//! What is decided is pure and takes `now`, so that a simulation can drive it:
//!
//! - [`router`]: where a request goes, and what follows when it fails there
//! - [`subject`]: what a target is about
//! - [`directory`]: which origin has which video
//! - [`rendezvous`]: which shield is for which video
//! - [`health`]: whether a peer is well
//! - [`budget`]: what retries and hedges may cost
//! - [`lateness`]: when an answer is late
//!
//! What is done:
//!
//! - [`settings`]: what a PoP is told of its peers
//! - `exchange`: what is asked on this PoP's own account
//! - `travel`: a request's way from peer to peer; `deliver`: that of one that is sent on
//! - `transport`: connections, and requests as they go out
//! - `answer`: what comes back
//! - `search`: asking origins which of them has a video
//! - `attend`: probes and leases, in the background
//! - `sender`: whether a request comes from a viewer or from another PoP
//! - `tally`: what is counted

mod answer;
mod attend;
pub mod budget;
mod deliver;
pub mod directory;
mod exchange;
pub mod health;
pub mod lateness;
pub mod rendezvous;
pub mod router;
mod search;
mod sender;
pub mod settings;
pub mod subject;
mod tally;
mod transport;
mod travel;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant as Now},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::ACCEPT_ENCODING};
use hyper::body::Incoming;
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tracing::error;

pub(crate) use self::sender::{LoopDetected, Sender};
use self::{
    answer::Limits,
    search::Searches,
    tally::Tally,
    transport::{Call, Transport},
    travel::Asking,
};
pub use self::{
    budget::{BudgetPolicy, RetryBudget},
    directory::{Directory, OriginId, Place},
    health::{Change, Condition, Health, HealthPolicy},
    lateness::Lateness,
    router::{Hedged, Journey, Member, PeerId, PeerStatus, Policy, Role, Router, Step},
    settings::{Settings, SettingsError, Shield},
    subject::Subject,
};
use crate::{
    growth::Grower,
    metrics::Metrics,
    order::{Errand, Order},
    trace,
};

/// Why an answer could not be had.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// No connection, or it broke before the answer's head was there.
    #[error("the origin cannot be reached")]
    Unreachable,
    /// The origin takes this PoP for a stranger.
    #[error("the origin does not take this point of presence for one of its own")]
    Refused,
    /// The answer's body ended before its end.
    #[error("the origin's answer was cut short")]
    CutShort,
    /// The origin took too long.
    #[error("the origin did not answer in time")]
    TimedOut,
    /// The answer is longer than this PoP takes.
    #[error("the origin's answer is longer than this PoP takes")]
    TooLong,
    /// The guest's plan names what is no target.
    #[error("the plan's target is no path")]
    InvalidTarget,
}

/// An answer of the origin, or of a shield.
#[derive(Debug)]
pub(crate) struct Answer<B> {
    pub(crate) status: StatusCode,
    /// The fields that viewers get, and those of other PoPs (`weir-…`).
    pub(crate) head: HeaderMap,
    pub(crate) body: B,
}

/// The body of what was fetched.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// All of it.
    Whole(Bytes),
    /// A segment that grows: to be taken by [`Upstream::pass_on`].
    Growing(Incoming),
}

/// Origins and shields behind one PoP. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Inner>);

struct Inner {
    transport: Transport,
    router: Mutex<Router>,
    searches: Searches,
    news: watch::Sender<News>,
    limits: Limits,
    tally: Tally,
    /// Origin peers that are asked for their leases.
    several_origins: bool,
}

/// What those who wait for a peer wake up by.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// How often a peer went down or came back.
    changes: u64,
    /// The PoP shuts down, and the origin perhaps with it: nothing is asked for again.
    draining: bool,
    /// Probes and leases are attended to.
    attended: bool,
}

impl Upstream {
    /// Connects to nobody yet.
    pub(crate) fn new(
        settings: Settings,
        pop_name: &str,
        max_bytes: usize,
        registry: &mut Registry,
    ) -> Result<Self, SettingsError> {
        let members = settings.members()?;
        let tally = Tally::register(registry, &members);
        let router = Router::new(settings.policy, &members, Now::now());
        let several_origins = router.origins().len() > 1;
        Ok(Self(Arc::new(Inner {
            transport: Transport::new(settings, pop_name)?,
            router: Mutex::new(router),
            searches: Searches::default(),
            news: watch::Sender::default(),
            limits: Limits { max_bytes },
            tally,
            several_origins,
        })))
    }

    /// From now on nothing is asked for again: the PoP shuts down, and the origin perhaps with it.
    pub(crate) fn drain(&self) {
        self.0.news.send_modify(|news| news.draining = true);
    }

    /// How peers do, in the order in which they were named, shields first.
    pub(crate) fn status(&self) -> Vec<PeerStatus> {
        self.0.router().status()
    }

    /// Fetches what `order` names. What the origin holds is asked for again for as long as it may
    /// wait: the origin may be starting anew, and viewers go on when it is back. Anything else is
    /// asked for once more, if the budget for that allows it.
    pub(crate) async fn fetch(
        &self,
        order: &Order,
        metrics: &Metrics,
    ) -> Result<Answer<Fetched>, FetchError> {
        let deadline = Instant::now() + order.wait;
        let journey = Journey::new(Subject::of(&order.target), order.held);
        let mut call = Call::get(order.target.clone());
        call.hops = order.hops.clone();
        let encoding = HeaderValue::from_static(order.encoding.as_str());
        call.head.insert(ACCEPT_ENCODING, encoding);
        trace::tell(order.trace.as_ref(), &mut call.head);
        let asking = Asking {
            call,
            class: order.class,
            grows: order.grows(),
            held: order.held,
            deadline,
        };
        self.0.travel(journey, &asking, metrics).await
    }

    /// Sends a viewer's request on to the origin, once: it may have done its work even if the answer
    /// is lost.
    pub(crate) async fn send(
        &self,
        errand: &Errand,
        head: &HeaderMap,
        body: Bytes,
        metrics: &Metrics,
    ) -> Result<Answer<Bytes>, FetchError> {
        let subject = match self.0.several_origins {
            true => deliver::subject_of_errand(errand, &body),
            false => Subject::of(&errand.target),
        };
        let mut call = Call::get(errand.target.clone());
        call.method = errand.method.clone();
        call.hops = errand.hops.clone();
        call.country = errand.country;
        call.body = body;
        trace::tell(errand.trace.as_ref(), &mut call.head);
        for name in deliver::sent_on(errand.body) {
            if let Some(value) = head.get(name) {
                call.head.insert(name, value.clone());
            }
        }
        let deadline = Instant::now() + errand.wait;
        let journey = Journey::new(subject, false).direct();
        metrics.asked_origin(errand.class);
        self.0.deliver(journey, &call, deadline).await
    }

    /// Opens what is no whole answer, such as a WebSocket (with `fields` that ask for the upgrade;
    /// then see [`hyper::upgrade::on`]), at the origin that `target` is about. The answer's head may
    /// take until `wait` is over, the rest any time.
    pub(crate) async fn open(
        &self,
        target: &str,
        fields: HeaderMap,
        wait: Duration,
    ) -> Result<Response<Incoming>, FetchError> {
        let deadline = Instant::now() + wait;
        let mut journey = Journey::new(Subject::of(target), false).direct();
        let origin = self.0.origin_for(&mut journey, deadline).await?;
        let mut call = Call::get(target.into());
        call.head = fields;
        let head = self.0.head(origin, &call, deadline).await;
        self.0.heard(origin, &head);
        head
    }

    /// Passes a growing body on as it comes, and gives the whole of it.
    pub(crate) async fn pass_on(
        &self,
        body: Incoming,
        grower: &Grower,
    ) -> Result<Bytes, FetchError> {
        self.0.limits.pass_on(body, grower).await
    }
}

impl Inner {
    fn router(&self) -> MutexGuard<'_, Router> {
        self.router.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn head(
        &self,
        peer: PeerId,
        call: &Call,
        deadline: Instant,
    ) -> Result<Response<Incoming>, FetchError> {
        let request = self.transport.request(peer, call)?;
        let response = timeout_at(deadline, self.transport.send(request))
            .await
            .map_err(|_| FetchError::TimedOut)??;
        if answer::calls_a_stranger(&response) {
            error!(
                peer = self.transport.name(peer),
                "the origin shares no edge secret with this point of presence"
            );
            return Err(FetchError::Refused);
        }
        Ok(response)
    }

    /// Takes what a peer did into account.
    fn heard<T>(&self, peer: PeerId, outcome: &Result<T, FetchError>) {
        let change = match outcome {
            Ok(_) | Err(FetchError::Refused | FetchError::TooLong) => {
                self.router().answered(peer, Now::now())
            }
            Err(FetchError::Unreachable | FetchError::TimedOut) => {
                self.router().failed(peer, Now::now())
            }
            // A body may be cut short for reasons of its own.
            Err(FetchError::CutShort | FetchError::InvalidTarget) => return,
        };
        self.tell(change);
    }

    fn tell(&self, change: Change) {
        if change != Change::None {
            self.tally.conditions(&self.router().status());
            self.news.send_modify(|news| news.changes += 1);
        }
    }
}

impl FetchError {
    /// Whether the next attempt may do better.
    fn is_passing(self) -> bool {
        matches!(self, Self::Unreachable | Self::CutShort | Self::Refused)
    }
}
