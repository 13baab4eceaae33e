//! Publishes FLV tags over RTMP in real time, many streams from one process, so that the load
//! generator costs little beside the server it feeds.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use tokio::time::Instant;
use weir_tests::{flv::Tag, publisher::Publisher};

/// How long the last frame of the film is shown before it starts over.
const LAST_FRAME_MS: u32 = 42;

/// A connection that is about to publish a film, again and again.
pub(crate) struct Feed {
    publisher: Publisher,
    tags: Arc<[Tag]>,
    /// When time 0 of the film is sent.
    began: Instant,
}

impl Feed {
    /// Connects. The film begins now.
    pub(crate) async fn connect(
        server: SocketAddr,
        stream_key: String,
        tags: Arc<[Tag]>,
    ) -> Result<Self> {
        let publisher = Publisher::connect(server, "live", stream_key).await?;
        Ok(Self {
            publisher,
            tags,
            began: Instant::now(),
        })
    }

    /// When time 0 of the film is sent.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Sends until `deadline`. Answers how late the latest tag went out.
    pub(crate) async fn run(mut self, deadline: Instant) -> Result<Duration> {
        let length_ms = self.tags.last().map_or(0, |tag| tag.time_ms) + LAST_FRAME_MS;
        let mut latest = Duration::ZERO;
        for turn in 0.. {
            for tag in self.tags.iter() {
                if turn > 0 && tag.is_sequence_header() {
                    continue;
                }
                let time_ms = turn * length_ms + tag.time_ms;
                let due = self.began + Duration::from_millis(time_ms.into());
                if due >= deadline {
                    return Ok(latest);
                }
                tokio::time::sleep_until(due).await;
                let tag = Tag {
                    time_ms,
                    ..tag.clone()
                };
                self.publisher.send(&tag).await?;
                latest = latest.max(due.elapsed());
            }
        }
        Ok(latest)
    }
}
