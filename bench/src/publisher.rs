//! Publishes FLV tags over RTMP in real time, many streams from one process, so that the load
//! generator costs little beside the server it feeds.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use tokio::time::Instant;
use weir_tests::{flv::Tag, publisher::Publisher};

/// How long the last frame of the film is shown before it starts over.
const LAST_FRAME_MS: u32 = 42;

/// Pushes `tags`, repeated end to end, until `deadline`.
pub(crate) async fn publish(
    server: SocketAddr,
    app: &str,
    stream_key: String,
    tags: Arc<[Tag]>,
    deadline: Instant,
) -> Result<()> {
    let mut publisher = Publisher::connect(server, app, stream_key).await?;
    let start = Instant::now();
    let length_ms = tags.last().map_or(0, |tag| tag.time_ms) + LAST_FRAME_MS;
    for turn in 0.. {
        for tag in tags.iter() {
            if turn > 0 && tag.is_sequence_header() {
                continue;
            }
            let time_ms = turn * length_ms + tag.time_ms;
            let due = start + Duration::from_millis(time_ms.into());
            if due >= deadline {
                return Ok(());
            }
            tokio::time::sleep_until(due).await;
            let tag = Tag {
                time_ms,
                ..tag.clone()
            };
            publisher.send(&tag).await?;
        }
    }
    Ok(())
}
