//! Ladders of an operator's choosing, and one that is too much for the machine.

use std::{fs, path::Path, process::Command, time::Duration};

use m3u8_rs::MasterPlaylist;
use tempfile::TempDir;
use weir_tests::{
    Encoder, Weir, WeirOptions, built, eventually,
    playlist::{self, MediaPlaylist, Segment},
    probe::MediaFile,
    wait::PATIENCE,
};

fn with_ladder(folder: &TempDir, ladder: &str) -> WeirOptions {
    let file = folder.path().join("ladder.toml");
    fs::write(&file, ladder).expect("a temporary folder can be written to");
    WeirOptions {
        args: vec!["--ladder".to_owned(), file.display().to_string()],
        ..WeirOptions::default()
    }
}

/// An encoder that sends a picture of 1920x1080, 30 times a second for 12 s and then once a
/// second, with a keyframe every 2 s: `-re` takes it as it comes.
fn busy_then_calm(folder: &Path, rtmp_url: &str, key: &str) -> Encoder {
    let film = folder.join("busy-then-calm.mp4");
    let select = "select='lt(t,12)+not(mod(n,30))'";
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=1920x1080:rate=30:duration=70",
        ])
        .args(["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=70"])
        .args(["-vf", select, "-vsync", "vfr", "-pix_fmt", "yuv420p"])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            "0",
            "-sc_threshold",
            "0",
        ])
        .args(["-force_key_frames", "expr:gte(t,n_forced*2)", "-c:a", "aac"])
        .arg(&film)
        .status()
        .expect("ffmpeg runs");
    assert!(made.success());
    Encoder::ffmpeg(&film, rtmp_url, key)
}

async fn segments(weir: &Weir, id: weir_model::VideoId, rendition: &str) -> Vec<Segment> {
    MediaPlaylist::live(weir.viewer(), id, rendition)
        .await
        .segments()
}

/// Of all variants, best first.
fn sizes(multivariant: &MasterPlaylist) -> Vec<(u64, u64)> {
    let variants = multivariant.variants.iter();
    variants
        .filter(|variant| !variant.is_i_frame)
        .filter_map(|variant| variant.resolution)
        .map(|size| (size.width, size.height))
        .collect()
}

#[tokio::test]
async fn a_ladder_file_says_what_is_offered() {
    let folder = TempDir::new().unwrap();
    let ladder = "
        preset = \"ultrafast\"
        [[rung]]
        height = 360
        bitrate_kbps = 700
        [[rung]]
        name = \"small\"
        height = 144
        bitrate_kbps = 150
        [[rung]]
        height = 1080
        bitrate_kbps = 4000
    ";
    let weir = Weir::start_with(with_ladder(&folder, ladder)).await;
    let created = weir.create_video("ladder").await;
    let id = created.video.id;
    let film = built::film();
    let _encoder = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "360p", "small", "audio"], 2)
        .await;
    let multivariant = playlist::multivariant(weir.viewer(), id).await;
    // The film has 720 lines: it is never made larger.
    let expected = [(1280, 720), (640, 360), (256, 144)];
    assert_eq!(sizes(&multivariant), expected);
}

#[tokio::test]
async fn an_upright_source_gets_upright_rungs() {
    let folder = TempDir::new().unwrap();
    let ladder = "
        [[rung]]
        height = 720
        bitrate_kbps = 1500
        [[rung]]
        height = 360
        bitrate_kbps = 500
    ";
    let weir = Weir::start_with(with_ladder(&folder, ladder)).await;
    let created = weir.create_video("upright").await;
    let id = created.video.id;
    // 720 pixels high, but of 540 lines: the first rung would make it larger.
    let _encoder = Encoder::start(
        Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i"])
            .arg("testsrc2=size=540x720:rate=25:duration=60")
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "50"])
            .args(["-pix_fmt", "yuv420p", "-f", "flv"])
            .arg(format!("{}/{}", weir.rtmp_url(), created.stream_key)),
    );
    weir.wait_until_live(id, &["source", "360p"], 1).await;
    let multivariant = playlist::multivariant(weir.viewer(), id).await;
    assert_eq!(sizes(&multivariant), [(540, 720), (360, 480)]);
}

#[tokio::test]
async fn the_best_rung_is_shed_and_returns_while_the_others_go_on() {
    let folder = TempDir::new().unwrap();
    // placebo makes some pictures a second of the first one, and one is all it takes later on.
    let ladder = "
        [[rung]]
        height = 1000
        bitrate_kbps = 4000
        encoder = \"libx264\"
        preset = \"placebo\"
        [[rung]]
        height = 144
        bitrate_kbps = 150
        encoder = \"libx264\"
        preset = \"ultrafast\"
    ";
    let weir = Weir::start_with(with_ladder(&folder, ladder)).await;
    let created = weir.create_video("overload").await;
    let id = created.video.id;
    let _encoder = busy_then_calm(folder.path(), weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "144p", "audio"], 1)
        .await;

    let shed = eventually("the best rung is shed", PATIENCE, async || {
        weir.video(id).await.shed.into_iter().next()
    })
    .await;
    assert_eq!(shed.rendition.as_str(), "1000p");
    assert!(weir.metric("weir_origin_rungs_shed_total", &[]).await >= 1.0);
    let gap = eventually("its segments are gaps", PATIENCE, async || {
        let listed = segments(&weir, id, "1000p").await;
        listed.last().filter(|segment| segment.gap).cloned()
    })
    .await;
    let source = segments(&weir, id, "source").await;
    let newest = source.last().unwrap().msn;
    assert!(
        newest <= gap.msn + 1,
        "gap {} of {newest} is on time",
        gap.msn
    );
    let multivariant = playlist::multivariant(weir.viewer(), id).await;
    let listed = |name: &str| {
        multivariant
            .variants
            .iter()
            .any(|variant| variant.uri.contains(name))
    };
    assert!(listed("1000p/") && listed("144p/"), "all are listed");

    const RETURN: Duration = Duration::from_secs(90);
    eventually("the rung is made again", RETURN, async || {
        let listed = segments(&weir, id, "1000p").await;
        let media = |segment: &&Segment| segment.msn > gap.msn && !segment.gap;
        listed.iter().find(media).cloned()
    })
    .await;
    eventually("nothing is shed", RETURN, async || {
        weir.video(id).await.shed.is_empty().then_some(())
    })
    .await;
    // Where much else goes on, the machine may be too slow for the other one, too.
    let sheds = weir.metric("weir_origin_rungs_shed_total", &[]).await;
    let others = match sheds {
        1.0 => &["source", "audio", "144p"][..],
        _ => &["source", "audio"],
    };
    for rendition in others {
        let missing = segments(&weir, id, rendition).await;
        let missing: Vec<u64> = missing.iter().filter(|s| s.gap).map(|s| s.msn).collect();
        assert_eq!(missing, [0; 0], "{rendition}");
    }
}

/// When it becomes loud, in seconds on the media's own timeline, for each beep.
fn beeps(media: &MediaFile) -> Vec<f64> {
    const RATE: usize = 48_000;
    let dated = "aresample=48000:async=1:min_hard_comp=0.001:first_pts=0";
    let decoded = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-copyts", "-i"])
        .arg(media.path())
        .args(["-af", dated, "-ac", "1", "-f", "f32le", "-"])
        .output()
        .expect("ffmpeg runs");
    let samples: Vec<f32> = decoded
        .stdout
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect();
    let mut quiet_until = 0;
    let mut beeps = Vec::new();
    for (at, sample) in samples.iter().enumerate() {
        if sample.abs() > 0.2 {
            if at >= quiet_until {
                beeps.push(at as f64 / RATE as f64);
            }
            quiet_until = at + RATE / 4;
        }
    }
    beeps
}

/// Pushes Opus, of which AAC is made; both beep once a second at the same times.
#[tokio::test]
async fn opus_comes_as_aac_too_and_in_step() {
    let folder = TempDir::new().unwrap();
    let ladder = "
        [[sound]]
        codec = \"aac\"
        bitrate_kbps = 96
    ";
    let weir = Weir::start_with(with_ladder(&folder, ladder)).await;
    let created = weir.create_video("sound").await;
    let id = created.video.id;
    let beep = "aevalsrc='0.5*lt(mod(t,1),0.1)*sin(2*PI*1000*t)':s=48000";
    let _encoder = Encoder::start(
        Command::new(built::ffmpeg_9())
            .args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-re"])
            .args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"])
            .args(["-re", "-f", "lavfi", "-i", beep])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "50"])
            .args(["-c:a", "libopus", "-t", "60", "-f", "flv"])
            .arg(format!("{}/{}", weir.rtmp_url(), created.stream_key)),
    );
    weir.wait_until_live(id, &["source", "audio", "audio-aac"], 3)
        .await;
    let multivariant = playlist::multivariant(weir.viewer(), id).await;
    let codecs = |wanted: &str| {
        let mut listed = multivariant.variants.iter();
        listed.any(|variant| {
            variant
                .codecs
                .as_deref()
                .is_some_and(|c| c.contains(wanted))
        })
    };
    assert!(codecs("Opus") && codecs("mp4a.40.2"));

    let made = segments(&weir, id, "audio-aac").await;
    let passed_on = segments(&weir, id, "audio").await;
    let has = |of: &[Segment], msn| of.iter().any(|s| s.msn == msn && !s.gap);
    let both = made.iter().map(|segment| segment.msn);
    let both: Vec<u64> = both
        .filter(|msn| has(&made, *msn) && has(&passed_on, *msn))
        .collect();
    assert!(both.len() >= 2, "{made:?} {passed_on:?}");
    let mut heard = Vec::new();
    for rendition in ["audio", "audio-aac"] {
        let mut media = Vec::new();
        for segment in segments(&weir, id, rendition).await {
            if both.contains(&segment.msn) {
                let body = weir.viewer().body(&segment.path).await;
                media.push((segment, body));
            }
        }
        let joined = playlist::join(weir.viewer(), &media).await;
        heard.push(beeps(&MediaFile::new("audio.mp4", &joined)));
    }
    let [passed_on, made] = &heard[..] else {
        unreachable!()
    };
    // One at the very start or end may be cut.
    let matching = made.iter().filter(|at| {
        let nearest = passed_on.iter().map(|other| (other - **at).abs());
        nearest.fold(f64::MAX, f64::min) < 0.01
    });
    let matching = matching.count();
    assert!(
        matching >= 3 && matching + 1 >= made.len(),
        "{passed_on:?} {made:?}"
    );
}

#[test]
fn a_ladder_that_cannot_be_made_is_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let check = |ladder: &str, expected: &[&str]| {
        let options = with_ladder(&folder, ladder);
        let refused = Command::new(built::weir())
            .args(["origin", "--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0"])
            .args([
                "--operator",
                "127.0.0.1:0",
                "--srt",
                "127.0.0.1:0",
                "--webrtc",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(folder.path().join("data"))
            .arg("--transcoder")
            .arg(built::transcoder())
            .args(options.args)
            .output()
            .unwrap();
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr);
        for expected in expected {
            assert!(said.contains(expected), "{expected} is not in: {said}");
        }
    };
    let rung = |rest: &str| format!("[[rung]]\nheight = 480\nbitrate_kbps = 900\n{rest}");
    check(&rung("preset = \"veryvast\""), &["480p", "libx264"]);
    check(&rung("crf = 20"), &["ladder.toml", "crf"]);
    check("", &["ladder.toml", "0 rungs"]);
    let sound = "[[sound]]\ncodec = \"opus\"\nbitrate_kbps = 9000\n";
    check(sound, &["ladder.toml", "Opus", "9000"]);
    if !Path::new("/dev/nvidiactl").exists() {
        check(
            &rung("encoder = \"h264_nvenc\""),
            &["480p", "h264_nvenc", "NVIDIA"],
        );
    }
    check(
        &rung("encoder = \"h264_vaapi\""),
        &["480p", "h264_vaapi", "VA-API"],
    );
}
