//! What the origin counts about itself, for `/metrics`.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RenderLabels {
    form: &'static str,
    encoding: &'static str,
}

/// Counters and gauges of one origin. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Videos that an encoder is pushing.
    pub videos_live: Gauge,
    /// Videos held in memory: live, away, or ended a moment ago.
    pub videos_on_air: Gauge,
    /// Access units taken from encoders.
    pub units: Counter,
    /// Segments closed, all renditions.
    pub segments: Counter,
    /// Parts closed, all renditions.
    pub parts: Counter,
    /// Bytes of closed segments, all renditions.
    pub media_bytes: Counter,
    /// Segments marked as gaps, all renditions.
    pub gaps: Counter,
    /// Segments whose bytes are not durable.
    pub segments_not_durable: Counter,
    /// Reservations of a media sequence number that the journal refused.
    pub reservations_not_durable: Counter,
    /// Spans put into object storage.
    pub spans_stored: Counter,
    /// Transcoder children that died while they were needed.
    pub transcoders_lost: Counter,
    /// Times that a transcoder left out a rendition because the machine was too slow.
    pub rungs_shed: Counter,
    /// Units not handed to a transcoder because it was behind or away.
    pub transcoder_units_dropped: Counter,
    /// Requests that wait for a playlist position or a part.
    pub requests_waiting: Gauge,
    /// WebRTC sessions that publish.
    pub webrtc_publishing: Gauge,
    /// WebRTC sessions that play.
    pub webrtc_playing: Gauge,
    /// Keyframes that WebRTC publishers were asked for.
    pub webrtc_plis: Counter,
    /// Frames that came incomplete from WebRTC publishers, or that WebRTC viewers could not take.
    pub webrtc_frames_dropped: Counter,
    /// Pushes refused: wrong key, ended video, or another publisher.
    pub publishes_refused: Counter,
    /// Times that a backup publisher took over from the primary, or the primary from it.
    pub lane_switches: Counter,
    /// Slates made for broadcasts whose encoders were away.
    pub slates: Counter,
    /// Slates that could not be made.
    pub slates_failed: Counter,
    /// Rooms that somebody listens to.
    pub rooms: Gauge,
    /// Who listens: points of presence, once for each room.
    pub room_listeners: Gauge,
    /// Reactions of viewers.
    pub reactions: Counter,
    /// Frames of rooms that did not get to Cloudflare.
    pub room_frames_dropped: Counter,
    /// Playlists, manifests and answers of the API that were rendered or compressed.
    renders: Family<RenderLabels, Counter>,
}

impl Metrics {
    /// Registers everything under `weir_origin_…`.
    pub fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        let registry = registry.sub_registry_with_prefix("weir_origin");
        let gauges = [
            (
                "videos_live",
                "Videos that an encoder is pushing",
                &all.videos_live,
            ),
            ("videos_on_air", "Videos held in memory", &all.videos_on_air),
            (
                "requests_waiting",
                "Requests waiting for a position",
                &all.requests_waiting,
            ),
            (
                "webrtc_publishing",
                "WebRTC sessions that publish",
                &all.webrtc_publishing,
            ),
            (
                "webrtc_playing",
                "WebRTC sessions that play",
                &all.webrtc_playing,
            ),
            ("rooms", "Rooms that somebody listens to", &all.rooms),
            (
                "room_listeners",
                "Points of presence that listen to rooms",
                &all.room_listeners,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let counters = [
            ("units", "Access units taken from encoders", &all.units),
            ("segments", "Segments closed", &all.segments),
            ("parts", "Parts closed", &all.parts),
            ("media_bytes", "Bytes of closed segments", &all.media_bytes),
            ("gaps", "Segments marked as gaps", &all.gaps),
            (
                "segments_not_durable",
                "Segments not durable",
                &all.segments_not_durable,
            ),
            (
                "reservations_not_durable",
                "Reservations refused",
                &all.reservations_not_durable,
            ),
            (
                "spans_stored",
                "Spans put into object storage",
                &all.spans_stored,
            ),
            (
                "transcoders_lost",
                "Transcoders that died",
                &all.transcoders_lost,
            ),
            (
                "rungs_shed",
                "Times that a rendition was left out for lack of time",
                &all.rungs_shed,
            ),
            (
                "transcoder_units_dropped",
                "Units not handed to a transcoder",
                &all.transcoder_units_dropped,
            ),
            (
                "webrtc_plis",
                "Keyframes that WebRTC publishers were asked for",
                &all.webrtc_plis,
            ),
            (
                "webrtc_frames_dropped",
                "Frames that WebRTC clients sent incomplete or could not take",
                &all.webrtc_frames_dropped,
            ),
            (
                "publishes_refused",
                "Pushes refused",
                &all.publishes_refused,
            ),
            (
                "lane_switches",
                "Take-overs between primary and backup publisher",
                &all.lane_switches,
            ),
            ("slates", "Slates made for absent encoders", &all.slates),
            (
                "slates_failed",
                "Slates that could not be made",
                &all.slates_failed,
            ),
            ("reactions", "Reactions of viewers", &all.reactions),
            (
                "room_frames_dropped",
                "Frames of rooms that did not get to Cloudflare",
                &all.room_frames_dropped,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "renders",
            "Forms of answers that were rendered (identity) or compressed",
            all.renders.clone(),
        );
        all
    }

    /// A form was rendered, or compressed into this encoding.
    pub fn rendered(&self, form: &'static str, encoding: &'static str) {
        let labels = RenderLabels { form, encoding };
        self.renders.get_or_create(&labels).inc();
    }

    /// How often such a form was rendered, or compressed into this encoding.
    pub fn renders(&self, form: &'static str, encoding: &'static str) -> u64 {
        let labels = RenderLabels { form, encoding };
        self.renders.get_or_create(&labels).get()
    }
}
