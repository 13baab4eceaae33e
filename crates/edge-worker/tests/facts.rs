//! What a host alone knows of a request: what comes of limits, of another edge that asks, of what
//! players say of themselves.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

use weir_edge_abi::{
    Action, Class, Config, Limit, Limits, Method, Plan, Rate, Request, Secret, Serve,
};
use weir_edge_worker::decide;
use weir_model::{
    Cmcd, DeviceClass, WallTime,
    cmcd::ObjectType,
    ticket::{self, Ticket, TicketKey, TicketKeys},
};

const KEY: [u8; 32] = [3; 32];
const NOW: WallTime = WallTime(1_795_367_096_789);

fn config() -> Config {
    let rate = |per_minute| Rate {
        per_minute,
        burst: 5,
    };
    Config {
        pop: "fra-1".to_owned(),
        ticket_key: Secret(KEY.to_vec()),
        denied_countries: vec!["XX".parse().unwrap()],
        limits: Limits {
            comments: rate(1),
            events: rate(2),
            sessions: rate(0),
        },
        ..Config::default()
    }
}

fn post(path: &str) -> Request<'_> {
    Request {
        now: NOW,
        content_type: "application/json",
        ..Request::new(Method::Post, path, "")
    }
}

fn serve<'p>(plan: &'p Plan<'_>) -> &'p Serve<'p> {
    match &plan.action {
        Action::Serve(serve) => serve,
        action => panic!("{action:?}"),
    }
}

#[test]
fn posts_are_limited_as_the_policy_says() {
    let limit = |path| decide(&config(), &post(path)).limit;
    let expected = |bucket, per_minute| {
        Some(Limit {
            bucket,
            per_minute,
            burst: 5,
        })
    };
    assert_eq!(
        limit("/api/v1/videos/oabcdefghijk/comments"),
        expected(0, 1)
    );
    assert_eq!(limit("/api/v1/events"), expected(1, 2));
    assert_eq!(limit("/api/v1/videos/oabcdefghijk/sessions"), None);
    let read = Request {
        method: Method::Get,
        ..post("/api/v1/videos/oabcdefghijk/comments")
    };
    assert_eq!(decide(&config(), &read).limit, None);
    assert_eq!(
        decide(&Config::default(), &post("/api/v1/events")).limit,
        None
    );
    // An edge behind which many viewers are has counted them itself.
    let edge = Request {
        by_edge: true,
        ..post("/api/v1/events")
    };
    assert_eq!(decide(&config(), &edge).limit, None);
}

#[test]
fn another_edge_has_let_its_viewer_in() {
    let edge = Request {
        now: NOW,
        country: "XX".parse().ok(),
        by_edge: true,
        ..Request::new(
            Method::Get,
            "/v/pabcdefghijk/source/index.m3u8",
            "_HLS_msn=7&max=480",
        )
    };
    let plan = decide(&config(), &edge);
    let target = "/v/pabcdefghijk/source/index.m3u8?_HLS_msn=7&max=480";
    assert_eq!(serve(&plan).target, target);
    let edge = Request {
        path: "/v/pabcdefghijk/index.m3u8",
        query: "device=tv&max=480",
        ..edge
    };
    let plan = decide(&config(), &edge);
    assert_eq!(
        serve(&plan).target,
        "/v/pabcdefghijk/index.m3u8?device=tv&max=480"
    );
    let edge = Request {
        query: "device=tv",
        ..edge
    };
    let plan = decide(&config(), &edge);
    assert_eq!(serve(&plan).target, "/v/pabcdefghijk/index.m3u8?device=tv");
    let viewer = Request {
        by_edge: false,
        ..edge
    };
    assert!(matches!(decide(&config(), &viewer).action, Action::Deny(_)));
}

#[test]
fn players_are_heard() {
    let said = Request::new(
        Method::Get,
        "/v/oabcdefghijk/3/480p/12.m4s",
        "CMCD=bs%2Cot%3Dv",
    );
    let expected = Cmcd {
        object_type: Some(ObjectType::Video),
        starved: true,
        ..Cmcd::default()
    };
    assert_eq!(decide(&config(), &said).cmcd, Some(expected));
    let in_fields = Request {
        query: "",
        cmcd: "ot=v,bs",
        ..said
    };
    assert_eq!(decide(&config(), &in_fields).cmcd, Some(expected));
    let silent = Request { query: "", ..said };
    assert_eq!(decide(&config(), &silent).cmcd, None);
}

#[test]
fn a_session_is_what_its_ticket_says() {
    let asked = Request {
        nonce: [9; 16],
        country: "IS".parse().ok(),
        ..post("/api/v1/videos/oabcdefghijk/sessions")
    };
    let plan = decide(&config(), &asked);
    let Action::Respond(response) = &plan.action else {
        panic!("{plan:?}");
    };
    assert_eq!((plan.class, response.status), (Class::Api, 201));
    let session: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let keys: TicketKeys = TicketKey::new(Secret(KEY.to_vec())).into_iter().collect();
    let ticket = Ticket::verify(session["ticket"].as_str().unwrap(), &keys, NOW).unwrap();
    assert_eq!(session["session"], ticket.session.as_str());
    assert_eq!(session["expires_at"], ticket.expires().0);
    assert_eq!(ticket.expires(), ticket.issued.plus(ticket::LIFETIME));
    assert_eq!(
        (ticket.video.as_str(), &*ticket.pop),
        ("oabcdefghijk", "fra-1")
    );
    assert_eq!(ticket.country, asked.country);
    assert_eq!(ticket.device, Some(DeviceClass::Desktop));

    // A player that has drawn its own goes on under it.
    let own = "abcdefghijklmnopqrstuvwxyz";
    let named = Request {
        nonce: [0; 16],
        query: "session=abcdefghijklmnopqrstuvwxyz",
        mobile: true,
        ..asked
    };
    let plan = decide(&config(), &named);
    let Action::Respond(response) = &plan.action else {
        panic!("{plan:?}");
    };
    let session: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let ticket = Ticket::verify(session["ticket"].as_str().unwrap(), &keys, NOW).unwrap();
    assert_eq!(
        (session["session"].as_str(), ticket.session.as_str()),
        (Some(own), own)
    );
    assert_eq!(ticket.device, Some(DeviceClass::Phone));

    // Without chance, or without a key, there is none.
    let denied = |config: &Config, request: &Request<'_>| {
        matches!(decide(config, request).action, Action::Deny(_))
    };
    let unlucky = Request {
        nonce: [0; 16],
        ..asked
    };
    assert!(denied(&config(), &unlucky));
    assert!(denied(&Config::default(), &asked));
}
