//! One request, from its head to its answer.
//!
//! The edge module is asked once, and on the spot the memory. So a hit is answered before anything
//! is waited for, and costs no task and no future of its own. What has to be waited for goes on in:
//!
//! - `fetch`: what is cached, or will be
//! - `forward`: what goes to the origin each time

mod fetch;
mod forward;

use std::{
    future::{Future, ready},
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, request::Parts};
use http_body::Body;
use tracing::error;
use weir_edge_abi::{Action, Class, Join, MAX_QUERY, Plan, Serve};
use weir_model::{VideoId, WallTime, edge::Hops, problem::Code};

use crate::{
    cache::{Disk, Hit, Memory, Templates},
    doors::Peer,
    facts::Facts,
    flights::Flights,
    guest::{Author, CallError, Guests, Mark},
    metrics::{Bound, Metrics, Outcome},
    order::{Errand, Order, cache_key},
    respond::{self, Asked, ViewerResponse, cache_status::CacheStatus, problem},
    room::Rooms,
    shelf::LiveEdges,
    timing::Timing,
    trace,
    upstream::{FetchError, LoopDetected, Sender, Upstream},
};

/// All that requests share.
pub(crate) struct Handler {
    pub(crate) guests: Arc<Guests>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) memory: Memory,
    pub(crate) disk: Option<Disk>,
    pub(crate) templates: Arc<Templates>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) live_edges: Mutex<LiveEdges>,
    pub(crate) upstream: Upstream,
    pub(crate) rooms: Rooms,
    pub(crate) metrics: Metrics,
    pub(crate) body_timeout: Duration,
}

/// What was decided about a request.
struct Decided {
    class: Class,
    mark: Option<Mark>,
    by_pop: bool,
    timing: Timing,
    step: Step,
}

/// What a plan comes to once the memory was asked.
enum Step {
    Done(Outcome, ViewerResponse),
    Found(Hit),
    Fetch(Order),
    Send(Errand),
    Join { video: VideoId, after: Option<u64> },
}

/// What is counted of an answer.
#[derive(Clone, Copy)]
struct Account {
    class: Class,
    mark: Option<Mark>,
    timing: Timing,
}

impl Handler {
    /// Answers `request` and counts it.
    pub(crate) fn answer<B>(
        self: Arc<Self>,
        request: Request<B>,
    ) -> impl Future<Output = ViewerResponse> + Send
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let now = Instant::now();
        let decided = self.decide(&parts, now);
        let by_pop = decided.by_pop;
        let account = Account {
            class: decided.class,
            mark: decided.mark,
            timing: decided.timing,
        };
        let (outcome, response) = match decided.step {
            Step::Done(outcome, response) => (outcome, response),
            Step::Found(hit) => {
                let asked = Asked {
                    method: &parts.method,
                    head: &parts.headers,
                    by_pop,
                };
                let status = status_of(&hit, false, now);
                (Outcome::Hit, respond::kept(&hit, asked, status, now))
            }
            Step::Join { video, after } => {
                let address = address(&parts);
                (
                    Outcome::Pass,
                    self.rooms.join(&mut parts, video, after, address),
                )
            }
            Step::Fetch(mut order) => {
                order.trace = trace::of(&parts);
                return Either::Right(Box::pin(async move {
                    self.fetch(order, &parts, by_pop, account).await
                }) as BoxedAnswer);
            }
            Step::Send(mut errand) => {
                errand.trace = trace::of(&parts);
                return Either::Right(Box::pin(async move {
                    let (outcome, response) =
                        self.send(&errand, account.mark, &parts.headers, body).await;
                    self.finish(account, outcome, response)
                }));
            }
        };
        Either::Left(ready(self.finish(account, outcome, response)))
    }

    /// Counts an answer, and says where its time went.
    fn finish(
        &self,
        account: Account,
        outcome: Outcome,
        mut response: ViewerResponse,
    ) -> ViewerResponse {
        self.metrics.answered(account.class, outcome);
        if let Some(mark) = account.mark {
            self.guests.answered(mark, response.status());
        }
        account.timing.tell(outcome, response.headers_mut());
        response
    }

    /// Asks the guest, and on the spot the memory.
    fn decide(&self, parts: &Parts, now: Instant) -> Decided {
        let refused = |response| Decided {
            class: Class::Web,
            mark: None,
            by_pop: false,
            timing: Timing::default(),
            step: Step::Done(Outcome::Denied, response),
        };
        let query = parts.uri.query().unwrap_or_default();
        if query.len() > MAX_QUERY {
            return refused(problem(Code::TooLarge, "the query is longer than 4 KiB"));
        }
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let sender = self
            .upstream
            .sender(parts.method.as_str(), target, &parts.headers);
        let sender = match sender {
            Ok(sender) => sender,
            Err(LoopDetected) => return refused(respond::loop_detected()),
        };
        let by_pop = matches!(sender, Sender::Edge { .. });
        let known = self.facts.of(parts, &sender);
        let request = known.request(wall_time());
        let decided = self.guests.decide(&request, |plan, author| {
            known.remember(&plan);
            if let Some(cmcd) = &plan.cmcd {
                self.metrics.players.count(cmcd);
            }
            let step = match self.over_limit(&plan, parts, now) {
                Some(wait) => Step::Done(Outcome::Denied, respond::rate_limited(wait)),
                None => self.step(&plan, &author, parts, &sender, now),
            };
            (plan.class, author.mark, step)
        });
        let timing = Timing {
            edge: now.elapsed(),
            origin: None,
        };
        self.metrics.guest_called(timing.edge);
        match decided {
            Ok((class, mark, step)) => Decided {
                class,
                mark: Some(mark),
                by_pop,
                timing,
                step,
            },
            Err(CallError::Overflow(_)) => {
                refused(problem(Code::TooLarge, "the path is longer than 2 KiB"))
            }
            Err(error) => Decided {
                class: Class::Web,
                mark: None,
                by_pop,
                timing,
                step: Step::Done(Outcome::Error, self.guest_failed(&error)),
            },
        }
    }

    fn step(
        &self,
        plan: &Plan<'_>,
        author: &Author<'_>,
        parts: &Parts,
        sender: &Sender,
        now: Instant,
    ) -> Step {
        let hops = || match sender {
            Sender::Viewer => Hops::default(),
            Sender::Edge { hops, .. } => hops.clone(),
        };
        match &plan.action {
            Action::Respond(response) => Step::Done(Outcome::Pass, respond::own(response)),
            Action::Deny(response) => Step::Done(Outcome::Denied, respond::own(response)),
            Action::Serve(serve) => {
                let key = cache_key(author.namespace, serve);
                if let Some(hit) = self.memory.fresh(&key, now) {
                    return Step::Found(hit);
                }
                match self.beyond(plan.class, serve, now) {
                    Some(refusal) => Step::Done(Outcome::Denied, refusal),
                    None => Step::Fetch(Order::new(plan.class, serve, &key, hops())),
                }
            }
            Action::Forward(forward) => {
                let method = parts.method.clone();
                Step::Send(Errand::new(plan.class, method, forward, hops()))
            }
            Action::Join(Join { room, after }) => match room.parse() {
                Ok(video) => Step::Join {
                    video,
                    after: *after,
                },
                Err(_) => Step::Done(
                    Outcome::Error,
                    problem(Code::Internal, "the edge named what is no room"),
                ),
            },
        }
    }

    /// How long the client's address has to wait, if it did too much of what the plan limits. Who
    /// comes through another point of presence was held to it there.
    fn over_limit(&self, plan: &Plan<'_>, parts: &Parts, now: Instant) -> Option<Duration> {
        let (limit, address) = (plan.limit?, address(parts)?);
        let wait = self.facts.rates.take(limit, address, now).err()?;
        self.metrics.ran_into(Bound::Rate);
        Some(wait)
    }

    /// The refusal of a position that cannot be there for a while: made-up positions are no way to
    /// the origin.
    fn beyond(&self, class: Class, serve: &Serve<'_>, now: Instant) -> Option<ViewerResponse> {
        let position = serve.position.as_ref()?;
        let edges = self
            .live_edges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let beyond = edges.is_beyond(&position.stream, position.msn, now);
        beyond.then(|| match class {
            Class::Playlist => problem(
                Code::PositionTooFarAhead,
                "the position is more than two segments ahead",
            ),
            _ => problem(Code::MediaNotFound, "there is no such segment yet"),
        })
    }

    fn guest_failed(&self, error: &CallError) -> ViewerResponse {
        error!(%error, "edge module failed");
        self.metrics.guest_failures.inc();
        problem(Code::Unavailable, "the edge cannot decide; try again")
    }
}

type BoxedAnswer = Pin<Box<dyn Future<Output = ViewerResponse> + Send>>;

/// What the cache says of a hit.
fn status_of(hit: &Hit, from_disk: bool, now: Instant) -> CacheStatus {
    match hit.life.stands_in() {
        true => CacheStatus::Stale,
        false => CacheStatus::Hit {
            ttl: hit.life.ttl(now),
            from_disk,
        },
    }
}

fn fetch_failed(error: FetchError, held: bool) -> ViewerResponse {
    match error {
        FetchError::TimedOut if held => {
            problem(Code::PositionTimeout, "the position did not come in time")
        }
        FetchError::Unreachable if held => problem(
            Code::Unavailable,
            "the origin went away and did not come back in time",
        ),
        FetchError::Unreachable => problem(Code::OriginUnreachable, "the origin cannot be reached"),
        FetchError::Refused => problem(
            Code::OriginUnreachable,
            "the origin does not take this point of presence for one of its own",
        ),
        FetchError::TimedOut => {
            problem(Code::OriginUnreachable, "the origin did not answer in time")
        }
        FetchError::CutShort => {
            problem(Code::OriginUnreachable, "the origin's answer was cut short")
        }
        FetchError::TooLong => problem(Code::OriginUnreachable, "the origin's answer is too long"),
        FetchError::InvalidTarget => problem(Code::Internal, "the edge asked for what is no path"),
    }
}

/// Who asks, as far as the door knows.
fn address(parts: &Parts) -> Option<IpAddr> {
    let Peer(peer) = parts.extensions.get()?;
    Some(peer.ip())
}

fn wall_time() -> WallTime {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(0).plus(since_1970)
}
