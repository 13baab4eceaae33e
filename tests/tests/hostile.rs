//! The corpus of hostile streams: whatever is wrong with a stream, what comes out can be decoded,
//! in order, on a timeline that only goes forward.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use weir_model::{VideoId, api::CreatedVideo, health::StreamHealth};
use weir_tests::{
    Weir, eventually,
    fixtures::{self, Expected, Stream},
    playlist::{self, MediaPlaylist, Segment},
    probe::{self, MediaFile, Packet},
    publisher::Publisher,
    wait::PATIENCE,
};

/// How long counters do not move once everything has come through.
const STANDSTILL: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_stream_ends_in_decodable_output_on_a_monotone_timeline() {
    let weir = Arc::new(Weir::start().await);
    let mut tasks = JoinSet::new();
    for stream in fixtures::all() {
        let weir = weir.clone();
        tasks.spawn(async move { complaints(&weir, &stream).await });
    }
    let complaints = tasks.join_all().await.concat();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Pushes a stream, ends it, and says what is wrong with what is served.
async fn complaints(weir: &Weir, stream: &Stream) -> Vec<String> {
    let created = weir.create_video(stream.name).await;
    let server = address(weir.rtmp_url());
    let connected = Publisher::connect(server, "live", created.stream_key.clone()).await;
    let mut publisher = connected.unwrap();
    let start = Instant::now();
    for message in &stream.messages {
        sleep_until(start + Duration::from_millis(message.at_ms)).await;
        publisher.send(&message.tag).await.unwrap();
    }
    // What was sent has been taken when the counters stand still; the encoder stays until then.
    let health = settled(weir, created.video.id).await;
    drop(publisher);
    weir.end_video(created.video.id).await;
    let output = Output::read(weir, &created).await;
    let complaints = output.complaints(stream, &health);
    complaints
        .into_iter()
        .map(|complaint| format!("{}: {complaint}", stream.name))
        .collect()
}

fn address(rtmp_url: &str) -> SocketAddr {
    let authority = rtmp_url.split('/').nth(2).unwrap();
    authority.parse().unwrap()
}

/// The operator's counters once they stand still: everything sent has come through.
async fn settled(weir: &Weir, id: VideoId) -> StreamHealth {
    let path = format!("/api/v1/videos/{id}/health");
    let seen: Mutex<Option<(Instant, StreamHealth)>> = Mutex::default();
    eventually("the counters stand still", PATIENCE, async || {
        let now: StreamHealth = weir.operator().get(&path).await.expect_ok().json();
        let mut seen = seen.lock().unwrap();
        match &*seen {
            Some((since, before)) if *before == now => {
                (since.elapsed() >= STANDSTILL).then_some(now)
            }
            _ => {
                *seen = Some((Instant::now(), now));
                None
            }
        }
    })
    .await
}

/// What a viewer of the recording gets.
struct Output {
    /// By rendition, in the order listed; what is marked GAP without bytes.
    segments: BTreeMap<&'static str, Vec<(Segment, Bytes)>>,
    /// By rendition, each run of segments with one initialisation segment as a file.
    files: BTreeMap<&'static str, Vec<MediaFile>>,
}

impl Output {
    async fn read(weir: &Weir, created: &CreatedVideo) -> Self {
        let id = created.video.id;
        let renditions = eventually("the recording", PATIENCE, async || {
            let multivariant = playlist::multivariant(weir.viewer(), id).await;
            let mut uris: Vec<String> = multivariant
                .variants
                .iter()
                .filter(|variant| !variant.is_i_frame)
                .map(|variant| variant.uri.clone())
                .collect();
            uris.extend(
                multivariant
                    .alternatives
                    .iter()
                    .filter_map(|a| a.uri.clone()),
            );
            uris.iter()
                .all(|uri| uri.ends_with("recording.m3u8"))
                .then_some(uris)
        })
        .await;
        let mut output = Self {
            segments: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        for rendition in ["source", "240p", "audio"] {
            if !renditions.iter().any(|uri| uri.starts_with(rendition)) {
                continue;
            }
            let listed = MediaPlaylist::recording(weir.viewer(), id, rendition).await;
            assert!(listed.ended());
            let mut segments = Vec::new();
            for segment in listed.segments() {
                let body = match segment.gap {
                    true => Bytes::new(),
                    false => weir.viewer().body(&segment.path).await,
                };
                segments.push((segment, body));
            }
            let mut files = Vec::new();
            for run in segments.chunk_by(|(a, _), (b, _)| a.init == b.init) {
                let media: Vec<_> = run.iter().filter(|(s, _)| !s.gap).cloned().collect();
                if !media.is_empty() {
                    let bytes = playlist::join(weir.viewer(), &media).await;
                    files.push(MediaFile::new("run.mp4", &bytes));
                }
            }
            output.segments.insert(rendition, segments);
            output.files.insert(rendition, files);
        }
        output
    }

    fn packets(&self, rendition: &str, stream: &str) -> Vec<Packet> {
        let files = self.files.get(rendition).into_iter().flatten();
        files
            .flat_map(|file| probe::packets(file.path(), stream))
            .collect()
    }

    fn complaints(&self, stream: &Stream, health: &StreamHealth) -> Vec<String> {
        let mut complaints = Vec::new();
        let expected = &stream.expected;
        let pictures = self.packets("source", "v:0");
        let sounds = self.packets("audio", "a:0");
        for (what, video, served, most_lost) in [
            ("picture", true, &pictures, expected.lost_pictures),
            ("sound", false, &sounds, expected.lost_sounds),
        ] {
            let sent = stream.messages.iter().filter(|m| m.tag.video == video);
            let sent: Vec<&str> = sent.filter_map(|m| m.hash.as_deref()).collect();
            complaints.extend(compare(what, &sent, served, most_lost));
        }
        for rendition in ["source", "240p"] {
            complaints.extend(self.undecodable(rendition));
        }
        for (rendition, segments) in &self.segments {
            complaints.extend(timeline(rendition, segments, expected));
        }
        if let Some((seconds, tolerance)) = expected.sound_after_picture
            && let (Some(picture), Some(sound)) = (pictures.first(), sounds.first())
            && (sound.pts - picture.pts - seconds).abs() > tolerance
        {
            complaints.push(format!(
                "sound starts {:.3} s after the picture, not {seconds}",
                sound.pts - picture.pts
            ));
        }
        if let Some(counter) = expected.counted {
            let repairs = serde_json::to_value(health.repairs).unwrap();
            if repairs[counter].as_u64().unwrap_or(0) == 0 {
                complaints.push(format!("{counter} is not counted: {repairs}"));
            }
        }
        complaints
    }

    /// Every packet of a rendition must decode to a picture.
    fn undecodable(&self, rendition: &str) -> Vec<String> {
        let files = self.files.get(rendition).into_iter().flatten();
        let broken = files.filter_map(|file| {
            let frames = probe::decode(file.path());
            let packets = probe::packets(file.path(), "v:0");
            let forward = frames.windows(2).all(|pair| pair[0].pts < pair[1].pts);
            let complete = frames.len() == packets.len();
            (!forward || !complete).then(|| {
                format!(
                    "{rendition}: {} packets decode to {} frames, forward: {forward}",
                    packets.len(),
                    frames.len()
                )
            })
        });
        broken.collect()
    }
}

/// What is served must be what was sent, in order, without what may be lost.
fn compare(what: &str, sent: &[&str], served: &[Packet], most_lost: usize) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut rest = sent.iter();
    for (n, packet) in served.iter().enumerate() {
        if !rest.any(|hash| *hash == packet.hash) {
            complaints.push(format!("{what} {n} was not sent, or comes out of order"));
            break;
        }
    }
    let lost = sent.len().saturating_sub(served.len());
    if lost > most_lost {
        complaints.push(format!("{lost} of {} {what}s are lost", sent.len()));
    }
    if served.iter().any(|packet| packet.pts < packet.dts) {
        complaints.push(format!("a {what} is shown before it is decoded"));
    }
    if let Some(pair) = served.windows(2).find(|pair| pair[1].dts <= pair[0].dts) {
        complaints.push(format!(
            "decoding goes back from {what} at {:.3} to {:.3}",
            pair[0].dts, pair[1].dts
        ));
    }
    complaints
}

/// Dates go forward by what the segments last.
fn timeline(rendition: &str, segments: &[(Segment, Bytes)], expected: &Expected) -> Vec<String> {
    let mut complaints = Vec::new();
    let discontinuities = segments.iter().filter(|(s, _)| s.discontinuity).count();
    if discontinuities != expected.discontinuities {
        complaints.push(format!("{rendition}: {discontinuities} discontinuities"));
    }
    let dates: Vec<i64> = segments
        .iter()
        .filter_map(|(segment, _)| segment.program_date_time_ms)
        .collect();
    if dates.len() != segments.len() || dates.windows(2).any(|pair| pair[0] >= pair[1]) {
        complaints.push(format!("{rendition}: dates {dates:?}"));
    }
    // Holes in the sound shorten it alone.
    let (seconds, tolerance) = match rendition {
        "audio" => expected.sound_length.unwrap_or(expected.length),
        _ => expected.length,
    };
    let length: f64 = segments.iter().map(|(segment, _)| segment.duration).sum();
    if (length - seconds).abs() > tolerance {
        complaints.push(format!("{rendition}: {length:.3} s long, not {seconds}"));
    }
    complaints
}
