//! A browser in a person's place: watches, and says one fact a line.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;
use signal_hook::iterator::Signals;

use super::{
    push::Push,
    server::{Server, Video},
};
use crate::{
    film::Numbers,
    repo,
    run::{self, Background},
};

const WATCH_SECONDS: u32 = 15;
const LIVE_DEADLINE: Duration = Duration::from_secs(60);
const BROWSER_DEADLINE: Duration = Duration::from_secs(120);
const COUNT_DEADLINE: Duration = Duration::from_secs(15);

/// What `tests/browser/check.mjs` saw.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    /// From the start of the navigation to the first frame.
    startup_ms: f64,
    /// How far the film advanced.
    played_seconds: f64,
    stalls: u32,
    /// How often a page of this video showed a frame.
    views_made: u64,
    /// Frames read back, in the order they were shown.
    frames: Vec<Shown>,
    /// Errors of the pages.
    errors: Vec<String>,
}

/// A frame that was read back from the screen.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    index: u32,
    /// Unix time.
    at_ms: f64,
    /// The latency as the player reckoned it then, if it did.
    reckoned_ms: Option<f64>,
}

/// When a frame left the encoder.
struct Sent {
    index: u32,
    at_ms: f64,
}

/// Pushes, watches, prints; success if the video played, came through the edge, and every view
/// was counted once.
pub(super) fn run(
    server: &Server,
    video: &Video,
    film: &Path,
    mut signals: Signals,
) -> Result<ExitCode> {
    let frames_in_film = Numbers::read()?.frames;
    let sent = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&sent);
    let _push = Push::start(
        film,
        &video.push_url(),
        &repo::target("demo"),
        move |line| {
            if let Some(index) = frame_index(line, frames_in_film) {
                let at_ms = unix_ms();
                log.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(Sent { index, at_ms });
            }
        },
    )?;

    run::step("Waiting for the broadcast");
    let playlist = format!("/v/{}/index.m3u8", video.id);
    until("the broadcast is live", LIVE_DEADLINE, &mut signals, || {
        Ok(server
            .viewer_text(&playlist)
            .is_ok_and(|text| text.contains("RESOLUTION=")))
    })?;
    run::step(&format!("Watching for {WATCH_SECONDS} s"));
    let seen = watch(server, video, &mut signals)?;
    let counted = count_views(server, video, seen.views_made, &mut signals)?;
    let edge = Edge::read(&server.metrics()?);

    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    let latencies = glass_to_glass(&sent, &seen.frames);
    println!("startup            {:.0} ms", seen.startup_ms);
    println!(
        "played             {:.1} s of {WATCH_SECONDS} s",
        seen.played_seconds
    );
    println!("stalls             {}", seen.stalls);
    println!(
        "live latency       {:.0} ms p50, as the player reckons",
        percentile(&reckoned(&seen.frames), 50)
    );
    println!(
        "glass to glass     {:.0} ms p50, {:.0} ms p95, over {} frames read off the screen; no \
         encoder in it, the packets are pushed as they are",
        percentile(&latencies, 50),
        percentile(&latencies, 95),
        latencies.len(),
    );
    println!(
        "edge               {:.0} requests, {:.0} answered from cache",
        edge.all, edge.cached
    );
    println!(
        "views              {counted} counted, {} made",
        seen.views_made
    );

    let advanced = seen.played_seconds >= 0.8 * f64::from(WATCH_SECONDS);
    let verdicts = [
        (advanced, "the video did not advance as it should"),
        (
            latencies.len() > 100,
            "the frames on the screen are not those that were pushed",
        ),
        (
            edge.all > 0.0 && edge.media > 0.0,
            "the edge has not served the media",
        ),
        (
            counted == seen.views_made,
            "the counted views are not the views made",
        ),
        (seen.errors.is_empty(), "the page reported errors"),
    ];
    for error in &seen.errors {
        eprintln!("page: {error}");
    }
    let mut code = ExitCode::SUCCESS;
    for (_, complaint) in verdicts.iter().filter(|(holds, _)| !holds) {
        eprintln!("FAILED: {complaint}");
        code = ExitCode::FAILURE;
    }
    Ok(code)
}

/// The index of the frame that a line of ffmpeg's framecrc muxer tells of:
/// `stream, dts, pts, duration, size, crc`. The loops of the film follow each other without a gap.
fn frame_index(line: &str, frames_in_film: u32) -> Option<u32> {
    let mut columns = line.split(',').map(str::trim).skip(2);
    let pts: u64 = columns.next()?.parse().ok()?;
    let duration: u64 = columns.next()?.parse().ok()?;
    let index = pts.checked_div(duration)? % u64::from(frames_in_film);
    u32::try_from(index).ok()
}

fn watch(server: &Server, video: &Video, signals: &mut Signals) -> Result<Seen> {
    let input = json!({
        "page": format!("{}{}", server.ready.viewer, video.watch_url),
        "seconds": WATCH_SECONDS,
    });
    let log = repo::target("demo/browser.log");
    let mut node = Command::new("node");
    node.arg(repo::path("tests/browser/check.mjs"))
        .arg(input.to_string())
        .stdout(Stdio::piped());
    let mut node = Background::start(&mut node, &log)?;
    let stdout = node.stdout().context("standard output is piped")?;
    let last_line = thread::spawn(|| BufReader::new(stdout).lines().map_while(Result::ok).last());
    until("the browser has watched", BROWSER_DEADLINE, signals, || {
        Ok(node.ended())
    })?;
    let answer = last_line.join().ok().flatten();
    let answer =
        answer.with_context(|| format!("the browser saw nothing; see {}", log.display()))?;
    serde_json::from_str(&answer).with_context(|| answer)
}

/// What getStats counts, once it is what it should be or has had the time to be.
fn count_views(
    server: &Server,
    video: &Video,
    expected: u64,
    signals: &mut Signals,
) -> Result<u64> {
    #[derive(Deserialize)]
    struct Stats {
        total: Option<u64>,
    }
    let now = unix_ms();
    let (start, end) = (now - 3_600_000.0, now + 60_000.0);
    let path = format!(
        "/api/v1/stats?video={}&event=view&function=count&start={start:.0}&end={end:.0}&step=60",
        video.id
    );
    let mut counted = 0;
    let outcome = until("the views are counted", COUNT_DEADLINE, signals, || {
        counted = server.viewer_json::<Stats>(&path)?.total.unwrap_or(0);
        Ok(counted >= expected)
    });
    // Too few is a fact to print.
    if counted < expected {
        Ok(counted)
    } else {
        outcome.map(|()| counted)
    }
}

/// From each frame's last departure before it was shown, in ms, sorted.
fn glass_to_glass(sent: &[Sent], shown: &[Shown]) -> Vec<f64> {
    let latency = |shown: &Shown| {
        let before = |sent: &&Sent| sent.index == shown.index && sent.at_ms <= shown.at_ms;
        sent.iter()
            .rev()
            .find(before)
            .map(|sent| shown.at_ms - sent.at_ms)
    };
    let mut latencies: Vec<f64> = shown.iter().filter_map(latency).collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}

/// What the player showed its viewer meanwhile, in ms, sorted.
fn reckoned(shown: &[Shown]) -> Vec<f64> {
    let mut latencies: Vec<f64> = shown.iter().filter_map(|shown| shown.reckoned_ms).collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * percent / 100)
        .copied()
        .unwrap_or(f64::NAN)
}

/// What the PoP's counters say.
#[derive(Default)]
struct Edge {
    all: f64,
    cached: f64,
    media: f64,
}

impl Edge {
    fn read(metrics: &str) -> Self {
        let mut edge = Self::default();
        let samples = metrics
            .lines()
            .filter(|line| line.starts_with("weir_pop_requests_total{"));
        for (labels, value) in samples.filter_map(|line| line.rsplit_once(' ')) {
            let value: f64 = value.parse().unwrap_or(0.0);
            let is = |key: &str, one_of: &[&str]| {
                one_of
                    .iter()
                    .any(|value| labels.contains(&format!("{key}=\"{value}\"")))
            };
            edge.all += value;
            if is("outcome", &["hit", "collapsed"]) {
                edge.cached += value;
            }
            if is("class", &["segment", "part"]) {
                edge.media += value;
            }
        }
        edge
    }
}

/// Asks again and again, and gives up at the deadline or when told to stop.
fn until(
    what: &str,
    deadline: Duration,
    signals: &mut Signals,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = Instant::now();
    while !condition()? {
        ensure!(
            start.elapsed() < deadline,
            "not within {} s: {what}",
            deadline.as_secs()
        );
        if signals.pending().next().is_some() {
            bail!("stopped");
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn unix_ms() -> f64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framecrc_line_names_its_frame() {
        assert_eq!(
            frame_index(
                "0,       -512,       1024,      512,   348, 0xcc68a15d, F",
                576
            ),
            Some(2)
        );
        assert_eq!(
            frame_index(
                "0,     294912,     295424,      512,   348, 0xcc68a15d",
                576
            ),
            Some(1)
        );
        assert_eq!(frame_index("#media_type 0: video", 576), None);
    }

    #[test]
    fn latency_is_from_the_last_departure_before_the_frame_was_shown() {
        let sent =
            [(7, 1000.0), (8, 1040.0), (7, 25_000.0)].map(|(index, at_ms)| Sent { index, at_ms });
        let shown = [(7, 2500.0), (8, 2540.0), (9, 2580.0)].map(|(index, at_ms)| Shown {
            index,
            at_ms,
            reckoned_ms: Some(at_ms - 1100.0),
        });
        assert_eq!(percentile(&reckoned(&shown), 50), 1440.0);
        let latencies = glass_to_glass(&sent, &shown);
        assert_eq!(latencies, [1500.0, 1500.0]);
        assert_eq!(percentile(&latencies, 95), 1500.0);
    }

    #[test]
    fn the_edges_counters_add_up() {
        let edge = Edge::read(
            "weir_pop_requests_total{class=\"segment\",outcome=\"hit\"} 3\n\
             weir_pop_requests_total{class=\"playlist\",outcome=\"collapsed\"} 2\n\
             weir_pop_requests_total{class=\"web\",outcome=\"miss\"} 1\n\
             weir_pop_origin_requests_total{class=\"web\"} 1\n",
        );
        assert_eq!((edge.all, edge.cached, edge.media), (6.0, 5.0, 3.0));
    }
}
