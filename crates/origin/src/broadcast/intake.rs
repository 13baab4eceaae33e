//! Brings a broadcast what an encoder sends.

use std::sync::Arc;

use tokio::sync::mpsc;
use weir_media::live::State;
use weir_model::Lane;

use super::Broadcast;
use crate::rtmp::FromEncoder;

/// How many units may wait for the core. It takes microseconds for one, so that they wait only
/// while the machine is too busy to run it; then the encoder feels a slow network.
const QUEUE: usize = 256;

/// Opens a channel for one encoder on a lane. The broadcast counts it as publishing until the
/// channel closes; the receiver goes away when the broadcast ends.
pub fn open(broadcast: Arc<Broadcast>, lane: Lane) -> mpsc::Sender<FromEncoder> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(run(broadcast, lane, receiver));
    sender
}

async fn run(broadcast: Arc<Broadcast>, lane: Lane, mut receiver: mpsc::Receiver<FromEncoder>) {
    let _turn = broadcast.turns[lane as usize].lock().await;
    let before = broadcast.lane_repairs(lane);
    let mut state = broadcast.state();
    broadcast.connect(lane);
    loop {
        let received = tokio::select! {
            received = receiver.recv() => received,
            _ = state.wait_for(|state| matches!(state, State::Ending | State::Ended)) => return,
            () = broadcast.closed.cancelled() => return,
        };
        match received {
            Some(FromEncoder::Media(media)) => broadcast.push(lane, media),
            Some(FromEncoder::Track(from_track)) => broadcast.push_track(lane, from_track),
            Some(FromEncoder::Repaired(repairs)) => broadcast.note_repairs(lane, before + repairs),
            Some(FromEncoder::Ended(_)) | None => break,
        }
    }
    broadcast.disconnect(lane);
}
