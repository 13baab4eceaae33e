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
    future::{Future, Ready, ready},
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
    doors::Caller,
    facts::Facts,
    flights::Flights,
    guest::{Author, CallError, Guests, Mark},
    metrics::{Bound, Metrics, Outcome},
    order::{Errand, Order, cache_key, stream_key},
    respond::{
        self, Asked, Content, Kept, Reply, ViewerResponse, cache_status::CacheStatus, problem,
    },
    room::Rooms,
    shelf::LiveEdges,
    timing::Timing,
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

/// An answer that is there, or one that is waited for.
pub(crate) type Answering = Either<Ready<Reply>, Pin<Box<dyn Future<Output = Reply> + Send>>>;

/// What is counted of an answer.
#[derive(Clone, Copy)]
struct Account {
    class: Class,
    mark: Option<Mark>,
    timing: Timing,
}

impl Handler {
    /// Answers `request` and counts it.
    pub(crate) fn answer<B>(self: &Arc<Self>, request: Request<B>, caller: Caller) -> Answering
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let now = caller.came;
        let decided = self.decide(&parts, &caller);
        let by_pop = decided.by_pop;
        let account = Account {
            class: decided.class,
            mark: decided.mark,
            timing: decided.timing,
        };
        let (outcome, content) = match decided.step {
            Step::Done(outcome, response) => (outcome, response.into()),
            Step::Found(hit) => {
                let asked = Asked {
                    method: &parts.method,
                    head: &parts.headers,
                    by_pop,
                };
                let status = status_of(&hit, false, now);
                (Outcome::Hit, Kept::new(hit, asked, status, now).into())
            }
            Step::Join { video, after } => {
                let address = Some(caller.address);
                let response = self.rooms.join(&mut parts, video, after, address);
                (Outcome::Pass, response.into())
            }
            Step::Fetch(mut order) => {
                order.trace = caller.trace;
                let handler = self.clone();
                return Either::Right(Box::pin(async move {
                    handler.fetch(order, &parts, by_pop, account).await
                }));
            }
            Step::Send(mut errand) => {
                errand.trace = caller.trace;
                let handler = self.clone();
                return Either::Right(Box::pin(async move {
                    let head = &parts.headers;
                    let (outcome, response) = handler.send(&errand, account.mark, head, body).await;
                    handler.finish(account, outcome, response.into())
                }));
            }
        };
        Either::Left(ready(self.finish(account, outcome, content)))
    }

    /// Counts an answer.
    fn finish(&self, account: Account, outcome: Outcome, content: Content) -> Reply {
        self.metrics.answered(account.class, outcome);
        if let Some(mark) = account.mark {
            self.guests.answered(mark, content.status());
        }
        Reply {
            content,
            outcome,
            timing: account.timing,
        }
    }

    /// Asks the guest, and on the spot the memory.
    fn decide(&self, parts: &Parts, caller: &Caller) -> Decided {
        let now = caller.came;
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
            let step = match self.over_limit(&plan, caller) {
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
                match self.beyond(plan.class, serve, author.namespace, now) {
                    Some(refusal) => Step::Done(Outcome::Denied, refusal),
                    None => Step::Fetch(Order::new(plan.class, serve, author.namespace, hops())),
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
    fn over_limit(&self, plan: &Plan<'_>, caller: &Caller) -> Option<Duration> {
        let rates = &self.facts.rates;
        let wait = rates.take(plan.limit?, caller.address, caller.came).err()?;
        self.metrics.ran_into(Bound::Rate);
        Some(wait)
    }

    /// The refusal of a position that cannot be there for a while: made-up positions are no way to
    /// the origin.
    fn beyond(
        &self,
        class: Class,
        serve: &Serve<'_>,
        namespace: &str,
        now: Instant,
    ) -> Option<ViewerResponse> {
        let position = serve.position.as_ref()?;
        let edges = self
            .live_edges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let beyond = edges.is_beyond(&stream_key(namespace, position), position.msn, now);
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

fn wall_time() -> WallTime {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(0).plus(since_1970)
}
