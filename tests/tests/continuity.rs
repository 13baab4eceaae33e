//! Broadcasts whose encoders go away: a backup takes over, or the slate is shown, and viewers never
//! meet with a 404 or an end that comes too early.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, path::Path, process::Command, sync::Arc, time::Duration};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{sync::watch, task::JoinHandle};
use weir_model::{
    Lane, VideoId,
    api::{Publishers, VideoState},
};
use weir_tests::{
    Encoder, Http, Weir, WeirOptions, eventually,
    playlist::{MediaPlaylist, Segment},
    probe::{self, MediaFile},
    wait::PATIENCE,
};

/// A moment is too little where a machine is busy.
const LONG: Duration = Duration::from_secs(60);

/// ffmpeg makes pictures of `source` and a tone, with an IDR picture every 2 s, and pushes them in
/// real time until it is stopped.
fn push(source: &str, url: &str) -> Encoder {
    let format = if url.starts_with("srt") {
        "mpegts"
    } else {
        "flv"
    };
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "warning"]);
    command.args(["-re", "-f", "lavfi", "-i", source]);
    command.args(["-re", "-f", "lavfi", "-i", "sine=sample_rate=48000"]);
    command.args(["-c:v", "libx264", "-preset", "superfast", "-g", "50"]);
    command.args(["-sc_threshold", "0", "-pix_fmt", "yuv420p"]);
    command.args(["-c:a", "aac", "-b:a", "64k", "-f", format, url]);
    Encoder::start(&mut command)
}

fn colour(name: &str) -> String {
    format!("color={name}:size=320x180:rate=25")
}

async fn start(args: &[&str], reconnect_window: Duration) -> Weir {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Weir::start_with(WeirOptions {
        reconnect_window,
        args,
        ..WeirOptions::default()
    })
    .await
}

async fn publishers(weir: &Weir, id: VideoId) -> Publishers {
    weir.video(id).await.publishers.unwrap_or_default()
}

async fn until(weir: &Weir, id: VideoId, what: &str, fits: impl Fn(Publishers) -> bool) {
    eventually(what, LONG, async || {
        fits(publishers(weir, id).await).then_some(())
    })
    .await;
}

/// A segment as it was listed, and its media; of a GAP none.
type Seen = BTreeMap<u64, (Segment, Bytes)>;

/// Someone who reads renditions again and again, and expects that every answer is a playlist that
/// goes on from the last one, and that all that it lists is there.
struct Viewer {
    stop: watch::Sender<bool>,
    following: Vec<JoinHandle<Seen>>,
}

impl Viewer {
    fn watch(http: &Http, id: VideoId, renditions: &[&'static str]) -> Self {
        let stop = watch::Sender::new(false);
        let http = Arc::new(http.clone());
        let following = renditions
            .iter()
            .map(|rendition| tokio::spawn(follow(http.clone(), id, rendition, stop.subscribe())))
            .collect();
        Self { stop, following }
    }

    /// What was seen of each rendition.
    async fn leave(self) -> Vec<Seen> {
        self.stop.send_replace(true);
        let mut seen = Vec::new();
        for following in self.following {
            seen.push(following.await.unwrap());
        }
        seen
    }
}

async fn follow(
    http: Arc<Http>,
    id: VideoId,
    rendition: &str,
    stop: watch::Receiver<bool>,
) -> Seen {
    let mut seen = Seen::new();
    let mut last = (0, 0);
    while !*stop.borrow() {
        let playlist = MediaPlaylist::live(&http, id, rendition).await;
        let parsed = &playlist.parsed;
        let sequences = (parsed.media_sequence, parsed.discontinuity_sequence);
        assert!(
            sequences >= last && sequences.1 >= last.1,
            "{rendition}: {sequences:?} after {last:?}"
        );
        last = sequences;
        for segment in playlist.segments() {
            if seen.contains_key(&segment.msn) {
                continue;
            }
            let body = match segment.gap {
                true => Bytes::new(),
                false => http.body(&segment.path).await,
            };
            seen.insert(segment.msn, (segment, body));
        }
        if playlist.ended() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    seen
}

fn gaps(seen: &Seen) -> Vec<u64> {
    let gaps = seen.values().filter(|(segment, _)| segment.gap);
    gaps.map(|(segment, _)| segment.msn).collect()
}

/// A segment that had just begun when its encoder died may have pictures and no sound yet.
fn no_sound_misses(audio: &Seen) {
    for msn in gaps(audio) {
        let (segment, _) = &audio[&msn];
        assert!(segment.duration < 0.3, "{segment:?}");
    }
}

fn discontinuities(seen: &Seen) -> Vec<u64> {
    let seen = seen.values().filter(|(segment, _)| segment.discontinuity);
    seen.map(|(segment, _)| segment.msn).collect()
}

async fn file(http: &Http, (segment, body): &(Segment, Bytes)) -> MediaFile {
    let init = http.body(&segment.init).await;
    MediaFile::new("segment.mp4", &[&init[..], body].concat())
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaints}");
    output.stdout
}

/// The colour in the middle of a segment's first picture.
async fn colour_of(http: &Http, seen: &(Segment, Bytes)) -> &'static str {
    let file = file(http, seen).await;
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file.path());
    command.args(["-frames:v", "1", "-vf", "scale=1:1", "-pix_fmt", "rgb24"]);
    let pixel = run(command.args(["-f", "rawvideo", "-"]));
    match pixel[..] {
        [r, _, b] if r > 150 && b < 80 => "red",
        [r, _, b] if b > 150 && r < 80 => "blue",
        _ => panic!("neither red nor blue: {pixel:?}"),
    }
}

async fn colours(http: &Http, seen: &Seen) -> Vec<&'static str> {
    let mut colours = Vec::new();
    for seen in seen.values() {
        colours.push(colour_of(http, seen).await);
    }
    colours
}

fn signal(encoder: &Encoder, signal: Signal) {
    let pid = Pid::from_raw(encoder.pid().cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn a_backup_takes_over_from_a_primary_that_dies_and_gives_the_air_back() {
    let weir = start(&["--ladder", "none", "--slate", "none"], PATIENCE).await;
    let created = weir.create_video("backup").await;
    let (id, key) = (created.video.id, &created.stream_key);
    let primary_url = format!("{}/{key}", weir.rtmp_url());
    let backup_url = format!("{primary_url}?backup=1");
    let mut primary = push(&colour("red"), &primary_url);
    weir.wait_until_live(id, &["source", "audio"], 1).await;
    let mut backup = push(&colour("blue"), &backup_url);
    until(&weir, id, "the backup stands by", |publishers| {
        publishers.standing_by == Some(Lane::Backup)
    })
    .await;
    assert_eq!(publishers(&weir, id).await.on_air, Some(Lane::Primary));
    // Each lane has one encoder.
    let mut third = push(&colour("green"), &backup_url);
    assert!(!third.finish(PATIENCE).await.success());

    let viewer = Viewer::watch(weir.viewer(), id, &["source", "audio"]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    primary.kill();
    until(&weir, id, "the backup is on air", |publishers| {
        publishers.on_air == Some(Lane::Backup)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(weir.video(id).await.state, VideoState::Live);

    let _primary = push(&colour("red"), &primary_url);
    until(&weir, id, "the primary is back on air", |publishers| {
        publishers.on_air == Some(Lane::Primary) && publishers.standing_by == Some(Lane::Backup)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Nobody sees that one leaves who is not on air.
    backup.kill();
    tokio::time::sleep(Duration::from_secs(3)).await;

    let seen = viewer.leave().await;
    let [source, audio] = &seen[..] else { panic!() };
    assert_eq!(gaps(source), Vec::<u64>::new());
    no_sound_misses(audio);
    let breaks = discontinuities(source);
    assert_eq!((breaks.len(), &breaks), (2, &discontinuities(audio)));
    let mut colours = colours(weir.viewer(), source).await;
    let at = |msn| source.keys().position(|other| *other == msn).unwrap();
    let (first, second) = (at(breaks[0]), at(breaks[1]));
    assert!(
        colours[..first].iter().all(|colour| *colour == "red"),
        "{colours:?}"
    );
    assert!(
        colours[first..second]
            .iter()
            .all(|colour| *colour == "blue"),
        "{colours:?}"
    );
    colours.dedup();
    assert_eq!(colours, ["red", "blue", "red"]);
    assert_eq!(publishers(&weir, id).await.switches, 2);
    assert_eq!(
        weir.metric("weir_origin_lane_switches_total", &[]).await,
        2.0
    );
    assert!(weir.log().contains("publisher switched"));
}

#[tokio::test]
async fn a_backup_over_srt_takes_over_from_a_primary_that_falls_silent() {
    let weir = start(&["--ladder", "none", "--slate", "none"], PATIENCE).await;
    let created = weir.create_video("silence").await;
    let (id, key) = (created.video.id, &created.stream_key);
    // It may begin alone.
    let stream_id = format!("streamid=#!::r=live/{key}?backup=1,m=publish");
    let _backup = push(&colour("blue"), &format!("{}?{stream_id}", weir.srt_url()));
    weir.wait_until_live(id, &["source", "audio"], 1).await;
    let mut primary = push(&colour("red"), &format!("{}/{key}", weir.rtmp_url()));
    until(&weir, id, "the primary is on air", |publishers| {
        publishers.on_air == Some(Lane::Primary) && publishers.standing_by == Some(Lane::Backup)
    })
    .await;
    let viewer = Viewer::watch(weir.viewer(), id, &["source", "audio"]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    signal(&primary, Signal::STOP);
    until(&weir, id, "the backup is on air", |publishers| {
        publishers.on_air == Some(Lane::Backup)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    primary.kill();
    let seen = viewer.leave().await;
    let [source, audio] = &seen[..] else { panic!() };
    assert_eq!(gaps(source), Vec::<u64>::new());
    no_sound_misses(audio);
    let breaks = discontinuities(source);
    assert_eq!((breaks.len(), &breaks), (2, &discontinuities(audio)));
    let last = source.values().next_back().unwrap();
    assert_eq!(colour_of(weir.viewer(), last).await, "blue");
}

/// The notice is in the middle of the slate.
const ABOVE_THE_NOTICE: &str = "crop=iw:ih/3:0:0";

/// What is left of a last picture's light.
const DARKENED: &str = "lutyuv=y=(val-16)*0.35+16:u=(val-128)*0.35+128:v=(val-128)*0.35+128";

/// How alike the first pictures of two files are above the notice, once the first file's are
/// darkened: 1 is equal.
fn ssim(bright: &Path, dark: &Path) -> f64 {
    let graph = format!(
        "[0:v]trim=end_frame=1,{DARKENED},{ABOVE_THE_NOTICE}[a];\
         [1:v]trim=end_frame=1,{ABOVE_THE_NOTICE}[b];[a][b]ssim"
    );
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-i"]).arg(bright);
    command.arg("-i").arg(dark);
    command.args(["-lavfi", &graph, "-f", "null", "-"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = text
        .rsplit_once("All:")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    let value = value.unwrap_or_else(|| panic!("no SSIM: {text}"));
    value.parse().unwrap()
}

/// The codecs of each variant.
async fn codecs(weir: &Weir, id: VideoId) -> Vec<String> {
    let multivariant = weir_tests::playlist::multivariant(weir.viewer(), id).await;
    let codecs = multivariant.variants.iter();
    codecs
        .filter_map(|variant| variant.codecs.clone())
        .collect()
}

#[tokio::test]
async fn the_slate_is_shown_until_the_encoder_is_back() {
    const RENDITIONS: [&str; 3] = ["source", "480p", "audio"];
    let weir = start(&[], LONG).await;
    let created = weir.create_video("slate").await;
    let (id, key) = (created.video.id, &created.stream_key);
    let url = format!("{}/{key}", weir.rtmp_url());
    let picture = "smptebars=size=960x540:rate=25";
    let mut encoder = push(picture, &url);
    weir.wait_until_live(id, &RENDITIONS, 2).await;
    let viewer = Viewer::watch(weir.viewer(), id, &RENDITIONS);
    let codecs_before = codecs(&weir, id).await;
    tokio::time::sleep(Duration::from_secs(3)).await;

    encoder.kill();
    until(&weir, id, "the slate is shown", |publishers| {
        publishers.slate
    })
    .await;
    let away = weir.video(id).await;
    assert_eq!(away.state, VideoState::Away);
    assert_eq!(away.publishers.unwrap().on_air, None);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(codecs(&weir, id).await, codecs_before);
    assert_eq!(weir.video(id).await.state, VideoState::Away);

    let _encoder = push(picture, &url);
    until(&weir, id, "the encoder is back", |publishers| {
        publishers.on_air == Some(Lane::Primary) && !publishers.slate
    })
    .await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(weir.video(id).await.state, VideoState::Live);
    let seen = viewer.leave().await;

    let source = &seen[0];
    let breaks = discontinuities(source);
    assert_eq!(breaks.len(), 2, "the slate's and the encoder's: {breaks:?}");
    // A GAP each two seconds until the slate is there, which is after four if the machine is idle.
    let missing = gaps(source);
    let until_slate: Vec<u64> = (missing[0]..breaks[0]).collect();
    assert_eq!(missing, until_slate);
    assert!((2..=5).contains(&missing.len()), "{missing:?}");
    for (rendition, seen) in RENDITIONS.iter().zip(&seen) {
        assert_eq!(discontinuities(seen), breaks, "{rendition}");
        let gaps = gaps(seen);
        assert!(missing.iter().all(|msn| gaps.contains(msn)), "{rendition}");
    }
    for (seen, least) in seen[..2].iter().zip([0.9, 0.8]) {
        let shown = |(_, (segment, _)): &(&u64, &(Segment, Bytes))| !segment.gap;
        let (_, before) = seen.range(..missing[0]).rfind(shown).unwrap();
        let bright = file(weir.viewer(), before).await;
        let slates: Vec<_> = seen.range(breaks[0]..breaks[1]).filter(shown).collect();
        assert!(!slates.is_empty());
        for (msn, slate) in slates {
            let slate = file(weir.viewer(), slate).await;
            assert!(!probe::decode(slate.path()).is_empty());
            let alike = ssim(bright.path(), slate.path());
            assert!(alike > least, "segment {msn}: {alike}");
        }
    }

    weir.end_video(id).await;
    eventually("the recording is complete", LONG, async || {
        (weir.video(id).await.state == VideoState::Recorded).then_some(())
    })
    .await;
    // What viewers saw is what is recorded, but for what never came.
    for (rendition, seen) in RENDITIONS.iter().zip(&seen) {
        let recording = eventually("the recording is listed", LONG, async || {
            let path = format!("/v/{id}/{rendition}/recording.m3u8");
            let listed = weir.viewer().get(&path).await.status == 200;
            match listed {
                true => Some(MediaPlaylist::fetch(weir.viewer(), &path).await),
                false => None,
            }
        })
        .await;
        assert!(recording.ended());
        let segments = recording.segments();
        let breaks = segments.iter().filter(|segment| segment.discontinuity);
        assert!(breaks.count() >= 2, "{rendition}");
        assert!(segments.len() + missing.len() >= seen.len(), "{rendition}");
        for segment in segments.into_iter().filter(|segment| !segment.gap) {
            let body = weir.viewer().body(&segment.path).await;
            let file = file(weir.viewer(), &(segment, body)).await;
            let stream = if *rendition == "audio" { "a:0" } else { "v:0" };
            assert!(!probe::packets(file.path(), stream).is_empty());
            if *rendition != "audio" {
                assert!(!probe::decode(file.path()).is_empty());
            }
        }
    }
}

#[tokio::test]
async fn the_slate_lasts_as_long_as_the_encoder_is_waited_for() {
    let args = ["--ladder", "none", "--slate-after", "2s"];
    let window = Duration::from_secs(16);
    let weir = start(&args, window).await;
    let created = weir.create_video("window").await;
    let id = created.video.id;
    let url = format!("{}/{}", weir.rtmp_url(), created.stream_key);
    let mut encoder = push("testsrc2=size=640x360:rate=25", &url);
    weir.wait_until_live(id, &["source", "audio"], 2).await;
    let viewer = Viewer::watch(weir.viewer(), id, &["source", "audio"]);
    encoder.kill();
    until(&weir, id, "the slate is shown", |publishers| {
        publishers.slate
    })
    .await;
    eventually("the broadcast ends", LONG, async || {
        (weir.video(id).await.state == VideoState::Recorded).then_some(())
    })
    .await;
    // It leaves by itself when it has seen the end of the playlist.
    let mut seen = Vec::new();
    for following in viewer.following {
        seen.push(following.await.unwrap());
    }
    let breaks = discontinuities(&seen[0]);
    assert_eq!(breaks.len(), 1);
    for seen in &seen {
        assert_eq!(discontinuities(seen), breaks);
        let slate = seen.range(breaks[0]..).map(|(_, (segment, _))| segment);
        assert!(slate.clone().all(|segment| !segment.gap));
        let seconds: f64 = slate.map(|segment| segment.duration).sum();
        assert!(
            (2.0..window.as_secs_f64()).contains(&seconds),
            "{seconds} s of slate"
        );
    }
}

#[tokio::test]
async fn after_a_crash_of_the_server_the_slate_is_made_of_what_is_stored() {
    let mut weir = start(&["--ladder", "none"], LONG).await;
    let created = weir.create_video("crash").await;
    let id = created.video.id;
    let url = format!("{}/{}", weir.rtmp_url(), created.stream_key);
    let mut encoder = push("smptebars=size=640x360:rate=25", &url);
    weir.wait_until_live(id, &["source", "audio"], 3).await;
    let before = MediaPlaylist::live(weir.viewer(), id, "source").await;
    let before = before.segments();
    let shown = before.iter().find(|segment| !segment.gap).unwrap();
    let body = weir.viewer().body(&shown.path).await;
    let bright = file(weir.viewer(), &(shown.clone(), body)).await;

    weir.kill();
    encoder.kill();
    weir.restart().await;
    until(&weir, id, "the slate is shown", |publishers| {
        publishers.slate
    })
    .await;
    let viewer = Viewer::watch(weir.viewer(), id, &["source", "audio"]);
    let slate = eventually("a segment of the slate", PATIENCE, async || {
        let segments = MediaPlaylist::live(weir.viewer(), id, "source").await;
        let last = before.last().unwrap().msn;
        let mut segments = segments.segments().into_iter();
        segments.find(|segment| segment.msn > last && !segment.gap)
    })
    .await;
    assert!(slate.discontinuity);
    let body = weir.viewer().body(&slate.path).await;
    let dark = file(weir.viewer(), &(slate, body)).await;
    let alike = ssim(bright.path(), dark.path());
    assert!(alike > 0.9, "{alike}");

    let url = format!("{}/{}", weir.rtmp_url(), created.stream_key);
    let _encoder = push("smptebars=size=640x360:rate=25", &url);
    until(&weir, id, "the encoder is back", |publishers| {
        publishers.on_air == Some(Lane::Primary) && !publishers.slate
    })
    .await;
    let _seen = viewer.leave().await;
}
