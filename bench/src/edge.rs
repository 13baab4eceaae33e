//! How late parts are: a viewer that asks for the next one, again and again, before it is there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::{StatusCode, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::Instant;

/// How late each part is, in milliseconds, after the time at which its last picture ends on the
/// encoder's clock.
pub(crate) async fn watch(url: &str, began: Instant, until: Instant) -> Result<Vec<f64>> {
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
pub(crate) struct Edge {
    /// The segment that comes to be.
    pub(crate) msn: u64,
    /// Its parts so far.
    pub(crate) parts: u32,
    /// End of the last of them, in seconds since the first segment.
    pub(crate) end_s: f64,
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

/// What was pushed is shorter than the live window, so that the first segment is listed always.
pub(crate) fn edge(playlist: &str) -> Edge {
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
