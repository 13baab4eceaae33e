//! The one connection to the origin that a room has while it has viewers.

use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};
use tracing::{debug, info, warn};
use weir_model::{
    VideoId,
    room::{Frame, MAX_FRAME, Report},
};

use super::{Rooms, hall::Hall, viewer::Socket};
use crate::upstream::{FetchError, Upstream};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An origin that is silent for so long is gone; it pings every 10 s.
const SILENCE: Duration = Duration::from_secs(25);
/// How long a report may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that stood so long was none of a series of failures.
const STEADY: Duration = Duration::from_secs(10);
/// First pause before the origin is asked again; it doubles up to [`MAX_PAUSE`].
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(3);
/// The same if there is no such video: made-up ones are no way to the origin.
const NO_SUCH_VIDEO_PAUSE: Duration = Duration::from_secs(30);

/// Why a room has no connection to the origin any more.
#[derive(Debug, Error)]
enum SubscriptionError {
    #[error(transparent)]
    Unreachable(#[from] FetchError),
    #[error("the origin answered {0} instead of opening the room")]
    Refused(StatusCode),
    #[error("what the origin opened is no WebSocket")]
    NoSocket,
    #[error("the connection to the origin's room broke: {0}")]
    Broken(#[from] tungstenite::Error),
    #[error("the origin closed the room")]
    Closed,
    #[error("nothing came from the origin for {SILENCE:?}")]
    Silent,
    #[error("the origin takes no reports")]
    Stuck,
}

/// Opens the origin's room of `video`, by one who has everything up to `after`.
async fn open(
    upstream: &Upstream,
    video: VideoId,
    after: Option<u64>,
) -> Result<Socket, SubscriptionError> {
    let key = generate_key();
    let mut fields = HeaderMap::new();
    fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(&key) {
        fields.insert(SEC_WEBSOCKET_KEY, key);
    }
    let response = upstream
        .open(&target(video, after), fields, CONNECT_TIMEOUT)
        .await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(SubscriptionError::Refused(response.status()));
    }
    let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept != derive_accept_key(key.as_bytes()).as_str()) {
        return Err(SubscriptionError::NoSocket);
    }
    let upgraded = hyper::upgrade::on(response).await;
    let upgraded = upgraded.map_err(|_| SubscriptionError::NoSocket)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    let stream = TokioIo::new(upgraded);
    Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await)
}

fn target(video: VideoId, after: Option<u64>) -> String {
    let after = after.map_or(String::new(), |after| format!("?after={after}"));
    format!("/api/v1/videos/{video}/room{after}")
}

/// Drives a room and keeps it connected, until nobody has been there for a while.
pub(super) async fn keep(rooms: Rooms, hall: Arc<Hall>) {
    loop {
        tokio::select! {
            () = hall.drive() => {}
            never = follow(&rooms, &hall) => match never {},
        }
        if rooms.give_up(&hall) {
            debug!(video = %hall.video(), "room given up");
            return;
        }
    }
}

async fn follow(rooms: &Rooms, hall: &Hall) -> Infallible {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let Err(error) = subscribe(rooms, hall).await;
        if began.elapsed() > STEADY {
            failures = 0;
        }
        warn!(video = %hall.video(), failures, %error, "room without its origin");
        let pause = match error {
            SubscriptionError::Refused(StatusCode::NOT_FOUND) => NO_SUCH_VIDEO_PAUSE,
            _ => pause(failures),
        };
        sleep(pause).await;
        failures += 1;
    }
}

async fn subscribe(rooms: &Rooms, hall: &Hall) -> Result<Infallible, SubscriptionError> {
    let after = hall.ask(|hub| hub.subscribe());
    let mut socket = open(&rooms.0.upstream, hall.video(), after).await?;
    rooms.0.metrics.subscriptions.inc();
    info!(video = %hall.video(), after, "room connected");
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            message = socket.next() => {
                heard = Instant::now();
                match message.ok_or(SubscriptionError::Closed)?? {
                    Message::Text(text) => match serde_json::from_str::<Frame>(&text) {
                        Ok(frame) => hall.tell(|hub| hub.handle_frame(heard, frame)),
                        Err(error) => debug!(%error, "a frame of another kind came"),
                    },
                    Message::Close(_) => return Err(SubscriptionError::Closed),
                    _ => {}
                }
            }
            _ = seconds.tick() => {
                let now = Instant::now();
                if now.duration_since(heard) > SILENCE {
                    return Err(SubscriptionError::Silent);
                }
                if let Some(viewers) = hall.ask(|hub| hub.report(now)) {
                    let report = serde_json::to_string(&Report { viewers }).unwrap_or_default();
                    let sent = timeout(WRITE_TIMEOUT, socket.send(Message::text(report))).await;
                    sent.map_err(|_| SubscriptionError::Stuck)??;
                }
            }
        }
    }
}

/// Half of it is by chance, so that the rooms of many PoPs do not come back all at once.
fn pause(failures: u32) -> Duration {
    let whole = MIN_PAUSE
        .saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX))
        .min(MAX_PAUSE);
    let chance = RandomState::new().hash_one(failures) % 1000;
    whole / 2 + whole.mul_f64(chance as f64 / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        for failures in [0, 1, 5, 40, u32::MAX] {
            let pause = pause(failures);
            assert!((MIN_PAUSE / 2..=MAX_PAUSE).contains(&pause), "{pause:?}");
        }
        assert!(pause(10) >= MAX_PAUSE / 2);
    }

    #[test]
    fn rooms_are_asked_for_by_name_and_number() {
        let video = "oabcdefghijk".parse().unwrap();
        assert_eq!(target(video, None), "/api/v1/videos/oabcdefghijk/room");
        assert_eq!(
            target(video, Some(41)),
            "/api/v1/videos/oabcdefghijk/room?after=41"
        );
    }
}
