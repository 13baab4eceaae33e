//! Ladders of an operator's choosing, and one that is too much for the machine.

use std::{fs, path::Path, process::Command, time::Duration};

use tempfile::TempDir;
use weir_tests::{
    Encoder, Weir, WeirOptions, built, eventually,
    playlist::{self, MediaPlaylist, Segment},
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
    let sizes: Vec<_> = multivariant
        .variants
        .iter()
        .filter(|variant| !variant.is_i_frame)
        .filter_map(|variant| variant.resolution)
        .map(|size| (size.width, size.height))
        .collect();
    // The film has 720 lines: it is never made larger.
    assert_eq!(sizes, [(1280, 720), (640, 360), (256, 144)]);
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
    weir.wait_until_live(id, &["source", "1000p", "144p", "audio"], 1)
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
    assert_eq!(weir.video(id).await.shed, []);
    for rendition in ["source", "144p", "audio"] {
        let missing = segments(&weir, id, rendition).await;
        let missing: Vec<u64> = missing.iter().filter(|s| s.gap).map(|s| s.msn).collect();
        assert_eq!(missing, [0; 0], "{rendition}");
    }
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
