//! What is cached, or will be: one flight for all who want it.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AGE, CACHE_CONTROL},
    request::Parts,
};
use hyper::body::Incoming;
use tracing::warn;
use weir_model::LiveEdge;

use super::{Account, Handler, fetch_failed, status_of};
use crate::{
    cache::{Head, Hit, Stored},
    flights::{Boarded, Growing, Landed, Lander, Landing},
    growth::growing,
    metrics::Outcome,
    order::Order,
    respond::{self, Asked, Kept, LIVE_EDGE, Reply, cache_status::CacheStatus},
    shelf::{Arrival, Life, State, Verdict, judge},
    upstream::{Answer, FetchError, Fetched},
};

impl Handler {
    /// Answers with what one flight brings, and counts that.
    pub(super) async fn fetch(
        self: Arc<Self>,
        order: Order,
        parts: &Parts,
        by_pop: bool,
        mut account: Account,
    ) -> Reply {
        let asked = Asked {
            method: &parts.method,
            head: &parts.headers,
            by_pop,
        };
        let held = order.held;
        let began = Instant::now();
        let (outcome, landing) = self.wait_for(order).await;
        account.timing.origin = Some(began.elapsed());
        let now = Instant::now();
        let collapsed = outcome == Outcome::Collapsed;
        let answered = match landing {
            // What is old stands in for the origin's answer; what was on the disk is its answer.
            Ok(Landed::Whole { hit, from_disk })
                if outcome == Outcome::Hit || from_disk || hit.life.stands_in() =>
            {
                let status = status_of(&hit, from_disk, now);
                Ok((Outcome::Hit, Kept::new(hit, asked, status, now).into()))
            }
            Ok(Landed::Whole { hit, .. }) => {
                let status = CacheStatus::Asked {
                    collapsed,
                    status: hit.stored.status,
                    stored: hit.life.state(now) == State::Fresh,
                };
                Ok((outcome, Kept::new(hit, asked, status, now).into()))
            }
            Ok(Landed::Growing(growing)) => {
                let status = CacheStatus::Asked {
                    collapsed,
                    status: growing.status,
                    stored: true,
                };
                let response = respond::growing(&growing, asked, status).await;
                response.map(|response| (outcome, response.into()))
            }
            Err(error) => Err(error),
        };
        let (outcome, content) =
            answered.unwrap_or_else(|error| (Outcome::Error, fetch_failed(error, held).into()));
        self.finish(account, outcome, content)
    }

    /// Waits for the one flight that fetches what `order` names.
    async fn wait_for(self: &Arc<Self>, order: Order) -> (Outcome, Landing) {
        let key = order.key.clone();
        let landed = || self.memory.fresh(&key, Instant::now());
        let fly = |lander| self.clone().fly(order, lander);
        let (outcome, seat) = match self.flights.board(&key, landed, fly) {
            Boarded::Landed(hit) => {
                let from_disk = false;
                return (Outcome::Hit, Ok(Landed::Whole { hit, from_disk }));
            }
            Boarded::Joined(seat) => (Outcome::Collapsed, seat),
            Boarded::Started(seat) => (Outcome::Miss, seat),
        };
        // A flight without a landing is one whose task panicked.
        (outcome, seat.await.unwrap_or(Err(FetchError::Unreachable)))
    }

    /// Fetches and keeps what `order` names.
    async fn fly(self: Arc<Self>, order: Order, lander: Lander) {
        if let Some(hit) = self.look_on_disk(&order).await {
            let from_disk = true;
            return lander.land(Ok(Landed::Whole { hit, from_disk }));
        }
        let sent = Instant::now();
        let result = self.upstream.fetch(&order, &self.metrics).await;
        let now = Instant::now();
        let old = self.memory.life(&order.key);
        let verdict = judge(arrival(&result), old, &order.terms, now);
        let from_disk = false;
        if let Verdict::StandIn(life) = verdict
            && let Some(hit) = self.memory.stand_in(&order.key, life)
        {
            return lander.land(Ok(Landed::Whole { hit, from_disk }));
        }
        let Answer { status, head, body } = match result {
            Ok(answer) => answer,
            Err(error) => return lander.land(Err(error)),
        };
        self.note_live_edge(&order, &head, sent);
        let head = self.head(&order, status, &head);
        match body {
            Fetched::Whole(body) => {
                let life = match verdict {
                    Verdict::Keep(life) => life,
                    // What was to stand in is gone.
                    Verdict::StandIn(_) | Verdict::Tell => Life::of_error(&order.terms, now),
                };
                let body = body.into();
                let stored = Stored { status, head, body };
                let hit = self.keep(&order, stored, life, now);
                lander.land(Ok(Landed::Whole { hit, from_disk }));
            }
            Fetched::Growing(body) => self.grow(&order, status, head, body, lander).await,
        }
    }

    /// What an earlier process, or this one some time ago, left on the disk. If it is stale it is
    /// there to stand in, should the origin fail.
    async fn look_on_disk(&self, order: &Order) -> Option<Hit> {
        let disk = self.disk.as_ref().filter(|_| order.is_lasting())?;
        if self.memory.life(&order.key).is_some() {
            // What is in memory is no older.
            return None;
        }
        let hit = disk.read(&order.key).await?;
        let now = Instant::now();
        let stored = Stored::clone(&hit.stored);
        let hit = self.memory.keep(&order.key, stored, hit.life, now);
        self.metrics.set_cache_bytes(self.memory.bytes());
        if hit.life.state(now) != State::Fresh {
            return None;
        }
        self.metrics.disk.hits.inc();
        Some(hit)
    }

    /// Lets everyone read while the body comes, and keeps it once it is whole. Until then the
    /// flight is not over, and whoever asks joins it. A body that is cut short is never kept: those
    /// who read it are told, and the next one who asks flies again.
    async fn grow(
        &self,
        order: &Order,
        status: StatusCode,
        head: Head,
        body: Incoming,
        mut lander: Lander,
    ) {
        let (grower, grown) = growing();
        let answer = Growing {
            status,
            head: head.clone(),
            body: grown,
        };
        lander.announce(Ok(Landed::Growing(Arc::new(answer))));
        match self.upstream.pass_on(body, &grower).await {
            Ok(body) => {
                let now = Instant::now();
                let body = body.into();
                let stored = Stored { status, head, body };
                self.keep(order, stored, Life::of_answer(&order.terms, now), now);
                grower.complete();
            }
            Err(error) => warn!(target = &*order.target, %error, "segment did not grow to its end"),
        }
    }

    fn keep(&self, order: &Order, stored: Stored, life: Life, now: Instant) -> Hit {
        let hit = self.memory.keep(&order.key, stored, life, now);
        self.metrics.set_cache_bytes(self.memory.bytes());
        if let Some(disk) = &self.disk
            && order.is_lasting()
            && hit.stored.status.is_success()
        {
            disk.write(&order.key, &hit);
        }
        hit
    }

    fn head(&self, order: &Order, status: StatusCode, head: &HeaderMap) -> Head {
        let mut planned = order.fields.clone();
        if status.is_client_error() || status.is_server_error() {
            planned.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Head::new(self.templates.intern(planned), head)
    }

    fn note_live_edge(&self, order: &Order, head: &HeaderMap, sent: Instant) {
        let said = head.get(LIVE_EDGE).and_then(|edge| edge.to_str().ok());
        let edge = said.and_then(|edge| edge.parse::<LiveEdge>().ok());
        if let (Some(stream), Some(edge)) = (&order.stream, edge) {
            let mut edges = self
                .live_edges
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            edges.note(stream, edge, said_since(head, sent));
        }
    }
}

/// Since when what an answer says was true, at the earliest: a shield may have had it for a while
/// (RFC 9111 section 5.1).
fn said_since(head: &HeaderMap, sent: Instant) -> Instant {
    let age = head
        .get(AGE)
        .and_then(|age| age.to_str().ok()?.parse().ok());
    // It was rounded down.
    let age = age.map(|age: u32| Duration::from_secs(u64::from(age) + 1));
    age.and_then(|age| sent.checked_sub(age)).unwrap_or(sent)
}

fn arrival(result: &Result<Answer<Fetched>, FetchError>) -> Arrival {
    match result {
        Err(_) => Arrival::Nothing,
        Ok(answer) if answer.status.is_server_error() => Arrival::Failed,
        Ok(answer) if answer.status.is_client_error() => Arrival::Refused,
        Ok(_) => Arrival::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shield_has_had_for_a_while_was_true_then() {
        let sent = Instant::now();
        let mut head = HeaderMap::new();
        assert_eq!(said_since(&head, sent), sent);
        head.insert(AGE, HeaderValue::from_static("7"));
        assert_eq!(said_since(&head, sent), sent - Duration::from_secs(8));
        head.insert(AGE, HeaderValue::from_static("-1"));
        assert_eq!(said_since(&head, sent), sent);
    }
}
