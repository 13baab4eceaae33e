//! Tickets return as they were signed, for as long as they are good; nothing else is taken for one.

use proptest::prelude::*;

use super::*;
use crate::key::{Secret, SigningKey};

const HOUR_MS: u64 = 3_600_000;

fn key(byte: u8) -> TicketKey {
    TicketKey::new(Secret(vec![byte; 32])).unwrap()
}

fn keys(bytes: &[u8]) -> TicketKeys {
    bytes.iter().map(|byte| key(*byte)).collect()
}

fn ticket() -> Ticket {
    Ticket {
        session: SessionId::from_random(77),
        video: "oabcdefghijk".parse().unwrap(),
        country: Country::new(*b"IS"),
        device: Some(DeviceClass::Tablet),
        pop: "fra-1".to_owned(),
        issued: WallTime(1_795_367_096_000),
    }
}

/// A text with another header, or other claims, under a signature of our key.
fn signed_as(header: &str, claims: &str) -> String {
    let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mac = key(9).signing().sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", data_encoding::BASE64URL_NOPAD.encode(&mac))
}

#[test]
fn tickets_return_for_a_day_and_for_what_comes_late() {
    let text = ticket().sign(&key(9)).unwrap();
    let at = |hours| {
        let now = WallTime(ticket().issued.0 + hours * HOUR_MS);
        Ticket::verify(&text, &keys(&[9]), now)
    };
    assert_eq!(at(0), Ok(ticket()));
    assert_eq!(at(47), Ok(ticket()));
    let expired = TicketError::Expired {
        issued: ticket().issued,
        expires: ticket().expires(),
    };
    assert_eq!(at(48), Err(expired));
    let early = WallTime(ticket().issued.0 - HOUR_MS);
    assert_eq!(Ticket::verify(&text, &keys(&[9]), early), Err(expired));
    let unknown = Ticket {
        country: None,
        device: None,
        ..ticket()
    };
    let text = unknown.sign(&key(9)).unwrap();
    assert_eq!(
        Ticket::verify(&text, &keys(&[9]), ticket().issued),
        Ok(unknown)
    );
}

#[test]
fn keys_are_rotated() {
    let now = ticket().issued;
    let verify = |text: &str, bytes: &[u8]| Ticket::verify(text, &keys(bytes), now);
    let (old, new) = (
        ticket().sign(&key(8)).unwrap(),
        ticket().sign(&key(9)).unwrap(),
    );
    assert!(verify(&old, &[9, 8]).is_ok() && verify(&new, &[9, 8]).is_ok());
    assert_eq!(verify(&old, &[9]), Err(TicketError::Signature));
    assert_eq!(verify(&new, &[]), Err(TicketError::Signature));
    // One that names no key is tried with each.
    let nameless = SigningKey {
        kid: String::new(),
        ..key(8).signing()
    };
    let claims =
        r#"{"sid":"aaaaaaaaaaaaaaaaaaaaaaaaaa","video":"oabcdefghijk","pop":"x","iat":1795367096}"#;
    let nameless = jws::sign(&nameless, KIND, claims).unwrap();
    assert!(verify(&nameless, &[9, 8]).is_ok() && verify(&nameless, &[9]).is_err());
}

#[test]
fn forgeries_are_refused() {
    let now = ticket().issued;
    let verify = |text: &str| Ticket::verify(text, &keys(&[9]), now);
    let claims =
        r#"{"sid":"aaaaaaaaaaaaaaaaaaaaaaaaaa","video":"oabcdefghijk","pop":"x","iat":1795367096}"#;
    let good = r#"{"alg":"HS256","typ":"weir-ticket"}"#;
    assert!(verify(&signed_as(good, claims)).is_ok());
    for header in [
        r#"{"alg":"none","typ":"weir-ticket"}"#,
        r#"{"alg":"EdDSA","typ":"weir-ticket"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","alg":"none","typ":"weir-ticket"}"#,
        r#"{"alg":"HS256","typ":"weir-ticket","crit":["exp"]}"#,
        r#"{"typ":"weir-ticket"}"#,
    ] {
        assert_eq!(
            verify(&signed_as(header, claims)),
            Err(TicketError::Malformed),
            "{header}"
        );
    }
    let unsigned = signed_as(r#"{"alg":"none","typ":"weir-ticket"}"#, claims);
    let (unsigned, _) = unsigned.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{unsigned}.")), Err(TicketError::Malformed));
    for claims in [
        "{}",
        r#"{"sid":"short","video":"oabcdefghijk","pop":"x","iat":1795367096}"#,
        r#"{"sid":"aaaaaaaaaaaaaaaaaaaaaaaaaa","video":"oabcdefghijk","pop":"x"}"#,
        r#"{"sid":"aaaaaaaaaaaaaaaaaaaaaaaaaa","video":"oabcdefghijk","pop":"x","iat":-1}"#,
        r#"{"sid":"aaaaaaaaaaaaaaaaaaaaaaaaaa","video":"oabcdefghijk","pop":"x","iat":1,"iat":1795367096}"#,
        r#"{"sid":"aaaaaaaaaaaaaaaaaaaaaaaaaa","video":"oabcdefghijk","pop":"x","iat":1795367096,"device":"toaster"}"#,
    ] {
        assert_eq!(
            verify(&signed_as(good, claims)),
            Err(TicketError::Malformed),
            "{claims}"
        );
    }
    let unknown_key = r#"{"alg":"HS256","typ":"weir-ticket","kid":"another"}"#;
    assert_eq!(
        verify(&signed_as(unknown_key, claims)),
        Err(TicketError::Signature)
    );
    let other = ticket().sign(&key(8)).unwrap();
    assert_eq!(verify(&other), Err(TicketError::Signature));
    // The claims of one under the signature of another.
    let (mine, _) = signed_as(good, claims)
        .rsplit_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let (_, theirs) = other.rsplit_once('.').unwrap();
    assert_eq!(
        verify(&format!("{mine}.{theirs}")),
        Err(TicketError::Signature)
    );
    for text in ["", "..", "a.b.c", &"a".repeat(2000)] {
        assert_eq!(verify(text), Err(TicketError::Malformed), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_refused(text in "[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(Ticket::verify(&text, &keys(&[9]), WallTime(0)).is_err());
    }
}
