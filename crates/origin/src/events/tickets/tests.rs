//! Forged, stolen, replayed and missing tickets, in virtual time.

use serde_json::{Value, json};
use weir_model::{SessionId, VideoId, key::Secret, ticket::TicketKey};

use super::*;

const VIDEO: &str = "oabcdefghijk";
const NOW: WallTime = WallTime(1_795_367_096_000);
const DAY_MS: u64 = 86_400_000;

fn key(byte: u8) -> TicketKey {
    TicketKey::new(Secret(vec![byte; 32])).unwrap()
}

fn ticket() -> Ticket {
    Ticket {
        session: SessionId::from_random(7),
        video: VIDEO.parse().unwrap(),
        country: None,
        device: None,
        pop: "fra-1".to_owned(),
        issued: NOW,
    }
}

fn options(keys: &[u8], optional: bool) -> Options {
    let keys = keys.iter().map(|byte| key(*byte)).collect();
    Options {
        keys: Some(watch::channel(keys).1),
        optional,
    }
}

fn tickets(keys: &[u8], optional: bool) -> Tickets {
    Tickets::new(options(keys, optional), None)
}

/// A batch of one view and one share, received so long after [`NOW`].
fn batch(ticket: Option<&str>, session: SessionId, after_ms: u64) -> Batch {
    let time = NOW.0 + after_ms;
    let event = |seq, word| json!({"seq": seq, "video": VIDEO, "type": word, "time": time});
    let mut body = json!({
        "session": session.as_str(), "events": [event(1, "view"), event(2, "share")],
    });
    if let Some(ticket) = ticket {
        body["ticket"] = Value::from(ticket);
    }
    Batch::parse(body.to_string().as_bytes(), WallTime(time)).unwrap()
}

/// How many of two events are taken, and what is wrong with the ticket.
fn check(
    tickets: &Tickets,
    ticket_text: Option<&str>,
    after_ms: u64,
) -> (usize, Option<TicketError>) {
    let mut batch = batch(ticket_text, ticket().session, after_ms);
    let wall = NOW.plus(Duration::from_millis(after_ms));
    let wrong = tickets.admit(&mut batch, wall, Instant::now()).unwrap();
    (batch.accepted().count(), wrong)
}

#[test]
fn events_need_a_ticket_that_one_of_the_keys_signed() {
    let good = ticket().sign(&key(2)).unwrap();
    let forged = ticket().sign(&key(3)).unwrap();
    let required = tickets(&[1, 2], false);
    assert_eq!(check(&required, Some(&good), 1000), (2, None));
    assert_eq!(check(&required, None, 1000), (0, None));
    assert_eq!(check(&required, Some(""), 1000), (0, None));
    let signature = Some(TicketError::Signature);
    assert_eq!(check(&required, Some(&forged), 1000), (0, signature));
    let malformed = Some(TicketError::Malformed);
    assert_eq!(check(&required, Some("x.y.z"), 1000), (0, malformed));
    // {"alg":"none","typ":"weir-ticket"}, and no signature.
    let claims = good.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoid2Vpci10aWNrZXQifQ.{claims}.");
    assert_eq!(check(&required, Some(&none), 1000), (0, malformed));
}

#[test]
fn tickets_may_be_optional_and_bad_ones_are_still_refused() {
    let optional = tickets(&[1], true);
    assert_eq!(check(&optional, None, 0), (2, None));
    let forged = ticket().sign(&key(3)).unwrap();
    let signature = Some(TicketError::Signature);
    assert_eq!(check(&optional, Some(&forged), 0), (0, signature));
}

#[test]
fn without_keys_nothing_is_asked_for() {
    let open = Tickets::new(Options::default(), None);
    let forged = ticket().sign(&key(3)).unwrap();
    assert_eq!(check(&open, None, 0), (2, None));
    assert_eq!(check(&open, Some(&forged), 0), (2, None));
}

#[test]
fn keys_are_replaced_while_it_runs() {
    let (sender, keys) = watch::channel([key(1)].into_iter().collect());
    let options = Options {
        keys: Some(keys),
        optional: false,
    };
    let tickets = Tickets::new(options, None);
    let (old, new) = (
        ticket().sign(&key(1)).unwrap(),
        ticket().sign(&key(2)).unwrap(),
    );
    let accepted = |text: &str| check(&tickets, Some(text), 0).0;
    assert_eq!((accepted(&old), accepted(&new)), (2, 0));
    sender.send_replace([key(2), key(1)].into_iter().collect());
    assert_eq!((accepted(&old), accepted(&new)), (2, 2));
    sender.send_replace([key(2)].into_iter().collect());
    assert_eq!((accepted(&old), accepted(&new)), (0, 2));
}

#[test]
fn a_ticket_is_one_session_and_ends() {
    let tickets = tickets(&[1], false);
    let good = ticket().sign(&key(1)).unwrap();
    let other = SessionId::from_random(8);
    let mut stolen = batch(Some(&good), other, 0);
    assert_eq!(tickets.admit(&mut stolen, NOW, Instant::now()), Ok(None));
    let answers = stolen.answers().results;
    assert_eq!(
        answers[0].reason.as_deref(),
        Some("the ticket is another session's")
    );

    assert_eq!(check(&tickets, Some(&good), DAY_MS), (2, None));
    assert_eq!(check(&tickets, Some(&good), DAY_MS + 1), (0, None));
    let (accepted, wrong) = check(&tickets, Some(&good), 2 * DAY_MS);
    assert!(accepted == 0 && matches!(wrong, Some(TicketError::Expired { .. })));
}

#[test]
fn a_session_is_held_to_a_players_pace() {
    let tickets = tickets(&[1], false);
    let good = ticket().sign(&key(1)).unwrap();
    let begin = Instant::now();
    let send = |after_ms: u64| {
        let mut batch = batch(Some(&good), ticket().session, after_ms);
        let after = Duration::from_millis(after_ms);
        tickets.admit(&mut batch, NOW.plus(after), begin + after)
    };
    let taken = (0..10_000).take_while(|_| send(0).is_ok()).count();
    assert_eq!(taken, 600, "two events each");
    assert_eq!(
        send(399),
        Err(TooFast {
            wait: Duration::from_millis(1)
        })
    );
    assert_eq!(send(400), Ok(None));
    // Nobody spends the share of a session without its ticket.
    let video: VideoId = VIDEO.parse().unwrap();
    let mine = Ticket {
        session: SessionId::from_random(9),
        video,
        ..ticket()
    };
    let mine = mine.sign(&key(1)).unwrap();
    for _ in 0..2000 {
        let mut stolen = batch(Some(&good), SessionId::from_random(9), 0);
        assert_eq!(tickets.admit(&mut stolen, NOW, begin), Ok(None));
    }
    let mut own = batch(Some(&mine), SessionId::from_random(9), 0);
    assert_eq!(tickets.admit(&mut own, NOW, begin), Ok(None));
    assert_eq!(own.accepted().count(), 2);
}
