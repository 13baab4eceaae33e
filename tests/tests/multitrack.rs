//! Several tracks of a kind in one stream (Enhanced RTMP v2), muxed by FFmpeg 9: a broadcaster's
//! own ladder of two sizes, and two languages.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{net::SocketAddr, process::Command, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use m3u8_rs::AlternativeMediaType;
use tokio::time::{Instant, sleep_until};
use weir_model::{VideoId, health::StreamHealth};
use weir_tests::{
    Weir, built, eventually,
    flv::{self, Tag},
    manifest,
    playlist::{self, MediaPlaylist, Segment},
    probe::{self, MediaFile},
    publisher::Publisher,
    wait::PATIENCE,
};

/// Seconds of film, pictures a second.
const LENGTH: usize = 8;
const FRAME_RATE: usize = 24;

/// Two sizes, `avc1`, and two tones.
fn film() -> Vec<Tag> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.flv");
    let mut command = Command::new(built::ffmpeg_9());
    command
        .args(["-hide_banner", "-nostdin", "-loglevel", "error"])
        .args(["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=24"])
        .args(["-f", "lavfi", "-i", "sine=r=48000:f=440"])
        .args(["-f", "lavfi", "-i", "sine=r=48000:f=660"])
        .args([
            "-filter_complex",
            "[0:v]split[big][other];[other]scale=854:480[small]",
        ])
        .args(["-map", "[big]", "-map", "[small]", "-map", "1", "-map", "2"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "48"])
        .args(["-bf", "2", "-sc_threshold", "0", "-pix_fmt", "yuv420p"])
        .args(["-c:a", "aac", "-b:a", "96k", "-t", &LENGTH.to_string()])
        .arg(&path);
    let output = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaints}");
    flv::read(std::fs::read(path).unwrap().into()).unwrap()
}

/// What FFmpeg does not write: the languages and names of the two audio tracks, in `onMetaData`,
/// as a message of the chunk stream.
fn labels() -> Bytes {
    const OBJECT: u8 = 3;
    const END: [u8; 3] = [0, 0, 9];
    let mut body = BytesMut::new();
    let string = |body: &mut BytesMut, text: &str| {
        body.put_u16(text.len() as u16);
        body.put_slice(text.as_bytes());
    };
    for name in ["@setDataFrame", "onMetaData"] {
        body.put_u8(2);
        string(&mut body, name);
    }
    body.put_u8(OBJECT);
    string(&mut body, "audioTrackIdInfoMap");
    body.put_u8(OBJECT);
    for (id, language, title) in [("0", "en", "Original"), ("1", "fr", "Doublage")] {
        string(&mut body, id);
        body.put_u8(OBJECT);
        for (name, value) in [("language", language), ("title", title)] {
            string(&mut body, name);
            body.put_u8(2);
            string(&mut body, value);
        }
        body.put_slice(&END);
    }
    body.put_slice(&END);
    body.put_slice(&END);
    let mut message = BytesMut::new();
    // A chunk stream of its own, time 0, a data message on message stream 1.
    message.put_u8(9);
    message.put_slice(&[0; 3]);
    message.put_slice(&(body.len() as u32).to_be_bytes()[1..]);
    message.put_u8(18);
    message.put_u32_le(1);
    message.put_slice(&body);
    message.freeze()
}

/// Pushes in real time, and leaves.
async fn push(weir: &Weir, stream_key: String, tags: &[Tag]) {
    let server: SocketAddr = weir.rtmp_url().split('/').nth(2).unwrap().parse().unwrap();
    let mut publisher = Publisher::connect(server, "live", stream_key)
        .await
        .unwrap();
    publisher.send_bytes(&labels()).await.unwrap();
    let start = Instant::now();
    for tag in tags {
        sleep_until(start + Duration::from_millis(tag.time_ms.into())).await;
        publisher.send(tag).await.unwrap();
    }
}

fn media(segments: &[(Segment, Bytes)]) -> Vec<(Segment, Bytes)> {
    let there = segments.iter().filter(|(segment, _)| !segment.gap);
    there.cloned().collect()
}

#[tokio::test]
async fn two_sizes_and_two_languages_come_out_in_step() {
    let tags = film();
    let weir = Weir::start().await;
    let created = weir.create_video("tracks").await;
    let id = created.video.id;
    let renditions = ["source", "source-2", "audio", "audio-2"];
    let broadcast = async {
        push(&weir, created.stream_key.clone(), &tags).await;
        weir.wait_until_away(id).await;
        weir.end_video(id).await;
    };
    let listing = async {
        weir.wait_until_live(id, &renditions, 1).await;
        is_listed(&weir, id).await;
        let [a, b, c, d] =
            renditions.map(|name| playlist::read_to_end(weir.viewer(), id, name, 2 * PATIENCE));
        tokio::join!(a, b, c, d)
    };
    let ((), (source, small, english, french)) = tokio::join!(broadcast, listing);

    // The same numbers, at the same times, and nothing missing.
    let boundaries = |segments: &[(Segment, Bytes)]| -> Vec<_> {
        segments
            .iter()
            .map(|(s, _)| (s.msn, s.gap, s.discontinuity))
            .collect()
    };
    for other in [&small, &english, &french] {
        assert_eq!(boundaries(other), boundaries(&source));
    }
    assert!(source.len() >= LENGTH / 2 - 1 && media(&source).len() == source.len());
    for ((a, _), (b, _)) in source.iter().zip(&small) {
        assert!((a.duration - b.duration).abs() < 0.001, "{a:?} {b:?}");
        assert_eq!(a.program_date_time_ms, b.program_date_time_ms);
    }

    for (segments, height) in [(&source, 720), (&small, 480)] {
        let file = MediaFile::new("video.mp4", &playlist::join(weir.viewer(), segments).await);
        assert_eq!(probe::streams(file.path())[0].height, Some(height));
        assert_eq!(probe::decode(file.path()).len(), LENGTH * FRAME_RATE);
    }
    // Two tones are two tracks.
    let mut sounds = Vec::new();
    for segments in [&english, &french] {
        let file = MediaFile::new("audio.mp4", &playlist::join(weir.viewer(), segments).await);
        let packets = probe::packets(file.path(), "a:0");
        assert!(packets.len() >= LENGTH * 46, "{}", packets.len());
        sounds.push(packets[100].hash.clone());
    }
    assert_ne!(sounds[0], sounds[1]);

    let health: StreamHealth = {
        let path = format!("/api/v1/videos/{id}/health");
        weir.operator().get(&path).await.expect_ok().json()
    };
    assert_eq!(health.repairs.tracks_refused, 0);
    is_recorded(&weir, id).await;
}

/// What the multivariant playlist and the manifest say of the tracks.
async fn is_listed(weir: &Weir, id: VideoId) {
    let (variants, sounds) = eventually("all is listed", PATIENCE, async || {
        let playlist = playlist::multivariant(weir.viewer(), id).await;
        let variants: Vec<_> = playlist
            .variants
            .into_iter()
            .filter(|v| !v.is_i_frame)
            .collect();
        (variants.len() >= 2).then_some((variants, playlist.alternatives))
    })
    .await;
    let listed: Vec<_> = variants
        .iter()
        .map(|variant| {
            assert_eq!(variant.audio.as_deref(), Some("audio"));
            let codecs = variant.codecs.as_deref().unwrap_or_default();
            assert!(
                codecs.starts_with("avc1") && codecs.ends_with(",mp4a.40.2"),
                "{codecs}"
            );
            let height = variant
                .resolution
                .map(|size| size.height)
                .unwrap_or_default();
            (variant.uri.split('/').next().unwrap().to_owned(), height)
        })
        .collect();
    // The encoder's own 480 lines stand for those of the ladder.
    let expected = [("source", 720), ("source-2", 480)];
    assert_eq!(
        listed,
        expected.map(|(name, height)| (name.to_owned(), height))
    );
    let sounds: Vec<_> = sounds
        .iter()
        .map(|sound| {
            assert_eq!(sound.media_type, AlternativeMediaType::Audio);
            let uri = sound.uri.as_deref().unwrap().split('/').next().unwrap();
            (
                uri,
                &*sound.name,
                sound.language.as_deref(),
                sound.default,
                sound.autoselect,
            )
        })
        .collect();
    let expected = [
        ("audio", "Original", Some("en"), true, true),
        ("audio-2", "Doublage", Some("fr"), false, true),
    ];
    assert_eq!(sounds, expected);

    let path = format!("/v/{id}/manifest.mpd");
    let text = eventually("a manifest with both languages", PATIENCE, async || {
        let answer = weir.viewer().get(&path).await;
        (answer.status == 200 && answer.text().contains("lang=\"fr\"")).then(|| answer.text())
    })
    .await;
    assert_eq!(manifest::breaches(&text), [""; 0]);
    let mut languages = manifest::values(&text, "lang");
    languages.dedup();
    assert_eq!(languages[..2], ["en", "fr"]);
}

/// The recording has the tracks too.
async fn is_recorded(weir: &Weir, id: VideoId) {
    let recorded = eventually("the recording", PATIENCE, async || {
        let playlist = playlist::multivariant(weir.viewer(), id).await;
        let is_recording = |uri: &str| uri.ends_with("recording.m3u8");
        let mut uris = playlist
            .alternatives
            .iter()
            .filter_map(|a| a.uri.as_deref());
        uris.clone()
            .any(is_recording)
            .then(|| uris.all(is_recording))
    })
    .await;
    assert!(recorded);
    for rendition in ["source-2", "audio-2"] {
        let playlist = MediaPlaylist::recording(weir.viewer(), id, rendition).await;
        assert!(playlist.ended() && !playlist.segments().is_empty());
    }
}
