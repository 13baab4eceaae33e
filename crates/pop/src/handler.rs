//! One request, from its head to its answer.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT},
    request::Parts,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;
use tracing::{error, warn};
use weir_edge_abi::{self as abi, Action, BodyCheck, Class, MAX_HEADER, MAX_QUERY, Plan, Verdict};
use weir_model::{WallTime, problem::Code};

use crate::{
    cache::{Cache, Stored, StoredBody},
    flights::{Boarding, Flights, Landing},
    growth::{Grower, growing},
    guest::{CallError, Guests},
    metrics::{Metrics, Outcome},
    order::{Errand, Order},
    origin::{Answer, FetchError, Fetched, Origin},
    respond::{self, ViewerResponse, problem},
};

/// How long a stale answer stands in before the origin is asked again.
const STAND_IN: Duration = Duration::from_secs(1);

/// All that requests share.
pub(crate) struct Handler {
    pub(crate) guests: Guests,
    pub(crate) cache: Cache,
    pub(crate) flights: Arc<Flights>,
    pub(crate) origin: Origin,
    pub(crate) metrics: Metrics,
    pub(crate) body_timeout: Duration,
}

/// What a plan comes to once the cache was asked.
enum Step {
    Done(ViewerResponse),
    Found(Arc<Stored>),
    Fetch(Order),
    Send(Errand),
}

impl Handler {
    /// Answers `request` and counts it.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> ViewerResponse {
        let (parts, body) = request.into_parts();
        let (class, outcome, response) = match self.decide(&parts) {
            Err(error) => (Class::Web, Outcome::Error, self.guest_failed(&error)),
            Ok((class, outcome, Step::Done(response))) => (class, outcome, response),
            Ok((class, outcome, Step::Found(stored))) => {
                let response = respond::stored(&stored, &parts.method, &parts.headers, outcome);
                (class, outcome, response)
            }
            Ok((class, _, Step::Fetch(order))) => {
                let (outcome, landing) = self.fetch(&order).await;
                let (outcome, response) = match landing {
                    Ok(stored) => {
                        // What stands in for the origin's answer came from the cache.
                        let outcome = if stored.stands_in {
                            Outcome::Hit
                        } else {
                            outcome
                        };
                        let head = &parts.headers;
                        (
                            outcome,
                            respond::stored(&stored, &parts.method, head, outcome),
                        )
                    }
                    Err(error) => (Outcome::Error, fetch_failed(error, order.held)),
                };
                (class, outcome, response)
            }
            Ok((class, _, Step::Send(errand))) => {
                let (outcome, response) = self.send(&errand, &parts.headers, body).await;
                (class, outcome, response)
            }
        };
        self.metrics.answered(class, outcome);
        response
    }

    /// Asks the guest, and on the spot the cache.
    fn decide(&self, parts: &Parts) -> Result<(Class, Outcome, Step), CallError> {
        let query = parts.uri.query().unwrap_or_default();
        if query.len() > MAX_QUERY {
            let response = problem(Code::TooLarge, "the query is longer than 4 KiB");
            return Ok((Class::Web, Outcome::Denied, Step::Done(response)));
        }
        let request = abi::Request {
            now: now(),
            method: abi::Method::from_name(parts.method.as_str()),
            path: parts.uri.path(),
            query,
            user_agent: text(&parts.headers, &USER_AGENT),
            content_type: text(&parts.headers, &CONTENT_TYPE),
            mobile: parts
                .headers
                .get("sec-ch-ua-mobile")
                .is_some_and(|value| value == "?1"),
            country: None,
        };
        let began = Instant::now();
        let step = self
            .guests
            .decide(&request, |plan| self.step(&plan, &parts.method));
        self.count_guest_call(began, &step);
        match step {
            Err(CallError::Overflow(_)) => {
                let response = problem(Code::TooLarge, "the path is longer than 2 KiB");
                Ok((Class::Web, Outcome::Denied, Step::Done(response)))
            }
            step => step,
        }
    }

    fn step(&self, plan: &Plan<'_>, method: &Method) -> (Class, Outcome, Step) {
        let (outcome, step) = match &plan.action {
            Action::Respond(response) => (Outcome::Pass, Step::Done(respond::own(response))),
            Action::Deny(response) => (Outcome::Denied, Step::Done(respond::own(response))),
            Action::Serve(serve) => match self.cache.fresh(&serve.target) {
                Some(stored) => (Outcome::Hit, Step::Found(stored)),
                None => (Outcome::Miss, Step::Fetch(Order::new(plan.class, serve))),
            },
            Action::Forward(forward) => {
                let errand = Errand::new(plan.class, method.clone(), forward);
                (Outcome::Pass, Step::Send(errand))
            }
        };
        (plan.class, outcome, step)
    }

    /// Waits for the one flight that fetches what `order` names.
    async fn fetch(self: &Arc<Self>, order: &Order) -> (Outcome, Landing) {
        let fly = || {
            let (handler, order) = (self.clone(), order.clone());
            async move { handler.fly(order).await }
        };
        let landed = || self.cache.fresh(&order.target);
        let (outcome, seat) = match self.flights.board(&order.target, landed, fly) {
            Boarding::Landed(stored) => return (Outcome::Hit, Ok(stored)),
            Boarding::Joined(seat) => (Outcome::Collapsed, seat),
            Boarding::Started(seat) => (Outcome::Miss, seat),
        };
        // A flight without a landing is one whose task panicked.
        (outcome, seat.await.unwrap_or(Err(FetchError::Unreachable)))
    }

    /// Fetches and stores what `order` names.
    async fn fly(self: Arc<Self>, order: Order) -> Landing {
        let result = self.origin.fetch(&order, &self.metrics).await;
        let failed = !matches!(&result, Ok(answer) if !answer.status.is_server_error());
        if failed && let Some(stored) = self.cache.stand_in(&order.target, STAND_IN) {
            return Ok(stored);
        }
        let Answer { status, head, body } = result?;
        let (body, growth) = match body {
            Fetched::Whole(body) => (StoredBody::Whole(body), None),
            Fetched::Growing(body) => {
                let (grower, grown) = growing();
                (StoredBody::Growing(grown), Some((body, grower)))
            }
        };
        let stored = Arc::new(store(&order, status, head, body));
        self.keep(&order, stored.clone());
        if let Some((body, grower)) = growth {
            tokio::spawn(self.grow(order, stored.clone(), body, grower));
        }
        Ok(stored)
    }

    /// Puts the whole in the place of what has grown. A body that is cut short breaks what was
    /// stored of it.
    async fn grow(
        self: Arc<Self>,
        order: Order,
        stored: Arc<Stored>,
        body: Incoming,
        grower: Grower,
    ) {
        match self.origin.pass_on(body, &grower).await {
            Ok(whole) => {
                self.keep(&order, Arc::new(stored.completed(whole)));
                grower.complete();
            }
            Err(error) => warn!(target = &*order.target, %error, "segment did not grow to its end"),
        }
    }

    fn keep(&self, order: &Order, stored: Arc<Stored>) {
        self.cache.insert(order.target.clone(), stored);
        self.metrics
            .cache_bytes
            .set(i64::try_from(self.cache.bytes()).unwrap_or(i64::MAX));
    }

    /// Has the guest check a viewer's body and sends it on.
    async fn send(
        &self,
        errand: &Errand,
        head: &HeaderMap,
        body: Incoming,
    ) -> (Outcome, ViewerResponse) {
        let body = match self.read_body(errand, head, body).await {
            Ok(body) => body,
            Err(refusal) => return (Outcome::Denied, refusal),
        };
        let began = Instant::now();
        let check = BodyCheck {
            kind: errand.body,
            body: &body,
        };
        let verdict = self.guests.check_body(&check, |verdict| match verdict {
            Verdict::Accept => None,
            Verdict::Refuse(response) => Some(respond::own(&response)),
        });
        self.count_guest_call(began, &verdict);
        match verdict {
            Err(error) => return (Outcome::Error, self.guest_failed(&error)),
            Ok(Some(refusal)) => return (Outcome::Denied, refusal),
            Ok(None) => {}
        }
        match self.origin.send(errand, head, body, &self.metrics).await {
            Ok(Answer {
                status,
                mut head,
                body,
            }) => {
                head.extend(errand.fields.clone());
                head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                (Outcome::Pass, respond::passed(status, head, body))
            }
            Err(error) => (Outcome::Error, fetch_failed(error, false)),
        }
    }

    async fn read_body(
        &self,
        errand: &Errand,
        head: &HeaderMap,
        body: Incoming,
    ) -> Result<Bytes, ViewerResponse> {
        let announced = head
            .get(CONTENT_LENGTH)
            .and_then(|len| len.to_str().ok()?.parse().ok());
        if announced.is_some_and(|len: u64| len > LINGER_BYTES as u64) {
            return Err(problem(Code::TooLarge, TOO_LONG));
        }
        let read = timeout(self.body_timeout, read_bounded(body, errand.max_body)).await;
        match read.map_err(|_| problem(Code::InvalidBody, "the body took too long"))? {
            Ok(Some(body)) => Ok(body),
            Ok(None) => Err(problem(Code::TooLarge, TOO_LONG)),
            Err(_) => Err(problem(Code::InvalidBody, "the body ended before its end")),
        }
    }

    fn count_guest_call<T>(&self, began: Instant, result: &Result<T, CallError>) {
        self.metrics.guest_calls.inc();
        self.metrics
            .guest_seconds
            .inc_by(began.elapsed().as_secs_f64());
        if matches!(result, Err(error) if !matches!(error, CallError::Overflow(_))) {
            self.metrics.guest_failures.inc();
        }
    }

    fn guest_failed(&self, error: &CallError) -> ViewerResponse {
        error!(%error, "edge module failed");
        problem(Code::Unavailable, "the edge cannot decide; try again")
    }
}

const TOO_LONG: &str = "the body is longer than this call takes";
/// Closing a connection with unread bytes resets it, and the viewer would never see the answer. So
/// this much of a body that is too long is read and forgotten, for so long.
const LINGER_BYTES: usize = 1 << 20;
const LINGER: Duration = Duration::from_millis(500);

/// A body of at most `max` bytes; `None` if it is longer.
async fn read_bounded(mut body: Incoming, max: usize) -> Result<Option<Bytes>, hyper::Error> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > max {
            // Whether it ends or not makes no difference any more.
            let _ = timeout(LINGER, forget(body)).await;
            return Ok(None);
        }
        whole.extend_from_slice(&data);
    }
    Ok(Some(whole.freeze()))
}

async fn forget(mut body: Incoming) {
    let mut forgotten = 0;
    while forgotten < LINGER_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        forgotten += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn store(order: &Order, status: StatusCode, mut head: HeaderMap, body: StoredBody) -> Stored {
    let failed = status.is_client_error() || status.is_server_error();
    for (name, value) in &order.fields {
        head.insert(name, value.clone());
    }
    let (fresh, stale) = if failed {
        head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        (order.error, Duration::ZERO)
    } else {
        (order.fresh, order.stale)
    };
    Stored::new(status, head, body, fresh, stale)
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

/// A header value as the guest gets it: text, and not too much of it.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    let value = headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // What `to_str` lets through is ASCII.
    value.get(..MAX_HEADER).unwrap_or(value)
}

fn now() -> WallTime {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(0).plus(since_1970)
}
