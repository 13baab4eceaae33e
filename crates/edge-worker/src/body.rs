//! Checking of bodies before they are sent on: enough to keep nonsense away from the origin, which
//! checks everything again.

use weir_edge_abi::{BodyKind, MAX_BODY, Verdict};
use weir_model::{
    json::{Json, Kind, Malformed},
    problem::Code,
    room::Reaction,
};

use crate::answer::problem;

/// Most events in a batch.
const MAX_EVENTS: usize = 500;

/// Whether `body` may be sent on as a `kind`.
pub fn check_body(kind: BodyKind, body: &[u8]) -> Verdict<'static> {
    if body.len() > MAX_BODY {
        return refuse(Code::TooLarge, "the body is longer than 16 KiB");
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return refuse(Code::InvalidBody, "the body is not UTF-8");
    };
    let checked = match kind {
        BodyKind::Events => events(text),
        BodyKind::Comment => comment(text),
        BodyKind::Session => Ok(session(text)),
        BodyKind::Reaction => reaction(text),
    };
    match checked {
        Err(Malformed) => refuse(Code::InvalidBody, "the body is not JSON"),
        Ok(Some(fault)) => refuse(Code::InvalidBody, fault),
        Ok(None) => Verdict::Accept,
    }
}

type Fault = &'static str;

fn events(text: &str) -> Result<Option<Fault>, Malformed> {
    let (mut session, mut events) = (false, false);
    let mut fault = None;
    let mut json = Json::new(text);
    let kind = json.members(|name, json| {
        match name {
            "session" => {
                let known = matches!(json.value()?, Kind::Text(id) if is_session(id));
                if !known {
                    fault = Some("session is 16 to 64 characters of A-Za-z0-9_-");
                }
                session = true;
            }
            "events" => {
                let mut count = 0_usize;
                let kind = json.items(|json| {
                    count = count.saturating_add(1);
                    if json.value()? != Kind::Object {
                        fault = Some("an event is an object");
                    }
                    Ok(())
                })?;
                if kind != Kind::Array || count == 0 || count > MAX_EVENTS {
                    fault = Some("events is an array of 1 to 500 events");
                }
                events = true;
            }
            _ => {
                json.value()?;
            }
        }
        Ok(())
    })?;
    json.end()?;
    let complete = kind == Kind::Object && session && events;
    Ok(fault.or((!complete).then_some("a batch is an object with session and events")))
}

fn is_session(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (16..=64).contains(&id.len()) && id.bytes().all(allowed)
}

fn comment(text: &str) -> Result<Option<Fault>, Malformed> {
    let (mut author, mut comment) = (false, false);
    let mut json = Json::new(text);
    let kind = json.members(|name, json| {
        let filled = matches!(json.value()?, Kind::Text(text) if !text.is_empty());
        match name {
            "author" => author = filled,
            "text" => comment = filled,
            _ => {}
        }
        Ok(())
    })?;
    json.end()?;
    let complete = kind == Kind::Object && author && comment;
    Ok((!complete).then_some("a comment is an object with author and text, both filled in"))
}

fn reaction(text: &str) -> Result<Option<Fault>, Malformed> {
    let mut known = false;
    let mut json = Json::new(text);
    let kind = json.members(|name, json| {
        let value = json.value()?;
        if name == "kind" {
            known = Reaction::ALL
                .iter()
                .any(|kind| value == Kind::Text(kind.as_str()));
        }
        Ok(())
    })?;
    json.end()?;
    let complete = kind == Kind::Object && known;
    Ok((!complete).then_some("a reaction is an object with kind: heart, clap, laugh, wow or fire"))
}

/// RFC 8866 section 5: lines of a letter, an equals sign and a value. Nothing at all ends a session.
fn session(text: &str) -> Option<Fault> {
    let is_line = |line: &str| {
        let typed = matches!(line.as_bytes(), [b'a'..=b'z', b'=', ..]);
        typed && !line.bytes().any(|b| b.is_ascii_control())
    };
    let valid = text.lines().all(is_line);
    (!valid).then_some("the body is no session description, nor a part of one")
}

fn refuse(code: Code, detail: &'static str) -> Verdict<'static> {
    Verdict::Refuse(problem(code, detail))
}
