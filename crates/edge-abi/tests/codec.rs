//! Every message survives the way through the buffer, and no bytes make a decoder panic.

use std::borrow::Cow;

use proptest::{collection::vec, prelude::*};
use weir_edge_abi::{
    Action, BodyCheck, BodyKind, Class, Config, Country, DecodeError, Fields, Forward, Method,
    Overflow, Plan, Request, Response, Serve, Verdict,
};
use weir_model::WallTime;

const METHODS: [Method; 7] = [
    Method::Get,
    Method::Head,
    Method::Options,
    Method::Post,
    Method::Other,
    Method::Patch,
    Method::Delete,
];
const KINDS: [BodyKind; 3] = [BodyKind::Events, BodyKind::Comment, BodyKind::Session];

fn country() -> impl Strategy<Value = Option<Country>> {
    any::<Option<(u8, u8)>>()
        .prop_map(|code| code.and_then(|(a, b)| Country::new([b'A' + a % 26, b'A' + b % 26])))
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("[a-z-]{1,20}", "\\PC{0,40}"), 0..6)
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

proptest! {
    #[test]
    fn configs_return(target_duration_ms: u32, part_target_ms: u32) {
        let config = Config { target_duration_ms, part_target_ms };
        let mut buffer = [0; 64];
        let len = config.encode(&mut buffer).unwrap();
        prop_assert_eq!(Config::decode(&buffer[..len]), Ok(config));
    }

    #[test]
    fn requests_return(
        (now, method, mobile) in (any::<u64>(), 0..METHODS.len(), any::<bool>()),
        path in "\\PC{0,80}", query in "\\PC{0,80}",
        user_agent in "\\PC{0,80}", content_type in "\\PC{0,40}",
        country in country(),
    ) {
        let request = Request {
            now: WallTime(now),
            method: METHODS[method],
            path: &path,
            query: &query,
            user_agent: &user_agent,
            content_type: &content_type,
            mobile,
            country,
        };
        let mut buffer = [0; 4096];
        let len = request.encode(&mut buffer).unwrap();
        prop_assert_eq!(Request::decode(&buffer[..len]), Ok(request));
        for cut in 0..len {
            prop_assert!(Request::decode(&buffer[..cut]).is_err());
        }
        prop_assert_eq!(Request::decode(&buffer[..len + 1]), Err(DecodeError::Trailing(1)));
        prop_assert_eq!(request.encode(&mut buffer[..len - 1]), Err(Overflow));
    }

    #[test]
    fn plans_return(
        class in 0..Class::ALL.len(),
        action in 0..4,
        (status, fresh_ms, error_ms, stale_ms, wait_ms) in any::<(u16, u32, u32, u32, u32)>(),
        (held, kind, max_body) in (any::<bool>(), 0..2usize, any::<u32>()),
        target in "\\PC{0,80}", cache_control in "\\PC{0,40}",
        pairs in pairs(), body in vec(any::<u8>(), 0..200), country in country(),
    ) {
        let pairs = borrowed(&pairs);
        let fields = Fields::new(&pairs);
        let response = Response { status, fields, body: Cow::Borrowed(&body) };
        let action = match action {
            0 => Action::Respond(response),
            1 => Action::Deny(response),
            2 => Action::Serve(Serve {
                target: target.into(),
                cache_control: &cache_control,
                fields, fresh_ms, error_ms, stale_ms, wait_ms, held,
            }),
            _ => Action::Forward(Forward {
                target: target.into(),
                fields, wait_ms, max_body, country,
                body: KINDS[kind],
            }),
        };
        let plan = Plan { class: Class::ALL[class], action };
        let mut buffer = [0; 4096];
        let len = plan.encode(&mut buffer).unwrap();
        prop_assert_eq!(Plan::decode(&buffer[..len]), Ok(plan));
        for cut in 0..len {
            prop_assert!(Plan::decode(&buffer[..cut]).is_err());
        }
    }

    #[test]
    fn body_checks_and_verdicts_return(
        kind in 0..2usize, body in vec(any::<u8>(), 0..200), refused: bool, pairs in pairs(),
    ) {
        let mut buffer = [0; 4096];
        let check = BodyCheck { kind: KINDS[kind], body: &body };
        let len = check.encode(&mut buffer).unwrap();
        prop_assert_eq!(BodyCheck::decode(&buffer[..len]), Ok(check));

        let pairs = borrowed(&pairs);
        let verdict = if refused {
            let fields = Fields::new(&pairs);
            Verdict::Refuse(Response { status: 400, fields, body: Cow::Borrowed(&body) })
        } else {
            Verdict::Accept
        };
        let len = verdict.encode(&mut buffer).unwrap();
        prop_assert_eq!(Verdict::decode(&buffer[..len]), Ok(verdict));
    }

    #[test]
    fn any_bytes_decode_or_are_refused(mut bytes in vec(any::<u8>(), 0..300), versioned: bool) {
        if let Some(first) = bytes.first_mut().filter(|_| versioned) {
            *first = weir_edge_abi::ABI_VERSION as u8;
        }
        let _ = Config::decode(&bytes);
        let _ = Request::decode(&bytes);
        let _ = BodyCheck::decode(&bytes);
        let _ = Verdict::decode(&bytes);
        if let Ok(Plan { action: Action::Respond(response), .. }) = Plan::decode(&bytes) {
            prop_assert!(response.fields.iter().count() <= bytes.len());
        }
    }
}

#[test]
fn another_version_is_refused() {
    let mut buffer = [0; 64];
    let len = Config::default().encode(&mut buffer).unwrap();
    buffer[0] = 9;
    assert_eq!(Config::decode(&buffer[..len]), Err(DecodeError::Version(9)));
}

#[test]
fn a_text_longer_than_its_prefix_is_refused() {
    let path = "a".repeat(70_000);
    let mut buffer = vec![0; 100_000];
    assert_eq!(
        Request::new(Method::Get, &path, "").encode(&mut buffer),
        Err(Overflow)
    );
}
