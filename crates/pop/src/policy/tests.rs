//! Policies say what they mean, or are refused with what is wrong.

use std::fs;

use tokio::sync::watch;
use weir_edge_abi::{Algorithm, Country, Rate};
use weir_model::ticket::TicketKeys;

use super::*;

const SECRET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
const OTHER_SECRET: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
// RFC 8037 appendix A.2.
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// The policy of a folder with these files; the first is the policy.
fn read(files: &[(&str, &str)]) -> Result<Policy, PolicyError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    Policy::read(&folder.path().join(files[0].0), "fra-1")
}

#[test]
fn an_empty_one_is_none() {
    assert_eq!(read(&[("p.toml", "")]).unwrap(), Policy::none("fra-1"));
}

#[test]
fn all_of_it_is_read() {
    let toml = format!(
        r#"
audience = "https://example.org"
denied_countries = ["XX", "YY"]
country_header = "CF-IPCountry"
device_header = "x-device"
ticket_key = "{SECRET}"
steering_ttl_s = 60

[[keys]]
kid = "ours"
algorithm = "HS256"
secret = "{SECRET}"

[[keys]]
file = "shop.jwk"

[[pathways]]
id = "fra"
base_url = "https://fra.example.org:8443"

[limits]
comments = {{ per_minute = 20, burst = 5 }}
"#
    );
    let jwk = format!(
        r#"{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"shop","x":"{PUBLIC}","use":"sig"}}"#
    );
    let policy = read(&[("p.toml", &toml), ("shop.jwk", &jwk)]).unwrap();
    let config = &policy.config;
    let keys: Vec<_> = config
        .keys
        .iter()
        .map(|key| (&*key.kid, key.algorithm, key.key.0.len()))
        .collect();
    assert_eq!(
        keys,
        [
            ("ours", Algorithm::Hs256, 32),
            ("shop", Algorithm::EdDsa, 32)
        ]
    );
    assert_eq!(config.denied_countries[1], Country::new(*b"YY").unwrap());
    assert_eq!(policy.country_header.unwrap(), "cf-ipcountry");
    assert_eq!(config.pathways[0].id, "fra");
    let twenty = Rate {
        per_minute: 20,
        burst: 5,
    };
    assert_eq!(
        (config.limits.comments, config.limits.events),
        (twenty, Rate::default())
    );
    assert_eq!((config.steering_ttl_s, &*config.pop), (60, "fra-1"));
}

#[test]
fn mistakes_are_named() {
    let key = |rest: &str| format!("[[keys]]\nkid = \"a\"\n{rest}");
    let hs256 = format!("algorithm = \"HS256\"\nsecret = \"{SECRET}\"\n");
    let private =
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{PUBLIC}","d":"{PUBLIC}"}}"#);
    for (toml, expected) in [
        ("audiense = \"a\"", "audience"),
        ("audience = 1", "string"),
        ("denied_countries = [\"de\"]", "capital"),
        ("country_header = \"a b\"", "header"),
        ("steering_ttl_s = 0", "5 to 3600"),
        ("ticket_key = \"AAAA\"", "32 bytes"),
        ("ticket_key = \"=\"", "base64url"),
        (
            &key(&format!("secrets = \"{SECRET}\"")),
            "line 3: unknown field",
        ),
        (&key("algorithm = \"none\""), "HS256"),
        (&key("algorithm = \"HS256\""), "needs kid"),
        (
            &key(&format!("algorithm = \"EdDSA\"\nsecret = \"{SECRET}\"")),
            "needs kid",
        ),
        (&key("algorithm = \"HS256\"\nsecret = \"AAAA\""), "32 bytes"),
        (&(key(&hs256) + &key(&hs256)), "once"),
        (&format!("[[keys]]\n{hs256}"), "1 to 32"),
        (&key("file = \"nothing.jwk\""), "nothing.jwk"),
        (&key("file = \"private.jwk\""), "private key"),
        (&key("file = \"p.toml\""), "JSON Web Key"),
        (
            "[[pathways]]\nid = \"a\"\nbase_url = \"example.org\"",
            "http(s)",
        ),
        (
            "[[pathways]]\nid = \"a\"\nbase_url = \"https://a.org/x\"",
            "http(s)",
        ),
        (
            "[limits]\ncomments = { per_minute = 0, burst = 1 }",
            "limits.comments",
        ),
    ] {
        let error = read(&[("p.toml", toml), ("private.jwk", &private)]).unwrap_err();
        assert!(error.to_string().contains(expected), "{toml}: {error}");
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}

#[test]
fn a_file_is_the_key_that_it_is_named() {
    let jwk = format!(r#"{{"kty":"oct","alg":"HS256","kid":"b","k":"{SECRET}"}}"#);
    let check = |toml: &str| read(&[("p.toml", toml), ("b.jwk", &jwk)]);
    assert!(check("[[keys]]\nkid = \"b\"\nfile = \"b.jwk\"").is_ok());
    let other = check("[[keys]]\nkid = \"a\"\nfile = \"b.jwk\"");
    assert!(
        matches!(other, Err(PolicyError::OtherKey { .. })),
        "{other:?}"
    );
    let other = check("[[keys]]\nalgorithm = \"EdDSA\"\nfile = \"b.jwk\"");
    assert!(
        matches!(other, Err(PolicyError::OtherKey { .. })),
        "{other:?}"
    );
}

#[tokio::test]
async fn the_shared_key_signs_unless_the_file_names_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    let keys = |text: &str| TicketKeys::parse(text).unwrap();
    let (sender, shared) = watch::channel(keys(OTHER_SECRET));
    let mut source = Source {
        path: Some(path.clone()),
        pop: "fra-1".to_owned(),
        ticket_keys: Some(shared),
    };
    let mut signs = || source.read().unwrap().config.ticket_key.0;
    fs::write(&path, "").unwrap();
    assert_eq!(signs(), [2; 32]);
    fs::write(&path, format!("ticket_key = \"{SECRET}\"")).unwrap();
    assert_eq!(signs(), [1; 32]);
    fs::write(&path, "").unwrap();
    assert!(!source.has_other_keys());
    sender.send_replace(keys(SECRET));
    assert!(source.has_other_keys());
    assert_eq!(source.read().unwrap().config.ticket_key.0, [1; 32]);
    assert!(!source.has_other_keys());
}

#[test]
fn tickets_are_limited_unless_the_file_says_otherwise() {
    let sessions = |toml: &str| read(&[("p.toml", toml)]).unwrap().config.limits.sessions;
    assert_eq!(sessions(""), SESSIONS);
    let told = sessions("[limits]\nsessions = { per_minute = 7, burst = 8 }");
    assert_eq!((told.per_minute, told.burst), (7, 8));
}
