// What the module tells about itself as numbers, read into words.

import type { Rendition, Snapshot, Sound } from "./playback";

/** Phases in the order of their numbers. */
const PHASES = ["loading", "waiting", "ready", "away", "ended", "trouble", "unplayable"] as const;

/** Reads what `WebPlayer::snapshot` answers. */
export function snapshotOf(numbers: Float64Array): Snapshot {
  let at = 0;
  const number = () => numbers[at++] ?? NaN;
  const known = () => {
    const value = number();
    return Number.isNaN(value) ? null : value;
  };
  const truth = () => number() === 1;
  return {
    phase: PHASES[number()] ?? "loading",
    status: number(),
    live: truth(),
    following: truth(),
    stalled: truth(),
    active: known(),
    chosen: known(),
    sound: known(),
    windowStart: known(),
    windowEnd: known(),
    startupMs: known(),
    playedSeconds: number(),
    stalls: number(),
    stallMs: number(),
    latencyMs: known(),
    targetLatencyMs: known(),
    bufferSeconds: number(),
    playheadPdtMs: known(),
    originMs: known(),
    throughput: known(),
    bytes: number(),
    wastedBytes: number(),
    switches: number(),
    rate: number(),
  };
}

/** Reads what `WebPlayer::renditions` answers: lines of the picture, bits per second, name. */
export function renditionsOf(text: string): Rendition[] {
  return lines(text).map((line) => {
    const [height, bits, ...name] = line.split(" ");
    return { name: name.join(" "), height: Number(height) || null, bitsPerSecond: Number(bits) };
  });
}

/** Reads what `WebPlayer::sounds` answers: language, name. */
export function soundsOf(text: string): Sound[] {
  return lines(text).map((line) => {
    const [language, ...name] = line.split(" ");
    return { name: name.join(" "), language: language || null };
  });
}

function lines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}
