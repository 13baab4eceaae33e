//! A low-latency viewer of one rendition: it asks for the next position of the playlist and for the
//! part that was announced, both before they are there, and for more when they have come.

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::{StatusCode, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::Instant;
use weir_tests::playlist;

use crate::edge;

/// What one viewer saw from when it was counted.
#[derive(Default)]
pub(super) struct Watched {
    pub(super) requests: u64,
    /// From the end of a part's last picture on the encoder's clock until all of it was here.
    pub(super) late_ms: Vec<f64>,
}

/// Watches until `end`, and counts from `from` on.
pub(super) async fn watch(
    base: &str,
    rendition: &str,
    began: Instant,
    from: Instant,
    end: Instant,
) -> Result<Watched> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let url = format!("{base}/{rendition}/index.m3u8");
    let mut watched = Watched::default();
    let mut listed = text(&client, &url).await?;
    while Instant::now() < end {
        let position = edge::edge(&listed);
        let hint = hint(&listed).with_context(|| format!("{url} announces no part"))?;
        let next = format!(
            "{url}?_HLS_msn={}&_HLS_part={}",
            position.msn, position.parts
        );
        let part = playlist::resolve(&url, hint);
        let (next, arrived) = tokio::join!(text(&client, &next), drain(&client, &part));
        listed = next?;
        let arrived = arrived?;
        if arrived >= from {
            watched.requests += 2;
            let due = edge::edge(&listed).end_s;
            let late = arrived.duration_since(began).as_secs_f64() - due;
            watched.late_ms.push(late * 1000.0);
        }
    }
    Ok(watched)
}

/// The part of `EXT-X-PRELOAD-HINT`.
fn hint(playlist: &str) -> Option<&str> {
    let line = playlist
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-PRELOAD-HINT:TYPE=PART,"))?;
    let (_, uri) = line.split_once("URI=\"")?;
    uri.split('"').next()
}

async fn text(client: &Client<HttpConnector, Empty<Bytes>>, url: &str) -> Result<String> {
    let answer = client.get(url.parse()?).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    ensure!(status == StatusCode::OK, "{url}: {status}");
    Ok(String::from_utf8(body.into())?)
}

/// When the last byte came.
async fn drain(client: &Client<HttpConnector, Empty<Bytes>>, url: &str) -> Result<Instant> {
    let answer = client.get(url.parse()?).await?;
    ensure!(
        answer.status() == StatusCode::OK,
        "{url}: {}",
        answer.status()
    );
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(Instant::now())
}
