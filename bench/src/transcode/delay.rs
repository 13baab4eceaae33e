//! How long after the encoder has sent it a part is in its playlist: an encoder that pushes over
//! RTMP in real time, and a viewer for each rendition that asks for the next part, again and
//! again, before it is there.

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};
use weir_tests::{
    flv::{self, Tag},
    publisher::Publisher,
};

use super::{PRESET, RUNGS};
use crate::{
    edge,
    peer::{Server, Weir},
};

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
        viewers.spawn(async move { Ok((rendition, edge::watch(&url, began, until).await?)) });
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
