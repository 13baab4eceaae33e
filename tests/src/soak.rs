//! A broadcast in which everything around the origin keeps failing, watched all the while.
//!
//! - [`encoder`]: an encoder that fails in one way after another and comes back
//! - [`viewer`]: reads every playlist and every segment, and notes what must never happen
//! - [`memory`]: what the processes hold
//! - [`report`]: what came of it
//!
//! [`run`] is the whole of it. The test run has a short one, `cargo xtask soak broadcast` a long one.

pub mod encoder;
pub mod memory;
pub mod report;
pub mod viewer;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Weir, WeirOptions, browser, process};

pub use encoder::{Failure, Films};
pub use report::Report;

/// How often is looked for a transcoder to kill.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// How long, how often, with what.
#[derive(Clone, Debug)]
pub struct Soak {
    /// How long the encoder sends, and fails.
    pub length: Duration,
    /// From one failure of the encoder to the next.
    pub encoder_fails_every: Duration,
    /// From one SIGKILL of the transcoder to the next.
    pub transcoder_dies_every: Duration,
    /// What is pushed.
    pub films: Films,
    /// Further arguments of `weir serve`.
    pub args: Vec<String>,
    /// Whether origin and point of presence are processes of their own, to be told apart.
    pub apart: bool,
    /// Renditions that there must be, the source's and the sound's among them.
    pub renditions: Vec<&'static str>,
    /// Whether a browser watches, too.
    pub browser: bool,
    /// Whether to say on standard error what happens.
    pub talks: bool,
}

/// What the browser saw.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watched {
    /// Seconds of media that were played.
    pub played_seconds: f64,
    /// Times that playback stood still without being asked to.
    pub stalls: u32,
    /// The longest of them in seconds.
    pub longest_still_seconds: f64,
    /// Errors of the media element, and exceptions that nobody caught.
    pub errors: Vec<String>,
}

/// Runs it on a server of its own. Nothing is asserted: the report tells.
///
/// # Panics
/// If the server does not start, or the broadcast never begins.
pub async fn run(soak: &Soak) -> Report {
    let options = WeirOptions {
        reconnect_window: Duration::from_secs(60),
        args: soak.args.clone(),
        apart: soak.apart,
    };
    let weir = Arc::new(Weir::start_with(options).await);
    let created = weir.create_video("soak").await;
    let id = created.video.id;
    let end = Instant::now() + soak.length;
    let mut encoding = tokio::spawn(encoder::run(
        weir.rtmp_url().to_owned(),
        created.stream_key.clone(),
        soak.films.clone(),
        soak.encoder_fails_every,
        end,
        soak.talks,
    ));
    weir.wait_until_live(id, &soak.renditions, 2).await;

    let mut viewers = JoinSet::new();
    for &rendition in &soak.renditions {
        viewers.spawn(viewer::watch(weir.viewer().clone(), id, rendition, end));
    }
    let watching = soak.browser.then(|| {
        let page = weir.viewer().url(&created.video.watch_url);
        let seconds = end.saturating_duration_since(Instant::now()).as_secs();
        let deadline = Duration::from_secs(seconds) + Duration::from_secs(90);
        tokio::task::spawn_blocking(move || {
            let input = json!({ "page": page, "seconds": seconds });
            browser::run::<Watched>("soak", &input, deadline)
        })
    });
    let killing = tokio::spawn(kill_transcoders(
        weir.clone(),
        soak.transcoder_dies_every,
        end,
        soak.talks,
    ));
    let samples = memory::watch(&weir, end, soak.talks).await;

    let failures = (&mut encoding).await.expect("the encoder's task ends");
    let transcoder_deaths = killing.await.expect("the killer's task ends");
    let watched = match watching {
        Some(watching) => Some(watching.await.expect("the browser's script ends")),
        None => None,
    };
    let mut views = Vec::new();
    while let Some(view) = viewers.join_next().await {
        views.push(view.expect("a viewer's task ends"));
    }
    views.sort_by_key(|view| {
        soak.renditions
            .iter()
            .position(|name| *name == view.rendition)
    });
    let mut violations = viewer::compare(&views);
    let panics = weir.log().matches("panicked at").count();
    if panics > 0 {
        violations.push(format!("the server's log has {panics} panics"));
    }
    Report {
        length: soak.length,
        round: soak.encoder_fails_every * Failure::ALL.len() as u32,
        failures,
        transcoder_deaths,
        views,
        violations,
        watched,
        samples,
    }
}

/// SIGKILL to the transcoder, again and again; where none runs, to the next one that does. Answers
/// how many died.
async fn kill_transcoders(weir: Arc<Weir>, every: Duration, end: Instant, talks: bool) -> u32 {
    let mut deaths = 0;
    let mut next = Instant::now() + every;
    while Instant::now() < end {
        tokio::time::sleep(LOOKS_EVERY).await;
        if Instant::now() < next {
            continue;
        }
        for child in weir.transcoders() {
            process::kill(child);
            deaths += 1;
            next = Instant::now() + every;
            encoder::say(talks, "the transcoder is killed");
        }
    }
    deaths
}
