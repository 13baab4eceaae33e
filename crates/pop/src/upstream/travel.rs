//! A request's way from peer to peer, until one answers.

use std::{
    pin::pin,
    time::{Duration, Instant as Now},
};

use futures_util::future::{self, Either};
use http::StatusCode;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{error, warn};
use weir_edge_abi::Class;

use super::{Answer, FetchError, Fetched, Hedged, Inner, Journey, PeerId, Step, transport::Call};
use crate::metrics::Metrics;

/// Pause before origins are searched again for a video that is waited for.
const SEARCH_PAUSE: Duration = Duration::from_millis(250);
/// A held answer that comes so long before its time and says "not now" is asked for again.
const EARLY: Duration = Duration::from_secs(1);

/// One request, whomever it goes to.
pub(super) struct Asking {
    pub(super) call: Call,
    pub(super) class: Class,
    pub(super) grows: bool,
    pub(super) held: bool,
    pub(super) deadline: Instant,
}

impl Asking {
    /// What is hedged: what viewers of live video wait for.
    fn hedged(&self) -> Option<Hedged> {
        match self.class {
            Class::Part => Some(Hedged::Part),
            Class::Playlist if self.held => Some(Hedged::Position),
            _ => None,
        }
    }
}

impl Inner {
    /// Asks until there is an answer or no hope of one.
    pub(super) async fn travel(
        &self,
        mut journey: Journey,
        asking: &Asking,
        metrics: &Metrics,
    ) -> Result<Answer<Fetched>, FetchError> {
        let mut news = self.news.subscribe();
        let mut error = FetchError::Unreachable;
        loop {
            let draining = news.borrow_and_update().draining;
            if draining && journey.asked() > 0 {
                return Err(error);
            }
            let step = self.router().next(&mut journey, Now::now());
            match step {
                Step::Ask(peer) => {
                    if journey.asked() > 1 {
                        self.tally.retries.inc();
                    }
                    let outcome = self.attempt(peer, &mut journey, asking, metrics).await;
                    let failed = match outcome {
                        Ok((from, answer)) => {
                            match self.judge(from, answer, &mut journey, asking) {
                                Ok(answer) => return Ok(answer),
                                Err(failed) => failed,
                            }
                        }
                        Err(failed) => failed,
                    };
                    warn!(
                        peer = self.transport.name(peer),
                        target = &*asking.call.target,
                        attempt = journey.asked(),
                        error = %failed,
                        "peer failed"
                    );
                    if !failed.is_passing() {
                        return Err(failed);
                    }
                    error = failed;
                }
                Step::Search(video) => {
                    if let Err(failed) = self.search(video, asking.deadline).await {
                        let late = Instant::now() + SEARCH_PAUSE > asking.deadline;
                        if !asking.held || late || draining {
                            return Err(failed);
                        }
                        sleep(SEARCH_PAUSE).await;
                    }
                }
                Step::Pause(pause) => {
                    if Instant::now() + pause > asking.deadline {
                        return Err(error);
                    }
                    sleep(pause).await;
                }
                Step::AwaitPeer if draining => return Err(error),
                Step::AwaitPeer => {
                    let heard = timeout_at(asking.deadline, news.changed()).await;
                    heard.map_err(|_| error)?.map_err(|_| error)?;
                }
                Step::GiveUp => return Err(error),
            }
        }
    }

    /// Asks `first`, and a second peer if it is late.
    async fn attempt(
        &self,
        first: PeerId,
        journey: &mut Journey,
        asking: &Asking,
        metrics: &Metrics,
    ) -> Result<(PeerId, Answer<Fetched>), FetchError> {
        let Some(what) = asking.hedged() else {
            return self.ask(first, asking, metrics).await;
        };
        let began = Now::now();
        let late_after = self.router().late_after(first, what);
        let mut asked = pin!(self.ask(first, asking, metrics));
        let in_time = match late_after {
            Some(late_after) => timeout(late_after, &mut asked).await.ok(),
            None => Some(asked.as_mut().await),
        };
        if let Some(outcome) = in_time {
            self.note(what, began, &outcome);
            return outcome;
        }
        let second = self.router().hedge(journey, first, Now::now());
        let Some(second) = second else {
            let outcome = asked.await;
            self.note(what, began, &outcome);
            return outcome;
        };
        self.tally.hedges.inc();
        let hedged = Now::now();
        let hedge = pin!(self.ask(second, asking, metrics));
        // Whoever answers first; of the other one the connection is closed.
        let outcome = match future::select(asked, hedge).await {
            Either::Left((Err(_), hedge)) => hedge.await,
            Either::Right((Err(_), asked)) => asked.await,
            Either::Left((outcome, _)) => outcome,
            Either::Right((outcome, _)) => {
                self.tally.hedges_won.inc();
                self.router().took(first, what, began.elapsed());
                // It left unanswered what another one had. Both may as well have waited for it.
                let had = late_after.is_some_and(|late| 2 * hedged.elapsed() < late);
                if second != first && had {
                    let change = self.router().failed(first, Now::now());
                    self.tell(change);
                }
                return outcome;
            }
        };
        self.note(what, began, &outcome);
        outcome
    }

    fn note(
        &self,
        what: Hedged,
        began: Now,
        outcome: &Result<(PeerId, Answer<Fetched>), FetchError>,
    ) {
        if let Ok((peer, answer)) = outcome
            && answer.status == StatusCode::OK
        {
            self.router().took(*peer, what, began.elapsed());
        }
    }

    async fn ask(
        &self,
        peer: PeerId,
        asking: &Asking,
        metrics: &Metrics,
    ) -> Result<(PeerId, Answer<Fetched>), FetchError> {
        metrics.asked_origin(asking.class);
        let began = Now::now();
        let answer = async {
            let response = self.head(peer, &asking.call, asking.deadline).await?;
            self.limits.fetched(response, asking.grows).await
        };
        let answer = answer.await;
        // That what is held did not come in time says nothing of the peer.
        if !(asking.held && matches!(answer, Err(FetchError::TimedOut))) {
            self.heard(peer, &answer);
        }
        if answer.is_ok() {
            metrics.origin_answered(began.elapsed());
            self.tally.answered(peer, began.elapsed());
        }
        Ok((peer, answer?))
    }

    /// Whether the answer is one, or another peer or another moment may have a better one.
    fn judge(
        &self,
        from: PeerId,
        answer: Answer<Fetched>,
        journey: &mut Journey,
        asking: &Asking,
    ) -> Result<Answer<Fetched>, FetchError> {
        let of_origin = self.router().origins().contains(&from);
        let early = Instant::now() + EARLY < asking.deadline;
        match answer.status {
            StatusCode::LOOP_DETECTED if !of_origin => {
                error!(
                    peer = self.transport.name(from),
                    "a shield is called like this point of presence, or shields form a circle"
                );
                Err(FetchError::Unreachable)
            }
            // A shield whose own way is broken: there are others.
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT if !of_origin => {
                Err(FetchError::Unreachable)
            }
            // It is about to go down, or not quite up.
            StatusCode::SERVICE_UNAVAILABLE if asking.held && early => Err(FetchError::Unreachable),
            StatusCode::MISDIRECTED_REQUEST | StatusCode::NOT_FOUND
                if of_origin
                    && answer.denies_video()
                    && self.router().misdirected(journey, from) =>
            {
                Err(FetchError::Unreachable)
            }
            _ => Ok(answer),
        }
    }
}
