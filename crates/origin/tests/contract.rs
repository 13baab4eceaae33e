//! The contract and the routers: whatever is answered is documented, and the other way round.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::Method;
use serde_json::{Value, json};
use support::{Answer, TestOrigin};
use weir_model::{pop::Status, ticket::TicketKey};
use weir_origin::{http::pop::Neighbour, origin::Config};

/// What the edge answers itself: no origin has it.
const OF_THE_EDGE: [&str; 2] = ["/api/v1/videos/{id}/sessions", "/v/{video}/steering.json"];
/// All but `OPTIONS`, which browsers ask before they ask.
const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// The documented methods of each documented path.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let document: Value =
        serde_json::from_str(&weir_origin::http::openapi::document_json()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = |calls: &Value| calls.as_object().unwrap().keys().cloned().collect();
    paths
        .map(|(path, calls)| (path.clone(), methods(calls)))
        .collect()
}

/// A point of presence that is asked, and is none.
#[derive(Debug, Default)]
struct Beside {
    drained: AtomicUsize,
}

impl Neighbour for Beside {
    fn status(&self) -> Status {
        serde_json::from_value(json!({
            "name": "local", "version": "0.1.0", "uptime_s": 1,
            "draining": self.drained.load(Ordering::SeqCst) > 0,
            "connections": {}, "requests": {"outcomes": {}}, "origin_requests": {},
            "upstream": {"answers": 0, "peers": []},
            "guest": {"calls": 0, "failures": 0, "mean_us": 0.0},
            "edge_modules": {
                "stable": {"sha256": "a".repeat(64)}, "refused": 0, "rolled_back": 0,
            },
            "cache": {"bytes": 0, "max_bytes": 0}, "players": {"requests": 0, "starved": 0},
            "bounds_hit": {}, "sent_bytes": 0,
        }))
        .unwrap()
    }

    fn ticket_key(&self) -> Option<TicketKey> {
        None
    }

    fn drain(&self) {
        self.drained.fetch_add(1, Ordering::SeqCst);
    }
}

async fn origin_beside(pop: Arc<Beside>) -> TestOrigin {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        pop: Some(pop),
        ..Config::new(data.path().to_owned())
    };
    TestOrigin::start_with(data, config).await
}

/// Whether there is a call, whatever it makes of this request.
fn is_answered(answer: &Answer) -> bool {
    let nothing_there = answer.status == 404 && answer.text().contains("there is nothing at");
    !(nothing_there || answer.status == 405)
}

#[tokio::test]
async fn what_is_answered_is_documented_and_what_is_documented_is_answered() {
    let weir = origin_beside(Arc::default()).await;
    let (video, _) = weir.create_video().await;
    for (path, methods) in documented() {
        if OF_THE_EDGE.contains(&&*path) {
            continue;
        }
        let target = path
            .replace("{id}", video.as_str())
            .replace("{video}", video.as_str())
            .replace("{sha256}", &"a".repeat(64))
            .replace("{session}", &"a".repeat(26))
            .replace("{path}", &format!("{video}/index.m3u8"));
        for method in METHODS {
            let is_documented = methods.contains(&method.as_str().to_ascii_lowercase());
            let viewer = weir.origin.viewer_address();
            let of_viewers = weir.send(viewer, method.clone(), &target, None, &[]).await;
            let of_operators = weir.operate(method.clone(), &target, None).await;
            let answered = is_answered(&of_viewers) || is_answered(&of_operators);
            // One route has all that is below `/v/`, whose methods depend on what is named there.
            if is_documented || !path.starts_with("/v/") {
                assert_eq!(answered, is_documented, "{method} {path}");
            }
        }
    }
}

/// The paths that are written down in `.route("…", …)` of a source file.
fn routes_in(source: &str) -> impl Iterator<Item = &str> {
    source.split(".route(").skip(1).filter_map(|behind| {
        let path = behind.trim_start().strip_prefix('"')?;
        path.split('"').next()
    })
}

#[test]
fn every_route_is_documented() {
    let documented = documented();
    let mut found = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Tests have routers of their own; pages are no calls.
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() || stem.ends_with("_tests") || stem == "web" || stem == "trust" {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        found.extend(routes_in(&source).map(|route| route.replace("{*", "{")));
    }
    assert!(found.len() > 20, "{found:?}");
    // What points of presence ask of origins is theirs alone.
    let public = found.iter().filter(|route| !route.starts_with("/edge/"));
    for route in public {
        assert!(documented.contains_key(route), "{route} is not documented");
    }
}

#[test]
fn schemas_of_one_name_are_one() {
    let document: Value =
        serde_json::from_str(&weir_origin::http::openapi::document_json()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    // Words that several modules use for their own.
    let of_roll_outs = &schemas["RolloutStatus"]["properties"];
    assert!(of_roll_outs["stable"].is_object(), "{of_roll_outs}");
    let of_pops = &schemas["PopHealth"]["properties"];
    assert_eq!(
        of_pops["edge_modules"]["$ref"],
        "#/components/schemas/RolloutStatus"
    );
    assert_eq!(schemas["Status"]["enum"], json!(["accepted", "refused"]));
}

#[tokio::test]
async fn the_point_of_presence_beside_is_the_operators_alone() {
    let pop = Arc::<Beside>::default();
    let weir = origin_beside(pop.clone()).await;
    let operator = weir.origin.operator_address();
    for (method, path) in [
        (Method::GET, "/api/v1/pop"),
        (Method::POST, "/api/v1/pop/drain"),
    ] {
        let stranger = weir.send(operator, method.clone(), path, None, &[]).await;
        stranger.assert_problem(401, "unauthorized");
        let viewer = weir.origin.viewer_address();
        let viewer = weir.send(viewer, method, path, None, &[]).await;
        viewer.assert_problem(404, "not_found");
    }
    assert_eq!(pop.drained.load(Ordering::SeqCst), 0);
    let status = weir.operate(Method::GET, "/api/v1/pop", None).await;
    assert_eq!(status.header("cache-control"), "no-store");
    assert_eq!(status.json()["draining"], false);
    let drained = weir.operate(Method::POST, "/api/v1/pop/drain", None).await;
    assert_eq!(
        (drained.status.as_u16(), &drained.json()["draining"]),
        (202, &json!(true))
    );

    // An origin alone has none.
    let alone = TestOrigin::start().await;
    let status = alone.operate(Method::GET, "/api/v1/pop", None).await;
    status.assert_problem(404, "not_found");
}
