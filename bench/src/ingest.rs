//! How many passthrough streams a machine takes: more and more publishers in real time into
//! `weir origin` without a ladder, and into nginx with its RTMP module, until the first part (of
//! nginx, which has none, the first segment) is listed late.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use tokio::{task::JoinSet, time::Instant};
use weir_tests::flv::Tag;

use crate::{
    edge,
    packaging::film_tags,
    peer::{Nginx, Server, Weir},
    publisher::Feed,
    report::{self, Row, median},
};

const NGINX: &str = "nginx-rtmp";

/// A part that is listed later than this after its last picture went out is late: as long again
/// as it lasts.
const LATE: Duration = Duration::from_millis(350);

/// Streams that are watched, spread over all.
const WATCHED: usize = 8;

/// From one look at nginx's playlist to the next.
const LOOK: Duration = Duration::from_millis(10);

/// Streams begin one after the other within this time, so that their IDR pictures do not coincide.
const SPREAD: Duration = Duration::from_secs(2);

/// Runs the benchmark and publishes its rows.
#[expect(clippy::print_stderr, reason = "progress of a long command")]
pub(crate) async fn run(counts: &[usize], length: Duration, rounds: usize) -> Result<()> {
    let tags = film_tags()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        for (name, carried) in [("weir", &mut ours), (NGINX, &mut theirs)] {
            let mut most = 0;
            for &count in counts {
                let outcome = match name {
                    NGINX => feed_nginx(count, &tags, length).await,
                    _ => feed_weir(count, &tags, length).await,
                };
                let load = match outcome {
                    Ok(load) => load,
                    // With too many streams connections break, and segments become GAPs.
                    Err(error) if most > 0 => {
                        eprintln!("round {round} of {rounds}: {name}, {count} streams: {error:#}");
                        break;
                    }
                    Err(error) => return Err(error.context(format!("{name}, {count} streams"))),
                };
                let (part, sent) = (load.latest_part.as_millis(), load.latest_tag.as_millis());
                eprintln!(
                    "round {round} of {rounds}: {name}, {count} streams: \
                     latest part {part} ms, latest tag {sent} ms"
                );
                if load.latest_part > LATE {
                    break;
                }
                most = count;
            }
            carried.push(most as f64);
        }
    }
    let row = Row {
        case: "passthrough streams until the first late part".to_owned(),
        metric: "most streams in time",
        unit: "streams",
        ours: median(ours),
        peers: BTreeMap::from([(NGINX, median(theirs))]),
    };
    report::publish("ingest", &[row])
}

/// What so many streams did.
struct Load {
    /// How late the latest part was listed after its last picture went out.
    latest_part: Duration,
    /// How late the generator itself was.
    latest_tag: Duration,
}

async fn feed_weir(count: usize, tags: &Arc<[Tag]>, length: Duration) -> Result<Load> {
    let weir = Weir::start().await?;
    let mut keys = Vec::with_capacity(count);
    let mut playlists = Vec::with_capacity(count);
    for _ in 0..count {
        let video = weir.create_video().await?;
        playlists.push(format!(
            "{}/v/{}/source/index.m3u8",
            weir.viewer(),
            video.id
        ));
        keys.push(video.stream_key);
    }
    feed(&weir, keys, tags, length, |n, began, until| {
        let url = playlists[n].clone();
        async move {
            let late_ms = edge::watch(&url, began, until).await?;
            let latest = late_ms.into_iter().fold(0.0, f64::max);
            Ok(Duration::from_secs_f64(latest / 1000.0))
        }
    })
    .await
}

async fn feed_nginx(count: usize, tags: &Arc<[Tag]>, length: Duration) -> Result<Load> {
    let mut nginx = Nginx::start().await?;
    let keys = nginx.stream_keys(count).await?;
    let playlists: Vec<PathBuf> = keys.iter().map(|key| nginx.playlist(key)).collect();
    feed(&nginx, keys, tags, length, |n, began, until| {
        let playlist = playlists[n].clone();
        async move {
            let (mut listed_s, mut latest) = (0.0, Duration::ZERO);
            while Instant::now() < until {
                tokio::time::sleep(LOOK).await;
                // Not there before the first segment is.
                let text = fs::read_to_string(&playlist).unwrap_or_default();
                let end_s = edge::edge(&text).end_s;
                if end_s > listed_s {
                    listed_s = end_s;
                    let end = began + Duration::from_secs_f64(end_s);
                    latest = latest.max(end.elapsed());
                }
            }
            ensure!(listed_s > 0.0, "{} lists nothing", playlist.display());
            Ok(latest)
        }
    })
    .await
}

/// Feeds a server, and has some of the streams watched.
async fn feed<W>(
    server: &dyn Server,
    keys: Vec<String>,
    tags: &Arc<[Tag]>,
    length: Duration,
    watch: impl Fn(usize, Instant, Instant) -> W,
) -> Result<Load>
where
    W: Future<Output = Result<Duration>> + Send + 'static,
{
    let count = keys.len();
    let until = Instant::now() + SPREAD + length;
    let mut feeds = JoinSet::new();
    let mut watches = JoinSet::new();
    for (n, key) in keys.into_iter().enumerate() {
        let feed = Feed::connect(server.rtmp(), key, tags.clone()).await?;
        if n % count.div_ceil(WATCHED) == 0 {
            // What is on its way when the publishers leave is not waited for.
            let until = until - Duration::from_secs(1);
            watches.spawn(watch(n, feed.began(), until));
        }
        feeds.spawn(feed.run(until));
        tokio::time::sleep(SPREAD / u32::try_from(count)?).await;
    }
    let mut load = Load {
        latest_part: Duration::ZERO,
        latest_tag: Duration::ZERO,
    };
    while let Some(watched) = watches.join_next().await {
        load.latest_part = load.latest_part.max(watched??);
    }
    while let Some(fed) = feeds.join_next().await {
        load.latest_tag = load.latest_tag.max(fed??);
    }
    Ok(load)
}
