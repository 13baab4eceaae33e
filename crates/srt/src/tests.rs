//! Callers of a few lines, by libsrt itself.

use std::{
    net::UdpSocket,
    panic::resume_unwind,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::{
    ffi::{Opt, Socket},
    *,
};

/// `SRT_REJECT_REASON` of `srt.h`.
const BAD_SECRET: i32 = 10;
const UNSECURE: i32 = 11;
const WITHIN: Duration = Duration::from_secs(10);

fn options(passphrase: Option<&str>) -> Options {
    Options {
        latency: Duration::from_millis(20),
        passphrase: passphrase.map(|text| text.parse().unwrap()),
        receive_timeout: Duration::from_millis(50),
    }
}

fn listen(passphrase: Option<&str>) -> Listener {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &options(passphrase)).unwrap();
    listener
        .listen(Box::new(|stream_id, _| match stream_id {
            "in" => Ok(()),
            "" => Err(Reject::BadRequest),
            _ => Err(Reject::Unauthorized),
        }))
        .unwrap();
    listener
}

struct Caller(Socket);

impl Caller {
    fn new(stream_id: &str) -> Self {
        let socket = Socket::create().unwrap();
        socket
            .set_bytes(Opt::StreamId, stream_id.as_bytes())
            .unwrap();
        Self(socket)
    }

    fn encrypts(self, passphrase: &str, key_len: i32) -> Self {
        self.0.set_int(Opt::PbKeyLen, key_len).unwrap();
        self.0
            .set_bytes(Opt::Passphrase, passphrase.as_bytes())
            .unwrap();
        self
    }

    fn call(&self, listener: &Listener) -> Result<(), i32> {
        self.0.connect(listener.local_addr().port())
    }
}

fn receive(connection: &Connection) -> Received {
    let mut buffer = [0; Connection::MAX_PACKET_LEN];
    let begun = Instant::now();
    loop {
        match connection.receive(&mut buffer).unwrap() {
            Received::Nothing => assert!(begun.elapsed() < WITHIN, "nothing came"),
            other => return other,
        }
    }
}

#[test]
fn a_caller_is_read_to_its_end() {
    let listener = listen(None);
    let caller = Caller::new("in");
    caller.call(&listener).unwrap();
    let connection = listener.accept().unwrap().unwrap();
    assert_eq!(connection.stream_id().unwrap(), "in");
    assert!(connection.peer().ip().is_loopback());
    for len in [1316, 1] {
        caller.0.send(&vec![7; len]).unwrap();
        assert_eq!(receive(&connection), Received::Data(len));
    }
    drop(caller);
    assert_eq!(receive(&connection), Received::Ended);
}

#[test]
fn the_gate_turns_callers_away_with_its_code() {
    let listener = listen(None);
    let check = |stream_id, reject: Reject| {
        assert_eq!(
            Caller::new(stream_id).call(&listener),
            Err(reject.code()),
            "{stream_id:?}"
        );
    };
    check("guess", Reject::Unauthorized);
    check("", Reject::BadRequest);
    Caller::new("in").call(&listener).unwrap();
}

#[test]
fn keys_of_any_length_fit_and_wrong_ones_harm_nobody() {
    const SECRET: &str = "correct horse";
    let listener = listen(Some(SECRET));
    let first = Caller::new("in").encrypts(SECRET, 16);
    first.call(&listener).unwrap();
    let connection = listener.accept().unwrap().unwrap();

    let wrong = Caller::new("in").encrypts("battery staple", 16);
    assert_eq!(wrong.call(&listener), Err(BAD_SECRET));
    assert_eq!(Caller::new("in").call(&listener), Err(UNSECURE));
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    for len in [1, 16, 64, 1400] {
        for byte in [0, 0x80, 0xff] {
            noise
                .send_to(&vec![byte; len], listener.local_addr())
                .unwrap();
        }
    }
    for key_len in [24, 32] {
        let other = Caller::new("in").encrypts(SECRET, key_len);
        other.call(&listener).unwrap();
        let connection = listener.accept().unwrap().unwrap();
        other.0.send(&[1; 188]).unwrap();
        assert_eq!(receive(&connection), Received::Data(188), "{key_len}");
    }

    first.0.send(&[1; 1000]).unwrap();
    assert_eq!(receive(&connection), Received::Data(1000));
}

#[test]
fn who_encrypts_where_nobody_does_is_turned_away() {
    let listener = listen(None);
    let caller = Caller::new("in").encrypts("correct horse", 16);
    assert_eq!(caller.call(&listener), Err(UNSECURE));
}

#[test]
fn closing_wakes_who_waits() {
    let listener = Arc::new(listen(None));
    let caller = Caller::new("in");
    caller.call(&listener).unwrap();
    let connection = Arc::new(listener.accept().unwrap().unwrap());
    let (waits_for_callers, waits_for_data) = (
        thread::spawn({
            let listener = Arc::clone(&listener);
            move || listener.accept().unwrap().is_none()
        }),
        thread::spawn({
            let connection = Arc::clone(&connection);
            move || receive(&connection)
        }),
    );
    connection.close();
    assert_eq!(waits_for_data.join().unwrap(), Received::Ended);
    listener.close();
    assert!(waits_for_callers.join().unwrap());
}

#[test]
fn a_port_is_taken_once() {
    let listener = listen(None);
    let again = Listener::bind(listener.local_addr(), &options(None));
    assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_gate_that_panics_turns_away() {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &options(None)).unwrap();
    let asked = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&asked);
    listener
        .listen(Box::new(move |_, _| {
            *seen.lock().unwrap() += 1;
            // As a panic does, without a message on the terminal.
            resume_unwind(Box::new(()))
        }))
        .unwrap();
    let reject = Caller::new("in").call(&listener);
    assert_eq!(reject, Err(Reject::InternalServerError.code()));
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[test]
fn passphrases_have_a_length() {
    let check = |len, valid| {
        let parsed: Result<Passphrase, _> = "x".repeat(len).parse();
        assert_eq!(parsed.is_ok(), valid, "{len}");
        assert!(!format!("{parsed:?}").contains("xx"));
    };
    check(9, false);
    check(10, true);
    check(79, true);
    check(80, false);
}
