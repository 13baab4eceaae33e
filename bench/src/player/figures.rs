//! What a run came to: from what was on the screen and what passed the link, the same for every player.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    broadcast::Sent,
    browser::{Mark, Seen},
    film::{Film, Segment},
    proxy::Transfer,
};

/// A playhead that has not moved for so long stands still.
const STILL_MS: f64 = 150.0;
/// A picture that has not changed for so long is frozen, whatever the playhead does.
const FROZEN_MS: f64 = 500.0;
/// Frames whose times are further apart do not follow each other: somebody has sought.
const APART_S: f64 = 1.0;
const MEGABYTE: f64 = 1e6;

/// A kind of figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    /// From the navigation to the first painted frame.
    StartUp,
    /// Time after it in which the playhead stood still.
    Stalled,
    /// Time after it in which the same picture was on the screen, though the playhead may have moved.
    Frozen,
    /// Mean bitrate of the rungs that were on the screen, over the film's time.
    Played,
    /// Changes of the rung on the screen.
    Switches,
    /// All that came over the link: page, library, playlists, media.
    Fetched,
    /// The share of media bytes that were fetched in vain; see [`wasted`].
    Wasted,
    /// From the encoder to the screen: the middle frame.
    Latency,
    /// The frame that 95% are sooner than.
    Latency95,
    /// Of the browser's processes.
    Cpu,
    /// JavaScript of the page, after a collection of garbage.
    Heap,
    /// Its WebAssembly.
    Wasm,
}

impl Metric {
    /// Name, unit and digits after the point.
    pub(super) fn described(self) -> (&'static str, &'static str, usize) {
        match self {
            Self::StartUp => ("start-up", "ms", 0),
            Self::Stalled => ("stalled", "ms", 0),
            Self::Frozen => ("frozen", "ms", 0),
            Self::Played => ("played", "kbit/s", 0),
            Self::Switches => ("switches", "", 0),
            Self::Fetched => ("fetched", "MB", 1),
            Self::Wasted => ("wasted", "%", 1),
            Self::Latency => ("latency, p50", "ms", 0),
            Self::Latency95 => ("latency, p95", "ms", 0),
            Self::Cpu => ("CPU", "s", 1),
            Self::Heap => ("JS heap", "MB", 1),
            Self::Wasm => ("Wasm", "MB", 1),
        }
    }
}

/// A run's figures.
pub(super) type Figures = BTreeMap<Metric, f64>;

/// Of a film.
pub(super) fn of_film(seen: &Seen, log: &[Transfer], film: &Film) -> Figures {
    let mut figures = of_any(seen, log);
    let frames = frames(seen);
    let (mut weighed, mut played_s) = (0.0, 0.0);
    for pair in frames.windows(2) {
        let seconds = pair[1].media_s - pair[0].media_s;
        if (0.0..APART_S).contains(&seconds)
            && let Some(kbps) = film.kbps(pair[0].height)
        {
            weighed += seconds * kbps;
            played_s += seconds;
        }
    }
    let switches = frames
        .windows(2)
        .filter(|pair| pair[0].height != pair[1].height);
    figures.insert(
        Metric::Played,
        if played_s > 0.0 {
            weighed / played_s
        } else {
            0.0
        },
    );
    figures.insert(Metric::Switches, switches.count() as f64);
    figures.insert(
        Metric::Wasted,
        100.0 * wasted(&frames, playhead_s(seen), log),
    );
    figures
}

/// Of a broadcast whose frames left the encoder as in `sent`.
pub(super) fn of_broadcast(seen: &Seen, log: &[Transfer], sent: &[Sent]) -> Figures {
    let mut figures = of_any(seen, log);
    let latencies = latencies(&seen.marks, sent);
    let at = |share: f64| {
        let last = latencies.len().saturating_sub(1) as f64;
        latencies.get((last * share) as usize).copied()
    };
    if let (Some(p50), Some(p95)) = (at(0.5), at(0.95)) {
        figures.insert(Metric::Latency, p50);
        figures.insert(Metric::Latency95, p95);
    }
    figures
}

fn of_any(seen: &Seen, log: &[Transfer]) -> Figures {
    let fetched: u64 = log.iter().map(|transfer| transfer.bytes).sum();
    let memory = seen.memory.last().copied().unwrap_or_default();
    let first_ms = seen.frames.first().copied().unwrap_or(seen.ended_ms);
    Figures::from([
        (Metric::StartUp, first_ms),
        (Metric::Stalled, stalled_ms(&seen.ticks, first_ms)),
        (Metric::Frozen, frozen_ms(&seen.frames)),
        (Metric::Fetched, fetched as f64 / MEGABYTE),
        (Metric::Cpu, seen.cpu_s),
        (Metric::Heap, memory.heap_bytes / MEGABYTE),
        (Metric::Wasm, memory.wasm_bytes / MEGABYTE),
    ])
}

/// A frame on the screen.
#[derive(Clone, Copy, Debug)]
struct Shown {
    media_s: f64,
    height: u32,
}

fn frames(seen: &Seen) -> Vec<Shown> {
    let frames = seen.frames.chunks_exact(3);
    let frames = frames.map(|frame| Shown {
        media_s: frame[1],
        height: frame[2] as u32,
    });
    frames.collect()
}

fn playhead_s(seen: &Seen) -> f64 {
    seen.ticks
        .chunks_exact(3)
        .next_back()
        .map_or(0.0, |tick| tick[1])
}

/// Time from the first frame on in which the playhead stood still though the film had not ended.
fn stalled_ms(ticks: &[f64], first_ms: f64) -> f64 {
    let mut sum = 0.0;
    let mut still: Option<(f64, f64)> = None;
    let mut last_ms = first_ms;
    let begun = ticks.chunks_exact(3).filter(|tick| tick[0] >= first_ms);
    for tick in begun {
        let (now_ms, position_s, has_ended) = (tick[0], tick[1], tick[2] > 0.0);
        match still {
            Some((_, at_s)) if at_s == position_s && !has_ended => {}
            _ => {
                sum += stood(still, last_ms);
                still = (!has_ended).then_some((now_ms, position_s));
            }
        }
        last_ms = now_ms;
    }
    sum + stood(still, last_ms)
}

/// Time between frames that are far apart.
fn frozen_ms(frames: &[f64]) -> f64 {
    let at_ms: Vec<f64> = frames.iter().copied().step_by(3).collect();
    let apart = at_ms.windows(2).map(|pair| pair[1] - pair[0]);
    // The sum of nothing is -0.
    apart.filter(|ms| *ms >= FROZEN_MS).sum::<f64>() + 0.0
}

fn stood(still: Option<(f64, f64)>, until_ms: f64) -> f64 {
    let stood_ms = still.map_or(0.0, |(since_ms, _)| until_ms - since_ms);
    if stood_ms < STILL_MS { 0.0 } else { stood_ms }
}

/// The share of media bytes that were fetched in vain.
///
/// A segment that the playhead has reached was worth of each rung the share of its pictures that were of
/// this rung, once: a second fetch of the same, what was given up, and what another rung's pictures took the
/// place of are wasted. Of a segment that still lies ahead, all but the last fetch are; the last would have
/// been seen. Of sound the last fetch counts.
fn wasted(frames: &[Shown], playhead_s: f64, log: &[Transfer]) -> f64 {
    let mut fetches: BTreeMap<(bool, u32), Vec<(Segment, &Transfer)>> = BTreeMap::new();
    for transfer in log {
        if let Some(segment) = Segment::of(&transfer.path) {
            let key = (segment.height.is_some(), segment.number);
            fetches.entry(key).or_default().push((segment, transfer));
        }
    }
    let (mut all, mut used) = (0.0, 0.0);
    for ((is_picture, _), fetches) in &fetches {
        all += fetches
            .iter()
            .map(|(_, transfer)| transfer.bytes as f64)
            .sum::<f64>();
        let lies_ahead = fetches[0].0.begins_s() >= playhead_s;
        if lies_ahead || !is_picture {
            used += fetches
                .last()
                .map_or(0.0, |(_, transfer)| transfer.bytes as f64);
            continue;
        }
        let rungs: BTreeSet<Option<u32>> =
            fetches.iter().map(|(segment, _)| segment.height).collect();
        for rung in rungs {
            let of_rung = fetches.iter().filter(|(segment, _)| segment.height == rung);
            let most = of_rung
                .map(|(_, transfer)| transfer)
                .max_by_key(|transfer| transfer.bytes);
            if let Some(transfer) = most {
                let size = transfer.size.unwrap_or(transfer.bytes) as f64;
                let worth = share(frames, fetches[0].0, rung) * size;
                used += worth.min(transfer.bytes as f64);
            }
        }
    }
    if all > 0.0 { 1.0 - used / all } else { 0.0 }
}

/// The share of a segment's pictures on the screen that were of a rung.
fn share(frames: &[Shown], segment: Segment, rung: Option<u32>) -> f64 {
    // Half a frame: times are rounded.
    const ROUNDING_S: f64 = 0.02;
    let span = segment.begins_s() - ROUNDING_S..segment.ends_s() - ROUNDING_S;
    let of_segment = || frames.iter().filter(|frame| span.contains(&frame.media_s));
    let count = of_segment()
        .filter(|frame| Some(frame.height) == rung)
        .count();
    match of_segment().count() {
        0 => 0.0,
        all => count as f64 / all as f64,
    }
}

/// Of each frame read off the screen, the time since it last left the encoder, in order.
fn latencies(marks: &[Mark], sent: &[Sent]) -> Vec<f64> {
    let latency = |mark: &Mark| {
        let before = |sent: &&Sent| sent.index == mark.index && sent.at_ms <= mark.at_ms;
        let sent = sent.iter().rev().find(before);
        sent.map(|sent| mark.at_ms - sent.at_ms)
    };
    let mut latencies: Vec<f64> = marks.iter().filter_map(latency).collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}

#[cfg(test)]
mod tests;
