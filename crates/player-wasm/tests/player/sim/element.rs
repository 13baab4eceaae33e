//! A media element with two SourceBuffers, as far as the player can tell.

use weir_player_wasm::Observation;

/// Ranges in seconds, in order, apart from each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(pub Vec<(f64, f64)>);

impl Ranges {
    pub(crate) fn add(&mut self, start: f64, end: f64) {
        self.0.push((start, end));
        self.0.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::new();
        for (start, end) in self.0.drain(..) {
            match merged.last_mut() {
                // Browsers bridge the rounding between chunks.
                Some(last) if start <= last.1 + 0.02 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        self.0 = merged;
    }

    pub(crate) fn remove(&mut self, from: f64, to: f64) {
        let cut = |&(start, end): &(f64, f64)| [(start, end.min(from)), (start.max(to), end)];
        self.0 = self
            .0
            .iter()
            .flat_map(cut)
            .filter(|(start, end)| start < end)
            .collect();
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    fn and(&self, other: &Self) -> Vec<(f64, f64)> {
        let mut both = Vec::new();
        for a in &self.0 {
            for b in &other.0 {
                let (start, end) = (a.0.max(b.0), a.1.min(b.1));
                if start < end {
                    both.push((start, end));
                }
            }
        }
        both
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Element {
    pub(crate) tracks: [Ranges; 2],
    pub(crate) current_time_s: f64,
    pub(crate) paused: bool,
    pub(crate) rate: f64,
    /// What the viewer chose; the player's rate comes on top of it.
    pub(crate) speed: f64,
    pub(crate) end_of_stream: bool,
    pub(crate) opened: bool,
}

impl Element {
    /// A new MediaSource, with nothing in it.
    pub(crate) fn reopen(&mut self) {
        self.tracks = Default::default();
        self.end_of_stream = false;
        self.opened = true;
    }

    pub(crate) fn buffered(&self) -> Vec<(f64, f64)> {
        self.tracks[0].and(&self.tracks[1])
    }

    fn ahead(&self) -> Option<f64> {
        let holds = |(start, end): &&(f64, f64)| {
            *start <= self.current_time_s + 0.001 && self.current_time_s <= *end
        };
        self.buffered()
            .iter()
            .find(holds)
            .map(|(_, end)| end - self.current_time_s)
    }

    /// Whether nothing follows on what is buffered about here, not even after a hole.
    fn plays_out(&self) -> bool {
        let last = self.buffered().last().copied();
        self.end_of_stream && last.is_some_and(|(start, _)| start <= self.current_time_s)
    }

    pub(crate) fn ended(&self) -> bool {
        self.plays_out() && self.ahead().is_some_and(|ahead| ahead < 0.01)
    }

    pub(crate) fn ready_state(&self) -> u8 {
        match self.ahead() {
            _ if !self.opened => 0,
            // The last frames are not played until there is something to follow them.
            Some(ahead) if ahead > 0.08 || self.plays_out() => 4,
            Some(_) => 2,
            None => u8::from(!self.tracks[0].0.is_empty()),
        }
    }

    pub(crate) fn playback_rate(&self) -> f64 {
        self.rate * self.speed
    }

    pub(crate) fn play_on(&mut self, ms: u64) {
        if !self.paused && self.ready_state() >= 3 {
            let ahead = self.ahead().unwrap_or(0.0);
            self.current_time_s += (ms as f64 / 1000.0 * self.playback_rate()).min(ahead);
        }
    }

    pub(crate) fn observation(&self) -> Observation {
        Observation {
            current_time_s: self.current_time_s,
            paused: self.paused || self.ended(),
            seeking: false,
            ended: self.ended(),
            playback_rate: self.playback_rate(),
            ready_state: self.ready_state(),
            buffered: self.buffered(),
        }
    }
}
