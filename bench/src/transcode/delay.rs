//! How long after the encoder has sent it a part is in its playlist: an encoder that pushes over
//! RTMP in real time, and a viewer for each rendition that asks for the next part, again and
//! again, before it is there.

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::{StatusCode, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};
use weir_tests::{
    flv::{self, Tag},
    publisher::Publisher,
};

use super::{PRESET, RUNGS};
use crate::peer::{Server, Weir};

/// Over the parts of one rendition.
pub(super) struct Delay {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Pushes the film once.
pub(super) async fn measure(film: &Path) -> Result<Vec<(String, Delay)>> {
    let tags = tags(film)?;
    let folder = TempDir::new()?;
    let ladder = folder.path().join("ladder.toml");
    fs::write(&ladder, ladder_file())?;
    let weir = Weir::start_with_ladder(&ladder).await?;
    let video = weir.create_video().await?;
    let mut publisher = Publisher::connect(weir.rtmp(), "live", video.stream_key).await?;
    let began = Instant::now();
    let length = Duration::from_millis(tags.last().map_or(0, |tag| tag.time_ms).into());

    let mut viewers: JoinSet<Result<(String, Vec<f64>)>> = JoinSet::new();
    let rungs = RUNGS.map(|(height, _)| format!("{height}p"));
    for rendition in rungs.into_iter().chain(["source".to_owned()]) {
        let url = format!("{}/v/{}/{rendition}/index.m3u8", weir.viewer(), video.id);
        // The last parts are flushed when the encoder has left.
        let until = began + length.saturating_sub(Duration::from_secs(1));
        viewers.spawn(async move { Ok((rendition, watch(&url, began, until).await?)) });
    }
    for tag in tags.iter() {
        tokio::time::sleep_until(began + Duration::from_millis(tag.time_ms.into())).await;
        publisher.send(tag).await?;
    }
    let mut delays = Vec::new();
    while let Some(viewer) = viewers.join_next().await {
        let (rendition, mut late_ms) = viewer.context("a viewer panicked")??;
        ensure!(late_ms.len() >= 10, "{rendition}: {} parts", late_ms.len());
        late_ms.sort_by(f64::total_cmp);
        let at = |share: f64| late_ms[((late_ms.len() - 1) as f64 * share).round() as usize];
        let delay = Delay {
            p50_ms: at(0.5),
            p99_ms: at(0.99),
        };
        delays.push((rendition, delay));
    }
    Ok(delays)
}

fn tags(film: &Path) -> Result<Arc<[Tag]>> {
    let flv = film.with_extension("flv");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(film)
        .args(["-c", "copy", "-f", "flv"])
        .arg(&flv)
        .status()
        .context("run ffmpeg")?;
    ensure!(
        status.success(),
        "ffmpeg could not rewrap {}",
        film.display()
    );
    Ok(flv::read(fs::read(flv)?.into())?.into())
}

fn ladder_file() -> String {
    let rung = |(height, kbps): &(u32, u32)| {
        format!("[[rung]]\nheight = {height}\nbitrate_kbps = {kbps}\n")
    };
    let rungs: String = RUNGS.iter().map(rung).collect();
    format!("encoder = \"libx264\"\npreset = \"{PRESET}\"\n{rungs}")
}

/// How late each part is, in milliseconds, after the time at which its last picture ends on the
/// encoder's clock.
async fn watch(url: &str, began: Instant, until: Instant) -> Result<Vec<f64>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut playlist = loop {
        if let Some(playlist) = get(&client, url).await? {
            break playlist;
        }
        ensure!(Instant::now() < until, "{url} never came to be");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let mut late_ms = Vec::new();
    while Instant::now() < until {
        let next = format!(
            "{url}?_HLS_msn={}&_HLS_part={}",
            playlist.msn, playlist.parts
        );
        playlist = get(&client, &next).await?.context("the playlist is gone")?;
        let end = Duration::from_secs_f64(playlist.end_s);
        late_ms.push((began.elapsed().as_secs_f64() - end.as_secs_f64()) * 1000.0);
        ensure!(!playlist.gap, "{url} has a gap: the machine is too slow");
    }
    Ok(late_ms)
}

/// Where a playlist ends.
#[derive(Default)]
struct Edge {
    /// The segment that comes to be.
    msn: u64,
    /// Its parts so far.
    parts: u32,
    /// End of the last of them, in seconds since the first segment.
    end_s: f64,
    gap: bool,
}

async fn get(client: &Client<HttpConnector, Empty<Bytes>>, url: &str) -> Result<Option<Edge>> {
    let answer = client.get(url.parse()?).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    ensure!(
        answer.status() == StatusCode::OK,
        "{url}: {}",
        answer.status()
    );
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(Some(edge(std::str::from_utf8(&body)?)))
}

/// The film is shorter than the live window, so that the first segment is listed always.
fn edge(playlist: &str) -> Edge {
    let mut edge = Edge::default();
    let (mut closed_s, mut open_s) = (0.0, 0.0);
    for line in playlist.lines() {
        let seconds = |text: &str| {
            text.split(',')
                .next()
                .and_then(|s| s.parse().ok())
                .unwrap_or(0.0)
        };
        if let Some(length) = line.strip_prefix("#EXTINF:") {
            closed_s += seconds(length);
            (open_s, edge.parts) = (0.0, 0);
            edge.msn += 1;
        } else if let Some((_, length)) = line
            .strip_prefix("#EXT-X-PART:")
            .and_then(|part| part.split_once("DURATION="))
        {
            open_s += seconds(length);
            edge.parts += 1;
        }
        edge.gap |= line == "#EXT-X-GAP";
    }
    edge.end_s = closed_s + open_s;
    edge
}
