//! Playback tokens and session tickets: garbage is none, and whatever claims are signed can be
//! remembered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_model::{
    WallTime,
    key::{Algorithm, Key, Secret},
    ticket::{Ticket, TicketKey, TicketKeys},
    token::{Grant, mint, verify},
};

fuzz_target!(|input: (&str, &[u8])| {
    let (token, claims) = input;
    let key = Key {
        kid: "k".to_owned(),
        algorithm: Algorithm::Hs256,
        key: Secret(vec![1; 32]),
    };
    let keys = [key];
    if let Ok(claims) = verify(token, &keys, "") {
        let bytes = claims.to_bytes();
        assert!(Grant::read(&bytes).is_some());
        let signing = weir_model::key::SigningKey {
            kid: "k".to_owned(),
            algorithm: Algorithm::Hs256,
            secret: Secret(vec![1; 32]),
        };
        let again = mint(&claims, "", &signing).expect("the key is one");
        assert!(verify(&again, &keys, "").is_ok_and(|again| again == claims));
    }
    let tickets: TicketKeys = TicketKey::new(Secret(vec![1; 32])).into_iter().collect();
    let _ = Ticket::verify(token, &tickets, WallTime(0));
    let _ = TicketKeys::parse(token);
    let _ = Grant::read(claims);
});
