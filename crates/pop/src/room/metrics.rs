//! What rooms count.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Counters of all rooms of a PoP.
#[derive(Debug, Default)]
pub(super) struct RoomMetrics {
    /// Rooms that are open.
    pub(super) rooms: Gauge,
    /// Sockets that are open.
    pub(super) clients: Gauge,
    /// Frames sent to viewers.
    pub(super) frames: Counter,
    /// Bytes of them.
    pub(super) frame_bytes: Counter,
    /// Viewers dropped because they were too slow.
    pub(super) slow: Counter,
    /// Requests for a socket that were refused.
    pub(super) refused: Counter,
    /// Times that a room was connected to the origin.
    pub(super) subscriptions: Counter,
}

impl RoomMetrics {
    /// Registers everything under `weir_pop_room…`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        let registry = registry.sub_registry_with_prefix("weir_pop");
        let gauges = [
            ("rooms", "Rooms that are open", &all.rooms),
            (
                "room_clients",
                "Sockets of rooms that are open",
                &all.clients,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let counters = [
            (
                "room_frames",
                "Frames sent to viewers in rooms",
                &all.frames,
            ),
            ("room_frame_bytes", "Bytes of them", &all.frame_bytes),
            (
                "room_slow_clients",
                "Viewers in rooms dropped because they were too slow",
                &all.slow,
            ),
            (
                "room_refused",
                "Requests for a room that were refused",
                &all.refused,
            ),
            (
                "room_subscriptions",
                "Times that a room was connected to the origin",
                &all.subscriptions,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        all
    }
}
