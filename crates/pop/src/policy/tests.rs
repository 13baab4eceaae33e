//! Policies say what they mean, or are refused with what is wrong.

use std::fs;

use weir_edge_abi::{Algorithm, Country, Rate};

use super::*;

const SECRET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
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
