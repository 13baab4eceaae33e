//! What was pushed is what is served: decoded, counted and compared frame by frame.

use std::time::Duration;

use bytes::Bytes;
use m3u8_rs::VariantStream;
use weir_model::{VideoId, api::VideoState};
use weir_tests::{
    Encoder, Weir, built, eventually,
    playlist::{self, MediaPlaylist, Segment},
    probe::{self, MediaFile, Packet},
    wait::PATIENCE,
};

/// RTMP counts whole milliseconds.
const JITTER_SECONDS: f64 = 0.0015;
/// The film is 24 s long.
const FILM_PUSHED: Duration = Duration::from_secs(120);

/// Pushes the film once and reads every rendition to its end while it is live.
async fn push_and_read(weir: &Weir, id: VideoId, key: &str) -> [Vec<(Segment, Bytes)>; 3] {
    let mut encoder = Encoder::ffmpeg(&built::film(), weir.rtmp_url(), key);
    weir.wait_until_live(id, &["source", "480p", "audio"], 1)
        .await;
    let push = async {
        encoder.finish(FILM_PUSHED).await;
        weir.wait_until_away(id).await;
        weir.end_video(id).await;
    };
    let read = |rendition| playlist::read_to_end(weir.viewer(), id, rendition, FILM_PUSHED);
    let (source, low, audio, ()) = tokio::join!(read("source"), read("480p"), read("audio"), push);
    [source, low, audio]
}

fn shown_order(mut packets: Vec<Packet>) -> Vec<Packet> {
    packets.sort_by(|a, b| a.pts.total_cmp(&b.pts));
    packets
}

/// Asserts that `b` is `a` moved by one and the same offset.
fn assert_same_timeline(a: &[Packet], b: &[Packet], tolerance: f64) {
    let offset = b[0].pts - a[0].pts;
    for (n, (a, b)) in a.iter().zip(b).enumerate() {
        let error = (b.pts - a.pts - offset).abs();
        assert!(
            error <= tolerance,
            "packet {n} is {error:.4} s off: {a:?} {b:?}"
        );
    }
}

#[tokio::test]
async fn every_frame_comes_out_once_in_order_with_its_timestamp() {
    let weir = Weir::start().await;
    let created = weir.create_video("delivery").await;
    let id = created.video.id;
    let [source, low, audio] = push_and_read(&weir, id, &created.stream_key).await;
    let pushed = probe::packets(built::film(), "v:0");
    let last_idr = pushed.iter().rposition(|packet| packet.keyframe).unwrap();

    // The source: the very packets that were pushed, as far as the last IDR at least.
    let file = MediaFile::new("source.mp4", &playlist::join(weir.viewer(), &source).await);
    let served = probe::packets(file.path(), "v:0");
    assert!(
        served.len() >= last_idr && served.len() <= pushed.len(),
        "{} served",
        served.len()
    );
    for (n, (pushed, served)) in pushed.iter().zip(&served).enumerate() {
        assert_eq!(
            (&pushed.hash, pushed.keyframe),
            (&served.hash, served.keyframe),
            "packet {n}"
        );
    }
    assert_same_timeline(&pushed, &served, JITTER_SECONDS);
    assert!(
        served.windows(2).all(|pair| pair[0].dts < pair[1].dts),
        "in decode order"
    );
    let frames = probe::decode(file.path());
    assert_eq!(frames.len(), served.len());
    assert_eq!(frames[0].hash, probe::decode(built::film())[0].hash);

    // 480p: a frame for each of the source's, at its time, and an IDR at each of its IDRs. A machine that
    // is too busy leaves segments out.
    let made: Vec<u64> = low
        .iter()
        .filter(|(s, _)| !s.gap)
        .map(|(s, _)| s.msn)
        .collect();
    assert!(!made.is_empty(), "480p is never made");
    let of_made = |segments: &[(Segment, Bytes)]| -> Vec<(Segment, Bytes)> {
        let made = segments.iter().filter(|(s, _)| made.contains(&s.msn));
        made.cloned().collect()
    };
    let (same, low_media) = (of_made(&source), of_made(&low));
    let low_file = MediaFile::new("480p.mp4", &playlist::join(weir.viewer(), &low_media).await);
    let same_file = MediaFile::new("source.mp4", &playlist::join(weir.viewer(), &same).await);
    let shown = shown_order(probe::packets(same_file.path(), "v:0"));
    let low_shown = shown_order(probe::packets(low_file.path(), "v:0"));
    assert_eq!(low_shown.len(), shown.len());
    assert!(
        (low_shown[0].pts - shown[0].pts).abs() <= JITTER_SECONDS,
        "both begin at once"
    );
    assert_same_timeline(&shown, &low_shown, JITTER_SECONDS);
    let idrs = |packets: &[Packet]| -> Vec<usize> {
        (0..packets.len())
            .filter(|&n| packets[n].keyframe)
            .collect()
    };
    assert_eq!(idrs(&low_shown), idrs(&shown));
    assert_eq!(probe::decode(low_file.path()).len(), low_shown.len());
    assert_eq!(probe::streams(low_file.path())[0].height, Some(480));

    // The audio: the very packets again, and as far from the pictures as they were.
    let audio_file = MediaFile::new("audio.mp4", &playlist::join(weir.viewer(), &audio).await);
    let pushed_audio = probe::packets(built::film(), "a:0");
    let served_audio = probe::packets(audio_file.path(), "a:0");
    let skipped = pushed_audio
        .iter()
        .position(|packet| packet.hash == served_audio[0].hash);
    let skipped = skipped.expect("the first packet served was pushed");
    assert!(
        skipped <= 10,
        "{skipped} packets were left out at the beginning"
    );
    for (n, (pushed, served)) in pushed_audio[skipped..]
        .iter()
        .zip(&served_audio)
        .enumerate()
    {
        assert_eq!(pushed.hash, served.hash, "audio packet {n}");
    }
    assert_same_timeline(&pushed_audio[skipped..], &served_audio, 0.005);
    let before = pushed_audio[skipped].pts - pushed[0].pts;
    let after = served_audio[0].pts - served[0].pts;
    assert!(
        (before - after).abs() < 0.005,
        "audio moved by {:.4} s",
        after - before
    );

    assert_segments_line_up([&source, &low, &audio]);
}

/// The same msn holds the same stretch of time in every rendition, and begins with an IDR.
fn assert_segments_line_up(renditions: [&[(Segment, Bytes)]; 3]) {
    let [source, low, audio] = renditions;
    for (((a, _), (b, _)), (c, _)) in source.iter().zip(low).zip(audio) {
        assert!(a.msn == b.msn && (b.gap || !a.gap));
        assert_eq!((a.msn, a.gap), (c.msn, c.gap));
        let (a, b, c) = (
            a.program_date_time_ms,
            b.program_date_time_ms,
            c.program_date_time_ms,
        );
        let [Some(a), Some(b), Some(c)] = [a, b, c] else {
            panic!("a segment is not dated")
        };
        assert!((a - b).abs() <= 2, "480p is dated {} ms off", b - a);
        assert!((a - c).abs() <= 30, "audio is dated {} ms off", c - a);
    }
}

#[tokio::test]
async fn a_broadcast_that_ends_is_a_recording_at_the_same_address() {
    let weir = Weir::start().await;
    let created = weir.create_video("recording").await;
    let id = created.video.id;
    let film = built::film();
    let length = Duration::from_secs(13);
    let mut encoder = Encoder::ffmpeg_for(length, &film, weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "480p", "audio"], 1)
        .await;
    let live = playlist::multivariant(weir.viewer(), id).await;
    assert!(
        live.variants
            .iter()
            .all(|variant| variant.uri.ends_with("/index.m3u8"))
    );

    encoder.finish(PATIENCE).await;
    weir.wait_until_away(id).await;
    weir.end_video(id).await;
    eventually("the live playlist ends", PATIENCE, async || {
        MediaPlaylist::live(weir.viewer(), id, "source")
            .await
            .ended()
            .then_some(())
    })
    .await;
    let recorded = eventually("the recording takes its place", PATIENCE, async || {
        let recorded = playlist::multivariant(weir.viewer(), id).await;
        let is_recording = |variant: &VariantStream| variant.uri.ends_with("/recording.m3u8");
        let mut variants = recorded.variants.iter();
        variants
            .all(|variant| variant.is_i_frame || is_recording(variant))
            .then_some(recorded)
    })
    .await;
    let (i_frames, streams): (Vec<_>, Vec<_>) = recorded
        .variants
        .iter()
        .partition(|variant| variant.is_i_frame);
    assert_eq!(streams.len(), live.variants.len());
    assert_eq!(i_frames.len(), streams.len());

    for rendition in ["source", "480p"] {
        let recording = MediaPlaylist::recording(weir.viewer(), id, rendition).await;
        assert!(recording.ended());
        let mut media = Vec::new();
        for segment in recording
            .segments()
            .into_iter()
            .filter(|segment| !segment.gap)
        {
            let body = weir.viewer().body(&segment.path).await;
            media.push((segment, body));
        }
        let file = MediaFile::new(
            "recording.mp4",
            &playlist::join(weir.viewer(), &media).await,
        );
        let frames = probe::decode(file.path()).len();
        // A machine that is too busy leaves segments of a rung out.
        let is_whole = rendition == "source" || recording.segments().iter().all(|s| !s.gap);
        let (at_least, at_most) = (if is_whole { 12 * 24 } else { 1 }, 13 * 24 + 2);
        assert!(
            (at_least..=at_most).contains(&frames),
            "{frames} frames in {rendition}"
        );
    }
}

#[tokio::test]
async fn get_video_data_leads_from_span_to_span() {
    let weir = Weir::start().await;
    let created = weir.create_video("spans").await;
    let id = created.video.id;
    let film = built::film();
    let mut encoder = Encoder::ffmpeg(&film, weir.rtmp_url(), &created.stream_key);
    encoder.finish(FILM_PUSHED).await;
    weir.wait_until_away(id).await;
    weir.end_video(id).await;
    eventually("the recording is there", PATIENCE, async || {
        (weir.video(id).await.state == VideoState::Recorded).then_some(())
    })
    .await;

    let mut offset = 0.0;
    let mut frames = 0;
    let mut spans = 0;
    while offset < 22.0 {
        // From the middle of a span as from its beginning.
        let asked = offset + 0.5;
        let path = format!("/api/v1/videos/{id}/frames?device=phone&offset={asked}&rendition=480p");
        let answer = eventually("the span is archived", PATIENCE, async || {
            let answer = weir.viewer().get(&path).await;
            (answer.status == 307).then_some(answer)
        })
        .await;
        let number = |name: &str| -> f64 {
            let value = answer.header(name).unwrap_or_else(|| panic!("no {name}"));
            value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
        };
        let (start, duration) = (number("weir-span-start"), number("weir-span-duration"));
        assert!(
            (start - offset).abs() < 0.002,
            "span {spans} starts at {start}, not {offset}"
        );
        let location = answer
            .header("location")
            .expect("a redirect has a location");
        let span = weir
            .viewer()
            .get(&playlist::resolve(&path, location))
            .await
            .expect_ok();
        assert!(
            span.header("cache-control")
                .is_some_and(|value| value.contains("immutable"))
        );

        let file = MediaFile::new("span.mp4", &span.body);
        let kinds: Vec<_> = probe::streams(file.path())
            .into_iter()
            .map(|s| s.codec_type)
            .collect();
        assert_eq!(kinds, ["video", "audio"], "playable alone, with sound");
        let pictures = probe::packets(file.path(), "v:0");
        assert!(pictures[0].keyframe);
        let shown: f64 = pictures.iter().map(|packet| packet.duration).sum();
        assert!(
            (shown - duration).abs() < 0.05,
            "{shown} s of pictures in {duration} s"
        );
        frames += probe::decode(file.path()).len();
        spans += 1;
        offset = start + duration;
        if let Some(next) = answer.header("weir-next-offset") {
            assert!(
                (next.parse::<f64>().unwrap() - offset).abs() < 0.002,
                "next is {next}"
            );
        }
    }
    assert!(
        (2..=4).contains(&spans),
        "{spans} spans of about 10 s in 24 s"
    );
    assert!((22 * 24..=24 * 24).contains(&frames), "{frames} frames");

    let beyond = format!("/api/v1/videos/{id}/frames?device=phone&offset=1000");
    assert_eq!(weir.viewer().get(&beyond).await.status, 404);
}
