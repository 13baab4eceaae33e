//! The session against an independent client (`rml_rtmp`'s), joined through memory, and against
//! peers that misbehave.

mod client;
mod enhanced;

use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, Joined};
use proptest::prelude::*;
use rml_rtmp::sessions::ClientSessionEvent;
use weir_ingest::{
    amf0::{self, Value},
    flv::FlvError,
    rtmp::{
        End, Event, Limits, Refusal, Session, SessionError, Wait,
        chunk::{ChunkError, Writer},
        handshake::HandshakeError,
        message::kind,
    },
};
use weir_media::unit::{Media, TrackConfig, TrackKind, Unit};

const AVC_HEADER: &[u8] = b"\x17\0\0\0\0\x01\x4d\x40\x0c\xff\xe1\x00\x19\
    \x67\x4d\x40\x0c\xec\xa0\xa0\xcf\xcf\x80\x88\x00\x00\x03\x00\x08\x00\x00\x03\x01\x90\x78\xa1\x4c\xb0\
    \x01\x00\x05\x68\xeb\xe3\xcb\x20";
const AAC_HEADER: &[u8] = b"\xaf\0\x12\x10";

/// A video tag with one slice of `len` bytes.
fn video_tag(keyframe: bool, composition_ms: u8, len: usize) -> Bytes {
    let (first, nal) = if keyframe { (0x17, 0x65) } else { (0x27, 0x41) };
    let mut tag = vec![first, 1, 0, 0, composition_ms];
    tag.extend_from_slice(&(len as u32).to_be_bytes());
    tag.push(nal);
    tag.resize(tag.len() + len - 1, 0x5a);
    tag.into()
}

fn units(events: Vec<Event>) -> Vec<Unit> {
    events
        .into_iter()
        .filter_map(|event| match event {
            Event::Media(Media::Unit(unit)) => Some(unit),
            _ => None,
        })
        .collect()
}

/// A client that has been let in.
fn publishing() -> Joined {
    let mut joined = Joined::new();
    joined.connect("live");
    joined.request_publishing("secret?src=test");
    joined.session.accept(joined.now);
    joined.pump();
    joined.take_events();
    assert!(
        joined
            .client
            .saw(&ClientSessionEvent::PublishRequestAccepted)
    );
    joined
}

#[test]
fn a_client_publishes_and_leaves() {
    let mut joined = Joined::new();
    joined.connect("live");
    assert!(
        joined
            .client
            .saw(&ClientSessionEvent::ConnectionRequestAccepted)
    );

    joined.request_publishing("secret?src=test");
    let events = joined.take_events();
    let [Event::PublishRequested(request)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((&*request.app, request.key.expose()), ("live", "secret"));
    assert!(
        !format!("{request:?}").contains("secret"),
        "a key is never printed"
    );

    joined.session.accept(joined.now);
    joined.pump();
    joined.metadata("Test encoder\n1.0");
    joined.video(0, Bytes::from_static(AVC_HEADER));
    joined.audio(0, Bytes::from_static(AAC_HEADER));
    joined.video(0, video_tag(true, 80, 100_000));
    joined.audio(10, Bytes::from_static(b"\xaf\x01\x21\x10"));
    joined.video(40, video_tag(false, 0, 9000));
    assert_eq!(joined.session.encoder(), Some("Test encoder1.0"));

    let events = joined.take_events();
    assert!(matches!(
        &events[0],
        Event::Media(Media::Config(TrackConfig::Avc(_)))
    ));
    assert!(matches!(
        &events[1],
        Event::Media(Media::Config(TrackConfig::Aac(_)))
    ));
    let times: Vec<_> = units(events)
        .into_iter()
        .map(|unit| {
            (
                unit.kind,
                unit.dts.0,
                unit.pts.0,
                unit.keyframe,
                unit.data.len(),
            )
        })
        .collect();
    let expected = [
        (TrackKind::Video, 0, 7200, true, 100_004),
        (TrackKind::Audio, 900, 900, true, 2),
        (TrackKind::Video, 3600, 3600, false, 9004),
    ];
    assert_eq!(times, expected);

    joined.stop_publishing();
    assert_eq!(joined.take_events(), [Event::Ended(End::Unpublished)]);
    assert_eq!(joined.session.poll_timeout(), None);
}

#[test]
fn a_refused_client_is_told_why() {
    for (refusal, code) in [
        (Refusal::UnknownKey, "NetStream.Publish.Denied"),
        (Refusal::AlreadyPublishing, "NetStream.Publish.BadName"),
        (Refusal::VideoEnded, "NetStream.Publish.Denied"),
    ] {
        let mut joined = Joined::new();
        joined.connect("live");
        joined.request_publishing("wrong");
        joined.take_events();
        joined.session.reject(refusal);
        joined.pump();
        let status = ClientSessionEvent::UnhandleableOnStatusCode { code: code.into() };
        assert!(joined.client.saw(&status), "{refusal:?}");
        assert_eq!(joined.take_events(), [Event::Ended(End::Refused(refusal))]);
    }
}

#[test]
fn a_publisher_can_be_stopped() {
    let mut joined = publishing();
    joined.session.reject(Refusal::VideoEnded);
    joined.pump();
    let code = "NetStream.Publish.Denied".into();
    assert!(
        joined
            .client
            .saw(&ClientSessionEvent::UnhandleableOnStatusCode { code })
    );
    assert_eq!(
        joined.take_events(),
        [Event::Ended(End::Refused(Refusal::VideoEnded))]
    );
}

#[test]
fn an_unknown_application_is_refused_at_connect() {
    let mut joined = Joined::new();
    joined.connect("vod");
    let rejected = joined.client.events.iter().find_map(|event| match event {
        ClientSessionEvent::ConnectionRequestRejected { description } => Some(description),
        _ => None,
    });
    assert_eq!(
        rejected.unwrap(),
        "application \"vod\" is unknown; use rtmp://<host>/live"
    );
    let app = "vod".into();
    assert_eq!(
        joined.take_events(),
        [Event::Ended(End::WrongApplication { app })]
    );
}

#[test]
fn a_key_behind_the_application_is_not_repeated() {
    let mut joined = Joined::new();
    joined.connect("live/secret");
    let events = joined.take_events();
    let [Event::Ended(end)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        end.to_string(),
        "refused: application \"live/…\" is not served here"
    );
    assert!(!format!("{:?}", joined.client.events).contains("secret"));
}

#[test]
fn an_application_may_come_with_slash_and_query() {
    for app in ["live/", "live?token=x", "/live"] {
        let mut joined = Joined::new();
        joined.connect(app);
        assert!(
            joined
                .client
                .saw(&ClientSessionEvent::ConnectionRequestAccepted),
            "{app}"
        );
    }
}

#[test]
fn a_play_request_is_refused() {
    let mut joined = Joined::new();
    joined.connect("live");
    joined.request_playback("secret");
    let code = "NetStream.Play.Failed".into();
    assert!(
        joined
            .client
            .saw(&ClientSessionEvent::UnhandleableOnStatusCode { code })
    );
    assert_eq!(joined.take_events(), [Event::Ended(End::PlayRequested)]);
}

#[test]
fn received_bytes_are_acknowledged() {
    let mut joined = publishing();
    joined.video(0, Bytes::from_static(AVC_HEADER));
    for at in 0..30 {
        joined.video(at * 40, video_tag(at == 0, 0, 100_000));
    }
    let acknowledged = joined.client.events.iter().find_map(|event| match event {
        ClientSessionEvent::AcknowledgementReceived { bytes_received } => Some(*bytes_received),
        _ => None,
    });
    assert!(acknowledged.unwrap() >= 2_500_000);
}

#[test]
fn media_that_is_not_taken_ends_the_session_with_a_status() {
    let mut joined = publishing();
    joined.video(0, Bytes::from_static(b"\x90vp08\x01"));
    let code = "NetStream.Publish.Rejected".into();
    assert!(
        joined
            .client
            .saw(&ClientSessionEvent::UnhandleableOnStatusCode { code })
    );
    let events = joined.take_events();
    let [Event::Ended(end)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        end.to_string(),
        "media: the video is VP8; set the encoder to H.264, HEVC, AV1 or VP9"
    );
}

#[test]
fn a_lying_nal_length_ends_the_session() {
    let mut joined = publishing();
    joined.video(0, Bytes::from_static(AVC_HEADER));
    joined.video(0, Bytes::from_static(b"\x17\x01\0\0\0\xff\xff\xff\xff\x65"));
    let error = FlvError::NalLength {
        declared: 0xffff_ffff,
        left: 1,
    };
    let end = Event::Ended(End::Failed(SessionError::Media(error)));
    assert_eq!(joined.take_events().pop(), Some(end));
}

#[test]
fn a_connection_that_closes_ends_the_session() {
    let mut joined = publishing();
    joined.session.handle_eof();
    assert_eq!(joined.take_events(), [Event::Ended(End::Disconnected)]);
}

#[test]
fn silence_ends_the_session_at_each_stage() {
    let limits = Limits::default();
    let check = |mut joined: Joined, within, wait| {
        let deadline = joined.session.poll_timeout().unwrap();
        assert_eq!(deadline, joined.now + within);
        joined
            .session
            .handle_timeout(deadline - Duration::from_millis(1));
        assert_eq!(joined.take_events(), []);
        joined.session.handle_timeout(deadline);
        assert_eq!(
            joined.take_events(),
            [Event::Ended(End::TimedOut(within, wait))]
        );
    };
    check(Joined::new(), limits.handshake, Wait::Handshake);
    let mut joined = Joined::new();
    joined.connect("live");
    check(joined, limits.publish, Wait::Publish);
    check(publishing(), limits.idle, Wait::Bytes);
}

#[test]
fn a_trickle_does_not_put_off_the_handshake() {
    let start = Instant::now();
    let mut session = Session::new(start, "live", Limits::default());
    session.handle_input(start + Duration::from_secs(4), &[3; 100]);
    assert_eq!(
        session.poll_timeout(),
        Some(start + Limits::default().handshake)
    );
}

/// The bytes of a client that got through its handshake and sends these messages.
fn after_handshake(messages: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.resize(1 + 2 * 1536, 0);
    for (kind, payload) in messages {
        Writer::default().write(&mut bytes, 3, *kind, 1, payload);
    }
    bytes
}

fn command(name: &str, arguments: &[Value]) -> Vec<u8> {
    let mut values = vec![name.into(), 1.0.into()];
    values.extend_from_slice(arguments);
    amf0::write(&values)
}

fn end_of(bytes: &[u8]) -> Option<End> {
    let now = Instant::now();
    let mut session = Session::new(now, "live", Limits::default());
    session.handle_input(now, bytes);
    std::iter::from_fn(|| session.poll_event()).find_map(|event| match event {
        Event::Ended(end) => Some(end),
        _ => None,
    })
}

#[test]
fn garbage_is_told_apart_and_refused() {
    let check = |bytes: &[u8], expected: SessionError| {
        assert_eq!(end_of(bytes), Some(End::Failed(expected)));
    };
    check(b"GET / HTTP/1.1\r\n\r\n", HandshakeError::Http.into());
    check(b"\x16\x03\x01", HandshakeError::Tls.into());
    check(&[0xff; 5000], HandshakeError::Version(0xff).into());
    let mut garbage = after_handshake(&[]);
    garbage.extend([0xff; 64]);
    check(&garbage, ChunkError::NoPreviousHeader(63).into());
    let publish = command("publish", &[Value::Null, "key".into()]);
    let out_of_order = SessionError::OutOfOrder {
        command: "publish",
        needs: "connect",
    };
    check(
        &after_handshake(&[(kind::COMMAND_AMF0, &publish)]),
        out_of_order,
    );
    let connect = command("connect", &[Value::object([])]);
    let missing = SessionError::MissingArgument {
        command: "connect",
        argument: "app",
    };
    check(&after_handshake(&[(kind::COMMAND_AMF0, &connect)]), missing);
    let too_long = ChunkError::TooLong {
        kind: kind::VIDEO,
        len: 100_000,
        max: 64 * 1024,
    };
    check(
        &after_handshake(&[(kind::VIDEO, &[0; 100_000])]),
        too_long.into(),
    );
    assert_eq!(
        end_of(&[3; 1000]),
        None,
        "a truncated handshake waits for its deadline"
    );
}

#[test]
fn media_before_permission_is_dropped() {
    let connect = command("connect", &[Value::object([("app", "live".into())])]);
    let publish = command("publish", &[Value::Null, "key".into(), "live".into()]);
    let bytes = after_handshake(&[
        (kind::COMMAND_AMF0, &connect),
        (kind::COMMAND_AMF0, &publish),
        (kind::VIDEO, AVC_HEADER),
        (kind::VIDEO, b"nonsense"),
    ]);
    let now = Instant::now();
    let mut session = Session::new(now, "live", Limits::default());
    session.handle_input(now, &bytes);
    assert!(matches!(
        session.poll_event(),
        Some(Event::PublishRequested(_))
    ));
    assert_eq!(session.poll_event(), None);
}

/// What encoders say beside the essentials, as ffmpeg and librtmp do.
#[test]
fn side_talk_is_answered() {
    let connect = command("connect", &[Value::object([("app", "live".into())])]);
    let mut amf3 = vec![0];
    amf3.extend(command("FCPublish", &[Value::Null, "key".into()]));
    let release = command("releaseStream", &[Value::Null, "key".into()]);
    let check_bandwidth = command("_checkbw", &[Value::Null]);
    let ping = [0, 6, 1, 2, 3, 4];
    let bytes = after_handshake(&[
        (kind::COMMAND_AMF0, &connect),
        (kind::COMMAND_AMF0, &release),
        (kind::COMMAND_AMF3, &amf3),
        (kind::COMMAND_AMF0, &check_bandwidth),
        (kind::USER_CONTROL, &ping),
    ]);
    let now = Instant::now();
    let mut session = Session::new(now, "live", Limits::default());
    session.handle_input(now, &bytes);
    assert_eq!(session.poll_event(), None);
    let output = session.take_output();
    let client = Client::reading(&output[1 + 2 * 1536..]);
    let results = client.events.iter().filter(|e| {
        matches!(
            e,
            ClientSessionEvent::UnknownTransactionResultReceived { .. }
        )
    });
    assert_eq!(results.count(), 4, "connect and three calls");
    assert!(client.events.iter().any(|e| matches!(
        e,
        ClientSessionEvent::PingResponseReceived { timestamp } if timestamp.value == 0x0102_0304
    )));
}

proptest! {
    #[test]
    fn any_bytes_after_the_handshake_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..4000),
    ) {
        let mut stream = after_handshake(&[]);
        stream.extend(bytes);
        let _ = end_of(&stream);
    }

    /// A publisher's stream in which bytes are changed.
    #[test]
    fn damaged_streams_are_read_or_refused(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let connect = command("connect", &[Value::object([("app", "live".into())])]);
        let publish = command("publish", &[Value::Null, "key".into(), "live".into()]);
        let mut session = Session::new(Instant::now(), "live", Limits::default());
        let now = Instant::now();
        session.handle_input(now, &after_handshake(&[
            (kind::COMMAND_AMF0, &connect),
            (kind::COMMAND_AMF0, &publish),
        ]));
        session.accept(now);
        let mut media = Vec::new();
        for (kind, payload) in [
            (kind::VIDEO, AVC_HEADER),
            (kind::AUDIO, AAC_HEADER),
            (kind::VIDEO, &video_tag(true, 80, 300)),
            (kind::AUDIO, b"\xaf\x01\x21\x10"),
            (kind::VIDEO, &video_tag(false, 0, 100)),
        ] {
            Writer::default().write(&mut media, 4, kind, 1, payload);
        }
        for (at, byte) in damage {
            let at = at.index(media.len());
            media[at] = byte;
        }
        session.handle_input(now, &media);
        while session.poll_event().is_some() {}
    }
}
