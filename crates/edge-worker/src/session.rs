//! Session tickets: who begins to watch gets a signed one from the edge itself, and sends it with
//! what it reports.

use weir_edge_abi::{Action, Class, Config, Plan, Request, Response};
use weir_model::{SessionId, VideoId, WallTime, problem::Code, ticket::Ticket, token::Grace};

use crate::{
    admission::admit,
    answer::{Methods, OWN_JSON, deny},
    limit,
};

const CLASS: Class = Class::Api;

/// `POST /api/v1/videos/{id}/sessions`.
pub(crate) fn begin<'a>(config: &Config, request: &Request<'a>, video: VideoId) -> Plan<'a> {
    if let Some(answer) = Methods::Write.answer(CLASS, request.method) {
        return answer;
    }
    let admission = match admit(config, request, video, Grace::None) {
        Ok(admission) => admission,
        Err(denial) => return denial.plan(CLASS),
    };
    let nonce = u128::from_le_bytes(request.nonce);
    if config.ticket_key.0.is_empty() || nonce == 0 {
        return deny(
            CLASS,
            Code::Unavailable,
            "this edge signs no session tickets",
        );
    }
    let ticket = Ticket {
        session: SessionId::from_random(nonce),
        video,
        country: request.country,
        pop: config.pop.clone(),
        // As it returns from the ticket.
        issued: WallTime(request.now.0 / 1000 * 1000),
    };
    let Ok(text) = ticket.sign(&config.ticket_key.0) else {
        return deny(
            CLASS,
            Code::Unavailable,
            "this edge signs no session tickets",
        );
    };
    let (session, expires) = (ticket.session, ticket.expires().0);
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
