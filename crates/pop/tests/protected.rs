//! A protected video behind a shield: its token is looked at where the viewer comes in, and from there
//! on signatures count.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;

use support::{
    RunningPop,
    client::{Answer, Call, get},
    module,
    origin::{Asked, Origin, Reply},
    policy,
};
use tokio::sync::watch;
use weir_model::edge::{EdgeSecrets, Signed};
use weir_pop::{Config, upstream::Settings};

const SECRET: &str = "a secret of at least 32 characters";
const SEGMENT: &str = "/v/pabcdefghijk/3/480p/12.m4s";

fn secrets() -> EdgeSecrets {
    EdgeSecrets::parse(SECRET).unwrap()
}

fn now_s() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// An origin that answers its points of presence alone, with the target that they asked for.
fn origin() -> Origin {
    Origin::start(|asked| {
        let text = |name| asked.field(name).unwrap_or_default();
        let signed = Signed {
            method: &asked.method,
            target: &asked.target,
            pop: text("weir-pop"),
            country: text("weir-country"),
        };
        match secrets().verify(&signed, asked.field("weir-edge"), now_s()) {
            Ok(()) => Reply::text(asked.target.clone()),
            Err(_) => Reply::Whole {
                status: 401,
                fields: vec![("www-authenticate", "Weir-Edge".to_owned())],
                body: Vec::new(),
            },
        }
    })
}

/// A shield: it knows no keys of tokens.
fn shield(origin: &Origin) -> RunningPop {
    RunningPop::start_with(config("eu", origin.address, None))
}

/// Where viewers come in.
fn pop(name: &str, origin: &Origin, shield: &RunningPop) -> RunningPop {
    RunningPop::start_with(Config {
        edge_policy: Some(policy::path()),
        ..config(name, origin.address, Some(shield.address))
    })
}

fn config(name: &str, origin: SocketAddr, shield: Option<SocketAddr>) -> Config {
    let settings = Settings {
        shields: shield
            .into_iter()
            .map(|shield| format!("http://{shield}").parse().unwrap())
            .collect(),
        secrets: Some(watch::channel(secrets()).1),
        ..Settings::of_origin(format!("http://{origin}").parse().unwrap())
    };
    Config {
        name: name.to_owned(),
        ..Config::behind(settings, module::path())
    }
}

/// What was asked for but for what PoPs ask of themselves.
fn media(origin: &Origin) -> Vec<Asked> {
    let mut asked = origin.asked();
    asked.retain(|asked| asked.target.starts_with("/v/"));
    asked
}

/// Asks for `path` under the token of the policy that is called `token`.
fn under(pop: &RunningPop, token: &str, path: &str) -> Answer {
    let target = policy::with_tokens(&format!("/t/{{{token}}}{path}"));
    get(pop.address, &target)
}

fn assert_denied(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 403, "{what}: {answer:?}");
    assert!(
        answer.text().contains("token_required"),
        "{what}: {answer:?}"
    );
}

#[test]
fn a_token_lets_a_viewer_in_and_goes_no_further() {
    let origin = origin();
    let eu = shield(&origin);
    let (paris, london) = (pop("paris", &origin, &eu), pop("london", &origin, &eu));
    for pop in [&paris, &london] {
        let answer = under(pop, "good", SEGMENT);
        assert_eq!((answer.status, answer.text()), (200, SEGMENT));
        let control = answer.field("cache-control").unwrap();
        assert!(control.starts_with("private"), "{control}");
    }
    let [asked] = &media(&origin)[..] else {
        panic!("the shield asks once for both: {:?}", media(&origin));
    };
    assert_eq!(asked.target, SEGMENT);
    assert_eq!(asked.field("weir-pop"), Some("paris, eu"));
    assert_eq!(asked.field("authorization"), None);

    // By now it is in all caches, and whoever has no good token gets it from none.
    for token in [
        "forged",
        "unsigned",
        "confused",
        "expired",
        "for another video",
        "for another audience",
    ] {
        assert_denied(token, &under(&paris, token, SEGMENT));
    }
    assert_denied("no token", &get(paris.address, SEGMENT));
    assert_eq!(media(&origin).len(), 1);
}

#[test]
fn a_shield_takes_the_word_of_points_of_presence_alone() {
    let origin = origin();
    let eu = shield(&origin);
    let paris = pop("paris", &origin, &eu);
    assert_eq!(under(&paris, "good", SEGMENT).status, 200);

    assert_denied("a viewer", &get(eu.address, SEGMENT));
    assert_denied("a key it does not know", &under(&eu, "good", SEGMENT));
    let as_paris = |secrets: &EdgeSecrets, signed_target: &str, at: u64| {
        let signed = Signed {
            method: "GET",
            target: signed_target,
            pop: "paris",
            country: "",
        };
        Call::new("GET", SEGMENT)
            .field("weir-pop", "paris")
            .field("weir-edge", secrets.sign(&signed, at))
            .send(eu.address)
    };
    let others = EdgeSecrets::parse("another secret of 32 characters or more").unwrap();
    assert_denied("another secret", &as_paris(&others, SEGMENT, now_s()));
    let other = SEGMENT.replace("12", "13");
    assert_denied("another target", &as_paris(&secrets(), &other, now_s()));
    assert_denied("long ago", &as_paris(&secrets(), SEGMENT, now_s() - 3600));
    let unsigned = Call::new("GET", SEGMENT).field("weir-pop", "paris");
    assert_denied("a mere name", &unsigned.send(eu.address));
    assert_eq!(as_paris(&secrets(), SEGMENT, now_s()).status, 200);
    assert_eq!(media(&origin).len(), 1);
}

#[test]
fn a_ceiling_holds_all_the_way() {
    let origin = origin();
    let eu = shield(&origin);
    let paris = pop("paris", &origin, &eu);
    let multivariant = "/v/pabcdefghijk/index.m3u8";
    let low = under(&paris, "up to 480", multivariant);
    assert_eq!(
        low.text(),
        format!("{multivariant}?device=desktop&max=480"),
        "the origin lists no more"
    );
    let all = under(&paris, "good", multivariant);
    assert_eq!(all.text(), format!("{multivariant}?device=desktop"));
    let phone = under(&paris, "for a phone", multivariant);
    assert_eq!(phone.text(), format!("{multivariant}?device=phone"));
    assert_eq!(media(&origin).len(), 3, "each list has a key of its own");
}

#[test]
fn it_plays_on_when_the_shield_is_gone() {
    let origin = origin();
    let mut eu = shield(&origin);
    let paris = pop("paris", &origin, &eu);
    assert_eq!(under(&paris, "good", SEGMENT).status, 200);
    eu.finish();
    let next = SEGMENT.replace("12", "13");
    assert_eq!(under(&paris, "good", &next).text(), next);
    assert_eq!(media(&origin)[1].field("weir-pop"), Some("paris"));
    assert_denied("no token", &get(paris.address, &next));
}
