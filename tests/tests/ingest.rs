//! Encoders at the door: those that belong in, those that don't, and those that only make noise.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use weir_model::VideoId;
use weir_tests::{
    Encoder, Weir, built, eventually,
    playlist::{self, MediaPlaylist},
    probe::{self, Frame, MediaFile},
    wait::PATIENCE,
};

/// The film is 24 s long.
const FILM_PUSHED: Duration = Duration::from_secs(120);

/// The last msn of the source that holds media.
async fn last_msn(weir: &Weir, id: VideoId) -> u64 {
    let segments = MediaPlaylist::live(weir.viewer(), id, "source")
        .await
        .segments();
    segments
        .iter()
        .rev()
        .find(|segment| !segment.gap)
        .map_or(0, |segment| segment.msn)
}

/// Waits until the source has media past `msn`.
async fn goes_on_after(weir: &Weir, id: VideoId, msn: u64) {
    let what = format!("media after segment {msn}");
    eventually(&what, PATIENCE, async || {
        (last_msn(weir, id).await > msn).then_some(())
    })
    .await;
}

/// Whatever pushes the film: its frames come out, and it ends as it should.
async fn serves_the_film(weir: &Weir, push: impl FnOnce(&str, &str) -> Encoder) {
    let created = weir.create_video("encoder").await;
    let id = created.video.id;
    let mut encoder = push(weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "audio"], 3).await;
    let segments = MediaPlaylist::live(weir.viewer(), id, "source")
        .await
        .segments();
    let mut media = Vec::new();
    for segment in segments.into_iter().take(3) {
        assert!(!segment.gap && !segment.discontinuity);
        let body = weir.viewer().body(&segment.path).await;
        media.push((segment, body));
    }
    let file = MediaFile::new("source.mp4", &playlist::join(weir.viewer(), &media).await);
    let served = probe::decode(file.path());
    let film = probe::decode(built::film());
    let hashes = |frames: &[Frame]| -> Vec<String> {
        frames.iter().map(|frame| frame.hash.clone()).collect()
    };
    assert_eq!(hashes(&served), hashes(&film[..served.len()]));
    let status = encoder.finish(FILM_PUSHED).await;
    assert!(status.success(), "{status}: {}", encoder.log());
}

#[tokio::test]
async fn gstreamer_rtmp2sink_pushes() {
    let weir = Weir::start().await;
    serves_the_film(&weir, |url, key| {
        Encoder::gstreamer_rtmp2sink(&built::film(), url, key)
    })
    .await;
}

#[tokio::test]
async fn gstreamer_rtmpsink_pushes() {
    let weir = Weir::start().await;
    serves_the_film(&weir, |url, key| {
        Encoder::gstreamer_rtmpsink(&built::film(), url, key)
    })
    .await;
}

#[tokio::test]
async fn wrong_keys_and_second_encoders_are_told_so() {
    let weir = Weir::start().await;
    let created = weir.create_video("door").await;
    let (id, key) = (created.video.id, &created.stream_key);
    let film = built::film();
    let refused = async |push: &mut Encoder, reason: &str| {
        let status = push.finish(PATIENCE).await;
        assert!(!status.success());
        assert!(push.log().contains(reason), "{}", push.log());
    };

    let guess = "a-guess-at-a-key";
    let mut wrong = Encoder::ffmpeg(&film, weir.rtmp_url(), guess);
    refused(&mut wrong, "the stream key is not valid").await;
    let mut wrong = Encoder::gstreamer_rtmp2sink(&film, weir.rtmp_url(), guess);
    refused(&mut wrong, "the stream key is not valid").await;
    let other_app = weir.rtmp_url().replace("/live", "/vod");
    let mut wrong = Encoder::ffmpeg(&film, &other_app, key);
    refused(&mut wrong, "application \"vod\" is unknown").await;

    let _first = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), key);
    weir.wait_until_live(id, &["source"], 2).await;
    let msn = last_msn(&weir, id).await;
    let mut second = Encoder::ffmpeg(&film, weir.rtmp_url(), key);
    refused(
        &mut second,
        "another encoder is publishing with this stream key",
    )
    .await;
    goes_on_after(&weir, id, msn + 1).await;
    let segments = MediaPlaylist::live(weir.viewer(), id, "source")
        .await
        .segments();
    assert!(
        segments.iter().all(|segment| !segment.discontinuity),
        "the first was left alone"
    );

    let log = weir.log();
    assert!(
        !log.contains(guess) && !log.contains(key.as_str()),
        "a key was logged"
    );
    assert!(
        log.contains("refused: the stream key is not valid"),
        "{log}"
    );
}

#[tokio::test]
async fn a_second_encoder_takes_over_when_the_first_is_dead() {
    let weir = Weir::start().await;
    let created = weir.create_video("takeover").await;
    let (id, key) = (created.video.id, &created.stream_key);
    let film = built::film();
    let first = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), key);
    weir.wait_until_live(id, &["source"], 2).await;
    // Its connection stays open, as after a network that went away.
    let pid = i32::try_from(first.pid())
        .ok()
        .and_then(Pid::from_raw)
        .unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let msn = last_msn(&weir, id).await;
    let _second = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), key);
    goes_on_after(&weir, id, msn + 1).await;
    assert!(
        weir.log().contains("another encoder has taken over"),
        "{}",
        weir.log()
    );
}

/// A publisher of a few lines that says what no encoder would.
struct Rogue {
    stream: TcpStream,
}

/// AMF0 strings and what else the commands below take.
fn amf0(pieces: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match *piece {
            "null" => out.push(5),
            "0" => out.extend_from_slice(&[0; 9]),
            text => {
                out.push(2);
                out.extend_from_slice(&(text.len() as u16).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out
}

/// A message in one chunk; `declared` is the length its header tells.
fn message(chunk_stream: u8, kind: u8, declared: usize, body: &[u8]) -> Vec<u8> {
    let mut out = vec![chunk_stream, 0, 0, 0];
    out.extend_from_slice(&(declared as u32).to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&1u32.to_le_bytes());
    out.extend_from_slice(body);
    out
}

impl Rogue {
    async fn connect(weir: &Weir) -> Self {
        let authority = weir.rtmp_url().split('/').nth(2).unwrap();
        Self {
            stream: TcpStream::connect(authority).await.unwrap(),
        }
    }

    async fn shake_hands(&mut self) {
        let mut hello = vec![3];
        hello.resize(1537, 0);
        self.send(&hello).await;
        self.stream.read_exact(&mut vec![0; 3073]).await.unwrap();
        self.send(&hello[1..]).await;
    }

    /// Gets in with a key that is right.
    async fn publish(&mut self, key: &str) {
        self.shake_hands().await;
        let mut connect = amf0(&["connect", "0"]);
        connect.extend_from_slice(b"\x03\x00\x03app\x02\x00\x04live\x00\x00\x09");
        let publish = amf0(&["publish", "0", "null", key, "live"]);
        for command in [connect, publish] {
            self.send(&message(3, 20, command.len(), &command)).await;
        }
        let mut answers = Vec::new();
        let started = b"NetStream.Publish.Start";
        while !answers
            .windows(started.len())
            .any(|window| window == started)
        {
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut answers));
            assert!(
                read.await.unwrap().unwrap() > 0,
                "the server let the rogue in"
            );
        }
    }

    /// Sends what the server may not want to hear to the end.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    async fn closes(mut self) {
        let mut unread = Vec::new();
        let rest = self.stream.read_to_end(&mut unread);
        // A reset is as good as an orderly end.
        let _ = tokio::time::timeout(PATIENCE, rest)
            .await
            .expect("the connection is closed");
    }
}

/// The body of a video tag with the sequence header of a stream of 320x180.
const AVC_HEADER: &[u8] = b"\x17\0\0\0\0\x01\x4d\x40\x0c\xff\xe1\x00\x19\
    \x67\x4d\x40\x0c\xec\xa0\xa0\xcf\xcf\x80\x88\x00\x00\x03\x00\x08\x00\x00\x03\x01\x90\x78\xa1\x4c\xb0\
    \x01\x00\x05\x68\xeb\xe3\xcb\x20";

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn noise_on_the_port_leaves_other_streams_and_memory_alone() {
    const ROGUES: usize = 100;
    /// The live window of the stream that plays, and what the allocator keeps.
    const MAX_GROWTH_KIB: u64 = 96 * 1024;

    let weir = Weir::start().await;
    let created = weir.create_video("plays on").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source"], 2).await;
    let (msn, before) = (last_msn(&weir, id).await, resident_kib(weir.pid()));

    for noise in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00",
        &[0xff; 9000],
    ] {
        let mut rogue = Rogue::connect(&weir).await;
        rogue.send(noise).await;
        rogue.closes().await;
    }
    // Each holds on to a message of 16 MiB on every chunk stream, and stays.
    let mut hoarders = Vec::new();
    for _ in 0..ROGUES {
        let mut rogue = Rogue::connect(&weir).await;
        rogue.shake_hands().await;
        let size = message(2, 1, 4, &0x7fff_ffffu32.to_be_bytes());
        rogue.send(&size).await;
        for chunk_stream in 3..64 {
            rogue
                .send(&message(chunk_stream, 9, 0xff_ffff, &[0; 4096]))
                .await;
        }
        hoarders.push(rogue);
    }
    for hoarder in hoarders {
        hoarder.closes().await;
    }
    let mut truncated = Rogue::connect(&weir).await;
    truncated.send(&[3; 700]).await;
    // With a right key, a NAL unit that lies about its length, and a chunk size of zero.
    let mut lying = message(6, 9, AVC_HEADER.len(), AVC_HEADER);
    let frame = b"\x17\x01\0\0\0\xff\xff\xff\xff\x65";
    lying.extend(message(6, 9, frame.len(), frame));
    let lies = [lying, message(2, 1, 4, &[0; 4])];
    for lie in lies {
        let rogue_video = weir.create_video("rogue").await;
        let mut rogue = Rogue::connect(&weir).await;
        rogue.publish(&rogue_video.stream_key).await;
        rogue.send(&lie).await;
        rogue.closes().await;
    }
    truncated.closes().await;

    for reason in [
        "the peer speaks HTTP",
        "the peer speaks TLS",
        "the peer asks for version 255",
        "announces 16777215 bytes",
        "without a complete handshake",
        "a NAL unit says 4294967295 bytes where 1 are left",
        "chunk size 0 is out of range",
    ] {
        // The line comes when the connection is gone for good, a moment after it was closed.
        let what = format!("a log line says {reason:?}");
        eventually(&what, PATIENCE, async || {
            weir.log().contains(reason).then_some(())
        })
        .await;
    }
    goes_on_after(&weir, id, msn + 1).await;
    let segments = MediaPlaylist::live(weir.viewer(), id, "source")
        .await
        .segments();
    assert!(
        segments
            .iter()
            .all(|segment| !segment.gap && !segment.discontinuity)
    );
    let growth = resident_kib(weir.pid()).saturating_sub(before);
    assert!(growth < MAX_GROWTH_KIB, "memory grew by {growth} KiB");
}
