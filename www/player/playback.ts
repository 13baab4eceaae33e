// What the element asks of whatever plays: segments (`engine.ts`) or a call (`realtime.ts`).

/** How a playback goes: what the module tells about itself (`WebPlayer::snapshot`), or the like. */
export interface Snapshot {
  phase: "loading" | "waiting" | "ready" | "away" | "ended" | "trouble" | "unplayable";
  /** HTTP status behind `trouble`; 0 is no answer. */
  status: number;
  live: boolean;
  following: boolean;
  stalled: boolean;
  active: number | null;
  chosen: number | null;
  windowStart: number | null;
  windowEnd: number | null;
  startupMs: number | null;
  playedSeconds: number;
  stalls: number;
  stallMs: number;
  latencyMs: number | null;
  bufferSeconds: number;
  playheadPdtMs: number | null;
  throughput: number | null;
  bytes: number;
}

export interface Rendition {
  name: string;
  height: number | null;
  bitsPerSecond: number;
}

export interface Playback {
  readonly snapshot: Snapshot | undefined;
  readonly renditions: Rendition[];
  /** Why nothing can be played, in words. */
  readonly broken: string | undefined;
  /** Keeps to a rendition, or with `null` leaves the choice to the player. */
  choose(index: number | null): void;
  seekWished(seconds: number): void;
  goLive(): void;
  pauseWished(): void;
  /** Reports what the viewer did, in a word of the events API. */
  report(word: string, value?: number): void;
  /** Ends everything and lets the element go. */
  destroy(): void;
}
