//! The policy that the list of cases comes under, and tokens for it.

use std::path::PathBuf;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use weir_edge_abi::{Config, Limits, Pathway, Rate};
use weir_model::{
    DeviceClass, WallTime,
    key::{Algorithm, Key, Secret, SigningKey},
    token::{Claims, Videos, mint},
};

const TEXT: &str = include_str!("../policy.toml");
/// The private half of the policy's public key.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
/// The year 2100, in milliseconds.
const FAR_AHEAD: WallTime = WallTime(4_102_444_800_000);
const LONG_AGO: WallTime = WallTime(1_000_000_000_000);

/// The file, for hosts that read TOML.
pub fn path() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../edge-worker/tests/policy.toml"
    ))
}

/// The same as JSON.
pub fn json() -> String {
    value().to_string()
}

fn value() -> Value {
    toml::from_str(TEXT).unwrap()
}

/// What the guest is told of it.
pub fn config() -> Config {
    let policy = value();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |name: &str| policy[name].as_array().unwrap().clone();
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let comments = &policy["limits"]["comments"];
    Config {
        pop: "tests".to_owned(),
        audience: text(&policy["audience"]),
        keys: list("keys").iter().map(key).collect(),
        denied_countries: list("denied_countries")
            .iter()
            .map(|code| code.as_str().unwrap().parse().unwrap())
            .collect(),
        ticket_key: Secret(base64url(policy["ticket_key"].as_str().unwrap())),
        pathways: list("pathways")
            .iter()
            .map(|pathway| Pathway {
                id: text(&pathway["id"]),
                base_url: text(&pathway["base_url"]),
            })
            .collect(),
        steering_ttl_s: number(&policy["steering_ttl_s"]),
        limits: Limits {
            comments: Rate {
                per_minute: number(&comments["per_minute"]),
                burst: number(&comments["burst"]),
            },
            ..Limits::default()
        },
        ..Config::default()
    }
}

fn key(entry: &Value) -> Key {
    let (algorithm, field) = match entry["algorithm"].as_str().unwrap() {
        "HS256" => (Algorithm::Hs256, "secret"),
        _ => (Algorithm::EdDsa, "public_key"),
    };
    Key {
        kid: entry["kid"].as_str().unwrap().to_owned(),
        algorithm,
        key: Secret(base64url(entry[field].as_str().unwrap())),
    }
}

/// `text` with the tokens in the place of their names, such as `{good}`.
pub fn with_tokens(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, token) in tokens() {
        text = text.replace(&format!("{{{name}}}"), &token);
    }
    text
}

fn tokens() -> Vec<(&'static str, String)> {
    let good = Claims {
        videos: Videos::These(vec!["pabcdefghijk".parse().unwrap()]),
        not_before: None,
        expires: FAR_AHEAD,
        countries: Vec::new(),
        device: None,
        max_height: None,
    };
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = good.clone();
        change(&mut claims);
        claims
    };
    let (shared, public) = (shared(), public());
    let signed = |claims: &Claims| mint(claims, "weir-tests", &shared).unwrap();
    let stranger = SigningKey {
        secret: Secret(vec![7; 32]),
        ..shared.clone()
    };
    // The public key taken for a shared secret.
    let confused = SigningKey {
        kid: public.kid.clone(),
        algorithm: Algorithm::Hs256,
        secret: public.verifying().unwrap().key,
    };
    let whole = signed(&good);
    let (_, claims) = whole.split_once('.').unwrap();
    let (claims, _) = claims.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT","kid":"shared"}
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoic2hhcmVkIn0";
    vec![
        (
            "signed by the public key's owner",
            mint(&good, "weir-tests", &public).unwrap(),
        ),
        (
            "for a phone",
            signed(&with(&|claims| claims.device = Some(DeviceClass::Phone))),
        ),
        (
            "up to 480",
            signed(&with(&|claims| claims.max_height = Some(480))),
        ),
        (
            "for France",
            signed(&with(&|claims| {
                claims.countries = vec!["FR".parse().unwrap()]
            })),
        ),
        (
            "expired",
            signed(&with(&|claims| claims.expires = LONG_AGO)),
        ),
        (
            "too early",
            signed(&with(&|claims| claims.not_before = Some(FAR_AHEAD))),
        ),
        (
            "for another video",
            signed(&with(&|claims| {
                claims.videos = Videos::These(vec!["pzzzzzzzzzzz".parse().unwrap()]);
            })),
        ),
        (
            "for another audience",
            mint(&good, "others", &shared).unwrap(),
        ),
        ("forged", mint(&good, "weir-tests", &stranger).unwrap()),
        ("confused", mint(&good, "weir-tests", &confused).unwrap()),
        ("unsigned", format!("{unsigned}.{claims}.")),
        ("good", whole),
    ]
}

fn shared() -> SigningKey {
    let config = config();
    let key = config.keys.into_iter().find(|key| key.kid == "shared");
    let Key {
        kid,
        algorithm,
        key,
    } = key.unwrap();
    SigningKey {
        kid,
        algorithm,
        secret: key,
    }
}

fn public() -> SigningKey {
    SigningKey {
        kid: "public".to_owned(),
        algorithm: Algorithm::EdDsa,
        secret: Secret(base64url(SEED)),
    }
}

fn base64url(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
}
