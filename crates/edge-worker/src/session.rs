//! Session tickets: who begins to watch gets a signed one from the edge itself, and sends it with
//! what it reports.
//!
//! A player may draw its session id itself, `?session=`, so that it need not wait for a ticket to have
//! one, and so that a session goes on under a new ticket when the old one ends. Nothing is gained by
//! naming the same one again: what counts once for a session counts once for all of its tickets.

use weir_edge_abi::{Action, Class, Config, Plan, Request, Response};
use weir_model::{
    SessionId, VideoId, WallTime,
    problem::Code,
    ticket::{Ticket, TicketKey},
    token::Grace,
};

use crate::{
    admission::admit,
    answer::{Methods, OWN_JSON, deny},
    device, limit,
    query::{Parameter, canonical, identifier},
};

const CLASS: Class = Class::Api;

const PARAMETERS: &[Parameter] = &[Parameter::new("session", identifier)];

/// `POST /api/v1/videos/{id}/sessions`.
pub(crate) fn begin<'a>(config: &Config, request: &Request<'a>, video: VideoId) -> Plan<'a> {
    if let Some(answer) = Methods::Write.answer(CLASS, request.method) {
        return answer;
    }
    let admission = match admit(config, request, video, Grace::None) {
        Ok(admission) => admission,
        Err(denial) => return denial.plan(CLASS),
    };
    let Ok(session) = session(request) else {
        let detail = "session is 26 characters of a-z and 2-7, given once or not at all";
        return deny(CLASS, Code::InvalidQuery, detail);
    };
    let none = || {
        deny(
            CLASS,
            Code::Unavailable,
            "this edge signs no session tickets",
        )
    };
    let (Some(session), Ok(key)) = (session, TicketKey::new(config.ticket_key.clone())) else {
        return none();
    };
    let ticket = Ticket {
        session,
        video,
        country: request.country,
        device: Some(device::of(request, admission.device)),
        pop: config.pop.clone(),
        // As it returns from the ticket.
        issued: WallTime(request.now.0 / 1000 * 1000),
    };
    let Ok(text) = ticket.sign(&key) else {
        return none();
    };
    let expires = ticket.expires().0;
    let body = format!(r#"{{"session":"{session}","ticket":"{text}","expires_at":{expires}}}"#);
    let response = Response {
        status: 201,
        fields: OWN_JSON,
        body: body.into_bytes().into(),
    };
    Plan {
        limit: limit::sessions(config, request),
        ..admission.plan(CLASS, Action::Respond(response))
    }
}

/// What is asked for in the query does not name a session.
struct NoSession;

/// The session that the player goes by, or a new one; `None` where chance has failed.
fn session(request: &Request<'_>) -> Result<Option<SessionId>, NoSession> {
    let values = canonical(request.query, PARAMETERS).map_err(|_| NoSession)?;
    match values.get("session") {
        Some(id) => id.parse().map(Some).map_err(|_| NoSession),
        None => {
            let nonce = u128::from_le_bytes(request.nonce);
            Ok((nonce != 0).then(|| SessionId::from_random(nonce)))
        }
    }
}
