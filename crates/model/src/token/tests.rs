//! Tokens return what they claim, and forgeries claim nothing.

use proptest::prelude::*;

use super::*;
use crate::key::{Algorithm, Key, Secret};

fn shared() -> SigningKey {
    SigningKey {
        kid: "shared".to_owned(),
        algorithm: Algorithm::Hs256,
        secret: Secret(vec![1; 32]),
    }
}

fn private() -> SigningKey {
    SigningKey {
        kid: "private".to_owned(),
        algorithm: Algorithm::EdDsa,
        secret: Secret(vec![2; 32]),
    }
}

fn keys() -> Vec<Key> {
    [shared(), private()]
        .iter()
        .map(|key| key.verifying().unwrap())
        .collect()
}

fn video(id: &str) -> VideoId {
    id.parse().unwrap()
}

fn claims() -> Claims {
    Claims {
        videos: Videos::These(vec![video("pabcdefghijk")]),
        not_before: Some(WallTime(1_000_000)),
        expires: WallTime(2_000_000),
        countries: vec!["DE".parse().unwrap(), "FR".parse().unwrap()],
        device: Some(DeviceClass::Phone),
        max_height: Some(720),
    }
}

/// A token with this header and payload, signed with `key` whatever they say.
fn forged(header: &str, payload: &str, key: &SigningKey) -> String {
    let signed = format!(
        "{}.{}",
        jws::encoded(header.as_bytes()),
        jws::encoded(payload.as_bytes())
    );
    let signature = jws::encoded(&key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[test]
fn claims_return_under_both_algorithms() {
    for key in [shared(), private()] {
        for audience in ["", "https://example.org/\"live\""] {
            let token = mint(&claims(), audience, &key).unwrap();
            assert!(token.len() < MAX_LEN);
            assert_eq!(
                verify(&token, &keys(), audience).is_ok(),
                !audience.contains('"')
            );
        }
        let token = mint(&claims(), "https://example.org/live", &key).unwrap();
        assert_eq!(
            verify(&token, &keys(), "https://example.org/live"),
            Ok(claims())
        );
    }
}

#[test]
fn the_longest_claims_fit() {
    let id = |n| VideoId::from_random(n, crate::Access::Protected);
    let country = |n: u8| Country::new([b'A', b'A' + n]).unwrap();
    let claims = Claims {
        videos: Videos::These((0..MAX_VIDEOS as u64).map(id).collect()),
        countries: (0..26).map(country).chain((0..6).map(country)).collect(),
        ..claims()
    };
    let token = mint(
        &claims,
        "an audience of forty characters or so...",
        &private(),
    )
    .unwrap();
    assert!(token.len() <= MAX_LEN, "{}", token.len());
    assert!(verify(&token, &keys(), "an audience of forty characters or so...").is_ok());
}

#[test]
fn forgeries_are_refused() {
    let payload = r#"{"video":"*","exp":9999999999}"#;
    let check = |what: &str, token: &str, expected| {
        assert_eq!(verify(token, &keys(), "").map(drop), expected, "{what}");
    };
    let header = |alg, kid| format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#);
    let good = forged(&header("HS256", "shared"), payload, &shared());
    check("the good one", &good, Ok(()));
    let (signed, signature) = good.rsplit_once('.').unwrap();

    let none = forged(&header("none", "shared"), payload, &shared());
    check("alg none", &none, Err(TokenError::Algorithm));
    let unsigned = format!("{}.", none.rsplit_once('.').unwrap().0);
    check("alg none, unsigned", &unsigned, Err(TokenError::Algorithm));
    check(
        "unsigned",
        &format!("{signed}."),
        Err(TokenError::Signature),
    );

    // The public key, which anyone may know, as the secret of HS256.
    let confused = SigningKey {
        secret: private().verifying().unwrap().key,
        ..shared()
    };
    let token = forged(&header("HS256", "private"), payload, &confused);
    check("key confusion", &token, Err(TokenError::Algorithm));
    let token = forged(&header("EdDSA", "private"), payload, &confused);
    check(
        "key confusion under the right name",
        &token,
        Err(TokenError::Signature),
    );
    let token = forged(&header("EdDSA", "shared"), payload, &private());
    check(
        "the other key's algorithm",
        &token,
        Err(TokenError::Algorithm),
    );
    let token = forged(&header("HS256", "stranger"), payload, &shared());
    check("a strange key", &token, Err(TokenError::UnknownKey));
    let token = forged(r#"{"alg":"HS256"}"#, payload, &shared());
    check("no kid", &token, Err(TokenError::UnknownKey));

    let other = forged(
        &header("HS256", "shared"),
        r#"{"video":"*","exp":1}"#,
        &shared(),
    );
    let other = other.rsplit_once('.').unwrap().0;
    check(
        "another payload",
        &format!("{other}.{signature}"),
        Err(TokenError::Signature),
    );
    check(
        "half a signature",
        &good[..good.len() - 20],
        Err(TokenError::Signature),
    );

    let token = forged(
        r#"{"alg":"HS256","kid":"shared","typ":"weir-ticket"}"#,
        payload,
        &shared(),
    );
    check("a ticket", &token, Err(TokenError::Kind));
    for header in [
        r#"{"alg":"HS256","kid":"shared","crit":["b64"],"b64":false}"#,
        r#"{"alg":"none","alg":"HS256","kid":"shared"}"#,
        r#"{"\u0061lg":"none","alg":"HS256","kid":"shared"}"#,
        r#"{"kid":"shared"}"#,
        r#"["HS256"]"#,
    ] {
        let token = forged(header, payload, &shared());
        check(header, &token, Err(TokenError::Malformed));
    }
    let undotted = good.replace('.', "");
    for token in [
        "", ".", "..", "...", "e30.e30.", "a b.c.d", "é.é.é", &undotted,
    ] {
        check(token, token, Err(TokenError::Malformed));
    }
    check("padding", &format!("{good}="), Err(TokenError::Malformed));
    let long = "a".repeat(MAX_LEN + 1);
    check("oversized", &long, Err(TokenError::TooLong(MAX_LEN + 1)));
}

#[test]
fn claims_are_what_they_can_be() {
    let read = |payload: &str| {
        verify(
            &forged(r#"{"alg":"HS256","kid":"shared"}"#, payload, &shared()),
            &keys(),
            "",
        )
    };
    for payload in [
        "{}",
        r#"{"video":"*"}"#,
        r#"{"exp":1}"#,
        r#"{"video":[],"exp":1}"#,
        r#"{"video":"somebody's","exp":1}"#,
        r#"{"video":["*","pabcdefghijk"],"exp":1}"#,
        r#"{"video":"*","exp":"1"}"#,
        r#"{"video":"*","exp":-1}"#,
        r#"{"video":"*","exp":1e99}"#,
        r#"{"video":"*","exp":99999999999999999999}"#,
        r#"{"video":"*","exp":1,"exp":2}"#,
        r#"{"video":"*","exp":1,"countries":[]}"#,
        r#"{"video":"*","exp":1,"countries":["de"]}"#,
        r#"{"video":"*","exp":1,"countries":[1]}"#,
        r#"{"video":"*","exp":1,"device":"fridge"}"#,
        r#"{"video":"*","exp":1,"max_height":0}"#,
        r#"{"video":"*","exp":1,"max_height":65536}"#,
        r#"{"video":"*","exp":1} {}"#,
        r#""*""#,
    ] {
        assert_eq!(read(payload), Err(TokenError::Claims), "{payload}");
    }
    let many = format!(
        r#"{{"video":[{}],"exp":1}}"#,
        [r#""pabcdefghijk""#; 17].join(",")
    );
    assert_eq!(read(&many), Err(TokenError::Claims));
    let fractional = read(r#"{"sub":"me","video":"*","exp":12.75,"iat":[1]}"#).unwrap();
    assert_eq!(
        (fractional.expires, fractional.videos),
        (WallTime(12_000), Videos::Any)
    );
}

#[test]
fn audiences_have_to_fit() {
    let check = |aud: &str, audience, expected| {
        let payload = format!(r#"{{"video":"*","exp":1{aud}}}"#);
        let token = forged(r#"{"alg":"HS256","kid":"shared"}"#, &payload, &shared());
        assert_eq!(
            verify(&token, &keys(), audience).map(drop),
            expected,
            "{aud} {audience}"
        );
    };
    check("", "", Ok(()));
    check("", "a", Err(TokenError::Audience));
    check(r#","aud":"a""#, "", Err(TokenError::Audience));
    check(r#","aud":"a""#, "a", Ok(()));
    check(r#","aud":"a""#, "b", Err(TokenError::Audience));
    check(r#","aud":["b","a"]"#, "a", Ok(()));
    check(r#","aud":[]"#, "a", Err(TokenError::Audience));
    check(r#","aud":"https:\/\/a\/b""#, "https://a/b", Ok(()));
    check(
        r#","aud":"https:\/a""#,
        "https://a",
        Err(TokenError::Audience),
    );
    check(r#","aud":"\u0061""#, "a", Err(TokenError::Audience));
}

#[test]
fn a_grant_allows_what_was_claimed() {
    let bytes = claims().to_bytes();
    let grant = Grant::read(&bytes).unwrap();
    assert_eq!(
        (grant.device, grant.max_height),
        (Some(DeviceClass::Phone), Some(720))
    );
    let (germany, video) = (Country::new(*b"DE"), video("pabcdefghijk"));
    let at = |now, grace| grant.allows(video, WallTime(now), germany, grace);
    assert_eq!(at(999_999, Grace::None), Err(Refusal::NotYet));
    assert_eq!(at(1_000_000, Grace::None), Ok(()));
    assert_eq!(at(1_999_999, Grace::None), Ok(()));
    assert_eq!(at(2_000_000, Grace::None), Err(Refusal::Expired));
    assert_eq!(at(2_059_999, Grace::Media), Ok(()));
    assert_eq!(at(2_060_000, Grace::Media), Err(Refusal::Expired));

    let now = WallTime(1_500_000);
    let elsewhere = |country| grant.allows(video, now, country, Grace::None);
    assert_eq!(elsewhere(Country::new(*b"FR")), Ok(()));
    assert_eq!(elsewhere(Country::new(*b"IS")), Err(Refusal::OtherCountry));
    assert_eq!(elsewhere(None), Err(Refusal::OtherCountry));
    let other = "pzzzzzzzzzzz".parse().unwrap();
    let refused = grant.allows(other, now, germany, Grace::None);
    assert_eq!(refused, Err(Refusal::OtherVideo));

    let any = Claims {
        videos: Videos::Any,
        not_before: None,
        countries: Vec::new(),
        device: None,
        max_height: None,
        ..claims()
    };
    let bytes = any.to_bytes();
    let grant = Grant::read(&bytes).unwrap();
    assert_eq!((grant.device, grant.max_height), (None, None));
    assert_eq!(grant.allows(other, WallTime(0), None, Grace::None), Ok(()));
}

#[test]
fn tokens_are_found_where_they_stand() {
    let check = |path, query, bearer, expected| {
        assert_eq!(
            of_request(path, query, bearer),
            expected,
            "{path} {query} {bearer}"
        );
    };
    check("/t/abc/v/x", "token=q", "b", Some("abc"));
    check("/t/abc", "", "", Some("abc"));
    check("/v/x", "a=1&token=q", "b", Some("q"));
    check("/v/x", "atoken=q", "b", Some("b"));
    check("/v/x", "", "", None);
    check("/v/x", "token=", "", None);
}

#[test]
fn a_path_is_what_stands_behind_the_token() {
    for (path, expected) in [
        ("/t/a.b.c/v/x/index.m3u8", "/v/x/index.m3u8"),
        ("/t/a.b.c/", "/"),
        ("/v/x/t/y", "/v/x/t/y"),
        ("/t/a.b.c", "/t/a.b.c"),
        ("/t//v/x", "/t//v/x"),
        ("/t/", "/t/"),
        ("", ""),
    ] {
        assert_eq!(bare(path), expected, "{path}");
    }
}

proptest! {
    #[test]
    fn any_token_is_refused(token in "[A-Za-z0-9_.-]{0,200}", garbage in "\\PC{0,100}") {
        prop_assert!(verify(&token, &keys(), "").is_err());
        prop_assert!(verify(&garbage, &keys(), "").is_err());
    }

    #[test]
    fn any_signed_payload_is_read_or_refused(
        payload in r#"\{("(video|exp|nbf|aud|countries|device|max_height)":("[a-zA-Z*]{0,12}"|[0-9.]{1,12}|\["DE"\]|null),?){0,5}\}"#
    ) {
        let token = forged(r#"{"alg":"HS256","kid":"shared"}"#, &payload, &shared());
        if let Ok(claims) = verify(&token, &keys(), "") {
            let bytes = claims.to_bytes();
            prop_assert!(Grant::read(&bytes).is_some());
        }
    }

    #[test]
    fn any_bytes_are_a_grant_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = Grant::read(&bytes);
    }

    #[test]
    fn any_bit_counts(bit in 0..8_usize, at in 0..100_usize) {
        let mut token = mint(&claims(), "", &shared()).unwrap().into_bytes();
        let at = at % token.len();
        token[at] ^= 1 << bit;
        if let Ok(token) = String::from_utf8(token) {
            prop_assert!(verify(&token, &keys(), "").is_err());
        }
    }
}
