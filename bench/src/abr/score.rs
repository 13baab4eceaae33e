//! What a session came to.

/// One session, or the sum of several.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) sessions: f64,
    /// Segments played.
    pub(crate) segments: f64,
    /// Media played, in s.
    pub(crate) media_s: f64,
    /// Sum over segments of the rung's bitrate, in Mbit/s.
    pub(crate) quality: f64,
    /// Sum of the steps between one segment's rung and the next's, in Mbit/s.
    pub(crate) steps: f64,
    /// Penalty of a second of stall: the best rung, in Mbit/s, summed over sessions' stalls.
    pub(crate) stall_penalty: f64,
    pub(crate) stall_s: f64,
    pub(crate) stalls: f64,
    pub(crate) switches: f64,
    pub(crate) startup_s: f64,
    pub(crate) bits: f64,
    /// Bits of what was given up.
    pub(crate) wasted_bits: f64,
    /// Live: latency summed over time played.
    pub(crate) latency_s2: f64,
    /// Live: the target summed over time played.
    pub(crate) target_s2: f64,
    /// Live: what latency and rate cost, in Mbit/s.
    pub(crate) live_penalty: f64,
}

impl Score {
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            sessions,
            segments,
            media_s,
            quality,
            steps,
            stall_penalty,
            stall_s,
            stalls,
            switches,
            startup_s,
            bits,
            wasted_bits,
            latency_s2,
            target_s2,
            live_penalty,
        } = other;
        for (sum, part) in [
            (&mut self.sessions, sessions),
            (&mut self.segments, segments),
            (&mut self.media_s, media_s),
            (&mut self.quality, quality),
            (&mut self.steps, steps),
            (&mut self.stall_penalty, stall_penalty),
            (&mut self.stall_s, stall_s),
            (&mut self.stalls, stalls),
            (&mut self.switches, switches),
            (&mut self.startup_s, startup_s),
            (&mut self.bits, bits),
            (&mut self.wasted_bits, wasted_bits),
            (&mut self.latency_s2, latency_s2),
            (&mut self.target_s2, target_s2),
            (&mut self.live_penalty, live_penalty),
        ] {
            *sum += part;
        }
    }

    /// QoE_lin (Yin et al.) for each segment: bitrate in Mbit/s, less the best rung's Mbit/s for
    /// each second of stall, less the change of bitrate; live also less what latency and rate cost.
    pub(crate) fn qoe(&self) -> f64 {
        let sum = self.quality - self.stall_penalty - self.steps - self.live_penalty;
        sum / self.segments.max(1.0)
    }

    /// Stalled time, in percent of media played.
    pub(crate) fn stall_percent(&self) -> f64 {
        100.0 * self.stall_s / self.media_s.max(0.001)
    }

    pub(crate) fn mean_kbit(&self) -> f64 {
        1000.0 * self.quality / self.segments.max(1.0)
    }

    /// Switches in a minute of media.
    pub(crate) fn switches_a_minute(&self) -> f64 {
        60.0 * self.switches / self.media_s.max(0.001)
    }

    pub(crate) fn wasted_percent(&self) -> f64 {
        100.0 * self.wasted_bits / self.bits.max(1.0)
    }

    pub(crate) fn mean_startup_s(&self) -> f64 {
        self.startup_s / self.sessions.max(1.0)
    }

    /// Mean latency and target while playing, in s.
    pub(crate) fn mean_latency_s(&self) -> (f64, f64) {
        let media_s = self.media_s.max(0.001);
        (self.latency_s2 / media_s, self.target_s2 / media_s)
    }
}
