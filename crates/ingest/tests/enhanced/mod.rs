//! Enhanced RTMP v2: what is taken, how the server says so, and what it refuses.

use std::time::Instant;

use bytes::Bytes;
use rml_rtmp::sessions::ClientSessionEvent;
use weir_ingest::{
    amf0::{self, Value},
    rtmp::{
        Event, Limits, Session,
        chunk::{MAX_COMMAND_LEN, Reader, Writer},
        message::kind,
    },
};
use weir_media::{
    track::FromTrack,
    unit::{Media, TrackConfig, TrackKind},
};

use super::{AVC_HEADER, publishing, units};

/// A sequence header of H.264 as one of several tracks.
fn track(id: u8) -> Bytes {
    Bytes::from([b"\x96\x00avc1", &[id][..], &AVC_HEADER[5..]].concat())
}

#[test]
fn a_track_too_many_is_refused_by_name_while_the_others_go_on() {
    let mut joined = publishing();
    joined.video(0, track(0));
    for _ in 0..3 {
        joined.video(0, track(8));
    }
    let code = "NetStream.Publish.TrackRejected".into();
    assert!(
        joined
            .client
            .saw(&ClientSessionEvent::UnhandleableOnStatusCode { code })
    );
    let events = joined.take_events();
    let [Event::Media(Media::Config(_)), Event::TrackRefused(other)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        other.to_string(),
        "video track 8 is not taken: tracks 0 to 7 are"
    );
    assert_eq!(joined.session.repairs().tracks_refused, 1);
    assert!(joined.session.is_publishing());
}

#[test]
fn further_tracks_come_with_their_numbers() {
    let mut joined = publishing();
    joined.video(0, track(0));
    joined.video(0, track(2));
    // The same again is no news.
    joined.video(0, track(2));
    // CodedFramesX of both: an IDR picture of track 2, then of track 0.
    joined.video(
        40,
        Bytes::from_static(b"\x96\x13avc1\x02\0\0\x05\0\0\0\x01\x65\x00\0\0\x05\0\0\0\x01\x65"),
    );
    let events = joined.take_events();
    let [
        Event::Media(Media::Config(_)),
        Event::Track(FromTrack::Media {
            index,
            media: Media::Config(_),
        }),
        Event::Media(Media::Unit(lead)),
        Event::Track(FromTrack::Media {
            index: same,
            media: Media::Unit(further),
        }),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((index.get(), same.get()), (2, 2));
    assert_eq!((lead.dts, further.dts), (further.dts, lead.dts));
}

#[test]
fn on_meta_data_names_the_tracks() {
    let mut joined = publishing();
    let french = Value::object([("language", "fr".into()), ("channels", 2.0.into())]);
    let tracks = Value::object([("1", french)]);
    let properties = Value::object([("audioTrackIdInfoMap", tracks), ("width", 1280.0.into())]);
    let payload = amf0::write(&["@setDataFrame".into(), "onMetaData".into(), properties]);
    let (mut writer, mut bytes) = (Writer::default(), Vec::new());
    // As the client has set it.
    writer.set_chunk_size(&mut bytes, 4096);
    writer.write(&mut bytes, 20, kind::DATA_AMF0, 1, &payload);
    joined.session.handle_input(joined.now, &bytes);
    let events = joined.take_events();
    let [Event::Track(FromTrack::Label { kind, index, label })] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*kind, index.get()), (TrackKind::Audio, 1));
    assert_eq!(label.language.as_deref(), Some("fr"));
}

#[test]
fn a_key_frame_may_bring_its_configuration() {
    let mut joined = publishing();
    let record = b"\x90vp09\x00\x1e\x82\x02\x02\x02\x00\x00";
    joined.video(0, Bytes::from_static(record));
    joined.video(0, Bytes::from_static(b"\xa1vp09\x86\x00\x40"));
    assert_eq!(joined.take_events(), []);
    assert_eq!(joined.session.repairs().before_config, 1);
    // 854x480, with 0.5 ms on top of the message's 40 ms.
    let key_frame = b"\x97\x02\x07\xa1\x20\x01vp09\x82\x49\x83\x42\x00\x35\x50\x1d\xf6\x06";
    joined.video(40, Bytes::from_static(key_frame));
    let events = joined.take_events();
    assert!(matches!(
        &events[0],
        Event::Media(Media::Config(TrackConfig::Vp9(_)))
    ));
    let [unit] = &units(events)[..] else {
        panic!("no unit")
    };
    assert_eq!((unit.dts.0, unit.pts.0, unit.keyframe), (3600, 3645, true));
}

#[test]
fn the_answer_to_connect_says_what_is_taken() {
    let now = Instant::now();
    let mut session = Session::new(now, "live", Limits::default());
    let mut hello = vec![3];
    hello.resize(1 + 2 * 1536, 0);
    session.handle_input(now, &hello);
    session.take_output();
    let app = Value::object([
        ("app", "live".into()),
        ("fourCcList", Value::Array(vec!["*".into()])),
        ("capsEx", 15.0.into()),
    ]);
    let mut connect = Vec::new();
    let payload = amf0::write(&["connect".into(), 1.0.into(), app]);
    Writer::default().write(&mut connect, 3, kind::COMMAND_AMF0, 0, &payload);
    session.handle_input(now, &connect);
    let output = session.take_output();
    let (mut reader, mut rest) = (Reader::new(MAX_COMMAND_LEN), &output[..]);
    let answer = std::iter::from_fn(|| reader.read(&mut rest).unwrap())
        .find(|message| message.kind == kind::COMMAND_AMF0)
        .unwrap();
    let values = amf0::read(&answer.payload).unwrap();
    assert_eq!(values[0].as_str(), Some("_result"));
    let properties = &values[2];
    let video = properties.get("videoFourCcInfoMap").unwrap();
    for codec in ["avc1", "hvc1", "av01", "vp09"] {
        const DECODE_AND_FORWARD: f64 = 5.0;
        let flags = video.get(codec).and_then(Value::as_number);
        assert_eq!(flags, Some(DECODE_AND_FORWARD), "{codec}");
    }
    let audio = properties.get("audioFourCcInfoMap").unwrap();
    assert!(audio.get("Opus").is_some() && audio.get("mp4a").is_some());
    assert!(audio.get("fLaC").is_none() && video.get("*").is_none());
    let Some(Value::Array(list)) = properties.get("fourCcList") else {
        panic!("no fourCcList")
    };
    assert_eq!(list.len(), 6);
    // Multitrack, ModEx and nanosecond offsets, not reconnect requests.
    let caps = properties.get("capsEx").and_then(Value::as_number);
    assert_eq!(caps, Some(14.0));
}
