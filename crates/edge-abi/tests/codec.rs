//! Every message survives the way through the buffer, and no bytes make a decoder panic.

use std::borrow::Cow;

use proptest::{collection::vec, prelude::*};
use weir_edge_abi::{
    Action, Algorithm, BodyCheck, BodyKind, Class, Config, Country, DecodeError, Encoding, Fields,
    Forward, Join, Key, Limit, Limits, Method, Overflow, Pathway, Plan, Position, Rate, Request,
    Response, Secret, Serve, Verdict,
};
use weir_model::{Cmcd, WallTime, cmcd::ObjectType};

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

fn config() -> impl Strategy<Value = Config> {
    let key = ("[a-z0-9-]{0,32}", any::<bool>(), vec(any::<u8>(), 0..64));
    let pathway = ("[a-z]{1,32}", "https://[a-z.]{1,20}");
    let lists = (
        vec(key, 0..=16),
        vec(country(), 0..20),
        vec(pathway, 0..=8),
        vec(any::<u8>(), 0..40),
    );
    let texts = ("[a-z0-9-]{0,20}", "\\PC{0,40}");
    (any::<[u32; 9]>(), texts, lists).prop_map(|(numbers, (pop, audience), lists)| {
        let [
            target_duration_ms,
            part_target_ms,
            steering_ttl_s,
            rates @ ..,
        ] = numbers;
        let (keys, countries, pathways, ticket_key) = lists;
        let rate = |at: usize| Rate {
            per_minute: rates[at],
            burst: rates[at + 1],
        };
        let key = |(kid, shared, key)| Key {
            kid,
            algorithm: if shared {
                Algorithm::Hs256
            } else {
                Algorithm::EdDsa
            },
            key: Secret(key),
        };
        Config {
            target_duration_ms,
            part_target_ms,
            pop,
            audience,
            keys: keys.into_iter().map(key).collect(),
            denied_countries: countries.into_iter().flatten().collect(),
            ticket_key: Secret(ticket_key),
            pathways: pathways
                .into_iter()
                .map(|(id, base_url)| Pathway { id, base_url })
                .collect(),
            steering_ttl_s,
            limits: Limits {
                comments: rate(0),
                events: rate(2),
                sessions: rate(4),
            },
        }
    })
}

fn cmcd() -> impl Strategy<Value = Cmcd> {
    let numbers = any::<[Option<u32>; 3]>();
    (0..=9_u8, any::<bool>(), any::<bool>(), numbers).prop_map(
        |(object_type, startup, starved, [bitrate_kbps, throughput_kbps, buffer_ms])| Cmcd {
            object_type: ObjectType::from_number(object_type),
            startup,
            starved,
            bitrate_kbps,
            throughput_kbps,
            buffer_ms,
        },
    )
}

proptest! {
    #[test]
    fn configs_return(config in config()) {
        let mut buffer = [0; 8192];
        let len = config.encode(&mut buffer).unwrap();
        for cut in 0..len {
            prop_assert!(Config::decode(&buffer[..cut]).is_err());
        }
        prop_assert_eq!(Config::decode(&buffer[..len]), Ok(config));
    }

    #[test]
    fn requests_return(
        (now, method, mobile, by_edge) in
            (any::<u64>(), 0..METHODS.len(), any::<bool>(), any::<bool>()),
        path in "\\PC{0,80}", query in "\\PC{0,80}",
        user_agent in "\\PC{0,80}", content_type in "\\PC{0,40}",
        country in country(),
        (accept_encoding, bearer) in ("\\PC{0,40}", "[a-z.]{0,40}"),
        (cmcd, device) in ("\\PC{0,40}", "\\PC{0,10}"),
        claims in proptest::option::of(vec(any::<u8>(), 1..40)),
        nonce: [u8; 16], pathway_health in vec(any::<u8>(), 0..8),
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
            accept_encoding: &accept_encoding,
            bearer: &bearer,
            claims: claims.as_deref(),
            nonce,
            pathway_health: &pathway_health,
            cmcd: &cmcd,
            device: &device,
            by_edge,
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
        action in 0..5,
        (status, fresh_ms, error_ms, stale_ms, wait_ms) in any::<(u16, u32, u32, u32, u32)>(),
        (held, kind, max_body) in (any::<bool>(), 0..2usize, any::<u32>()),
        target in "\\PC{0,80}", cache_control in "\\PC{0,40}",
        pairs in pairs(), body in vec(any::<u8>(), 0..200), country in country(),
        encoding in 0..3_usize,
        position: Option<(u64, Option<u32>)>, after: Option<u64>,
        remember in proptest::option::of(vec(any::<u8>(), 0..40)),
        limit: Option<(u8, u32, u32)>, cmcd in proptest::option::of(cmcd()),
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
                encoding: [Encoding::Identity, Encoding::Gzip, Encoding::Brotli][encoding],
                position: position.map(|(msn, part)| {
                    Position { stream: "oabcdefghijk/480p".into(), msn, part }
                }),
            }),
            3 => Action::Join(Join { room: target.into(), after }),
            _ => Action::Forward(Forward {
                target: target.into(),
                fields, wait_ms, max_body, country,
                body: KINDS[kind],
            }),
        };
        let plan = Plan {
            class: Class::ALL[class],
            action,
            remember: remember.map(Cow::Owned),
            limit: limit.map(|(bucket, per_minute, burst)| Limit { bucket, per_minute, burst }),
            cmcd,
        };
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

#[test]
fn lists_and_names_are_bounded() {
    let key = |kid: &str| Key {
        kid: kid.to_owned(),
        algorithm: Algorithm::Hs256,
        key: Secret::default(),
    };
    let check = |keys: Vec<Key>, expected| {
        let config = Config {
            keys,
            ..Config::default()
        };
        let mut buffer = [0; 4096];
        let len = config.encode(&mut buffer).unwrap();
        assert_eq!(Config::decode(&buffer[..len]).map(drop), expected);
    };
    check(vec![key("a"); 16], Ok(()));
    let too_many = DecodeError::TooMany {
        field: "keys",
        len: 17,
        most: 16,
    };
    check(vec![key("a"); 17], Err(too_many));
    let too_long = DecodeError::TooMany {
        field: "kid",
        len: 33,
        most: 32,
    };
    check(vec![key(&"a".repeat(33))], Err(too_long));
}

#[test]
fn a_plain_hit_says_little() {
    let serve = Serve {
        target: "/v/oabcdefghijk/3/480p/12.m4s".into(),
        cache_control: "public, max-age=31536000, immutable",
        fields: Fields::new(&[]),
        fresh_ms: 0,
        error_ms: 0,
        stale_ms: 0,
        wait_ms: 0,
        held: false,
        encoding: Encoding::Identity,
        position: None,
    };
    let texts = serve.target.len() + serve.cache_control.len();
    let mut buffer = [0; 256];
    let plan = Plan::new(Class::Segment, Action::Serve(serve));
    let len = plan.encode(&mut buffer).unwrap();
    assert_eq!(len - texts, 29);
}
