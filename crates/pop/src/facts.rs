//! What the host knows of a request beyond what the viewer says, and what it tells the edge module
//! of both.
//!
//! - [`attend`]: what goes on beside the requests
//! - [`claims`]: claims of tokens whose signature was verified
//! - [`rates`]: how often an address has done what is limited
//! - [`pathways`]: how well the places are that viewers are steered to, [`probe`]: asking them
//!
//! All that hangs on the operator's [`Policy`] stands together in a [`Standing`], which is replaced
//! as a whole when the policy changes: what was verified with the keys of before is forgotten with
//! it. A request keeps the standing that it came under.

mod attend;
mod claims;
mod pathways;
mod probe;
mod rates;

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
    request::Parts,
};
use tokio::task::AbortHandle;
use weir_edge_abi::{self as abi, MAX_HEADER, Plan};
use weir_model::{Country, WallTime, key::Secret, ticket::TicketKey, token};

use self::{claims::Verified, pathways::Pathways, rates::Rates};
use crate::{policy::Policy, upstream::Sender};

/// Header fields of Common Media Client Data (CTA-5004 section 2.1).
static CMCD: [HeaderName; 4] = [
    HeaderName::from_static("cmcd-object"),
    HeaderName::from_static("cmcd-request"),
    HeaderName::from_static("cmcd-session"),
    HeaderName::from_static("cmcd-status"),
];

/// The facts of one PoP.
pub(crate) struct Facts {
    standing: RwLock<Arc<Standing>>,
    pub(crate) rates: Rates,
    task: Mutex<Option<AbortHandle>>,
}

/// What holds as long as a policy does.
struct Standing {
    /// What session tickets are signed with; empty if they are not.
    ticket_key: Secret,
    country_header: Option<HeaderName>,
    device_header: Option<HeaderName>,
    verified: Verified,
    pathways: Arc<Pathways>,
}

impl Facts {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            standing: RwLock::new(Arc::new(Standing::new(policy))),
            rates: Rates::default(),
            task: Mutex::default(),
        }
    }

    /// Begins anew under `policy`; the module is to have its configuration before.
    fn follow(&self, policy: &Policy) {
        let standing = Arc::new(Standing::new(policy));
        *self
            .standing
            .write()
            .unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// What session tickets are signed with, as of now.
    pub(crate) fn ticket_key(&self) -> Option<TicketKey> {
        TicketKey::new(self.standing().ticket_key.clone()).ok()
    }

    /// The places that viewers are steered to, as of now.
    fn pathways(&self) -> Arc<Pathways> {
        self.standing().pathways.clone()
    }

    /// What is known of the request that begins with `parts`.
    pub(crate) fn of<'p>(&self, parts: &'p Parts, sender: &Sender) -> Known<'p> {
        let standing = self.standing();
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let bearer = bearer(&parts.headers);
        let token = token::of_request(path, query, bearer);
        Known {
            claims: token.and_then(|token| standing.verified.claims(token)),
            nonce: nonce(parts),
            pathway_health: match path.ends_with("/steering.json") {
                true => standing.pathways.health(),
                false => Vec::new(),
            },
            cmcd: cmcd(&parts.headers),
            country: match sender {
                Sender::Viewer => standing.country(&parts.headers),
                Sender::Edge { country, .. } => *country,
            },
            by_edge: matches!(sender, Sender::Edge { .. }),
            parts,
            token,
            bearer,
            standing,
        }
    }

    fn standing(&self) -> Arc<Standing> {
        let standing = self.standing.read();
        standing.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Standing {
    fn new(policy: &Policy) -> Self {
        Self {
            ticket_key: policy.config.ticket_key.clone(),
            country_header: policy.country_header.clone(),
            device_header: policy.device_header.clone(),
            verified: Verified::default(),
            pathways: Arc::new(Pathways::new(&policy.config.pathways)),
        }
    }

    /// Where a viewer is, if a header is believed and says so.
    fn country(&self, head: &HeaderMap) -> Option<Country> {
        trusted(head, self.country_header.as_ref()).parse().ok()
    }
}

/// What is known of one request.
pub(crate) struct Known<'p> {
    parts: &'p Parts,
    standing: Arc<Standing>,
    token: Option<&'p str>,
    claims: Option<Arc<[u8]>>,
    nonce: [u8; 16],
    pathway_health: Vec<u8>,
    cmcd: Cow<'p, str>,
    bearer: &'p str,
    country: Option<Country>,
    by_edge: bool,
}

impl Known<'_> {
    /// What the module is asked.
    pub(crate) fn request(&self, now: WallTime) -> abi::Request<'_> {
        let head = &self.parts.headers;
        abi::Request {
            now,
            method: abi::Method::from_name(self.parts.method.as_str()),
            path: self.parts.uri.path(),
            query: self.parts.uri.query().unwrap_or_default(),
            user_agent: text(head, &USER_AGENT),
            content_type: text(head, &CONTENT_TYPE),
            mobile: head
                .get("sec-ch-ua-mobile")
                .is_some_and(|value| value == "?1"),
            country: self.country,
            accept_encoding: text(head, &ACCEPT_ENCODING),
            bearer: self.bearer,
            claims: self.claims.as_deref(),
            nonce: self.nonce,
            pathway_health: &self.pathway_health,
            cmcd: &self.cmcd,
            device: trusted(head, self.standing.device_header.as_ref()),
            by_edge: self.by_edge,
        }
    }

    /// Keeps what the module verified of the request's token.
    pub(crate) fn remember(&self, plan: &Plan<'_>) {
        if let Some((token, claims)) = self.token.zip(plan.remember.as_deref()) {
            self.standing.verified.remember(token, claims);
        }
    }
}

/// A header value as the module gets it: text, and not too much of it.
fn text<'h>(head: &'h HeaderMap, name: &HeaderName) -> &'h str {
    let value = head.get(name).and_then(|value| value.to_str().ok());
    let value = value.unwrap_or_default();
    // What `to_str` lets through is ASCII.
    value.get(..MAX_HEADER).unwrap_or(value)
}

fn trusted<'h>(head: &'h HeaderMap, name: Option<&HeaderName>) -> &'h str {
    name.map_or("", |name| text(head, name))
}

/// RFC 6750 section 2.1. What is longer than any token is none.
fn bearer(head: &HeaderMap) -> &str {
    let value = head
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|v| v.split_once(' ')).unwrap_or_default();
    let token = token.trim_matches(' ');
    let fits = scheme.eq_ignore_ascii_case("bearer") && token.len() <= token::MAX_LEN;
    if fits { token } else { "" }
}

fn cmcd(head: &HeaderMap) -> Cow<'_, str> {
    let mut joined = Cow::Borrowed("");
    for name in &CMCD {
        let value = text(head, name);
        match (&*joined, value) {
            (_, "") => {}
            ("", value) => joined = Cow::Borrowed(value),
            _ => {
                let joined = joined.to_mut();
                joined.push(',');
                joined.push_str(value);
            }
        }
    }
    joined
}

/// Random bytes for the one call whose answer is made of them.
fn nonce(parts: &Parts) -> [u8; 16] {
    let mut nonce = [0; 16];
    if parts.uri.path().ends_with("/sessions") {
        // Without random bytes there are zeros, for which the module gives no session.
        let _ = getrandom::fill(&mut nonce);
    }
    nonce
}

#[cfg(test)]
#[path = "facts/tests.rs"]
mod tests;
