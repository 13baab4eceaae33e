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
  /** Index of the sound that is fetched. */
  sound: number | null;
  windowStart: number | null;
  windowEnd: number | null;
  startupMs: number | null;
  playedSeconds: number;
  stalls: number;
  stallMs: number;
  latencyMs: number | null;
  /** The latency that is held, while at the live edge. */
  targetLatencyMs?: number | null;
  bufferSeconds: number;
  playheadPdtMs: number | null;
  /** What the playlist's clock shows at `currentTime` 0, in ms: Unix time where it has dates. */
  originMs?: number | null;
  /** Estimate of what the network gives, in bits per second. */
  throughput: number | null;
  /** Media bytes fetched, wasted ones included. */
  bytes: number;
  /** Media bytes of transfers that were given up or failed. */
  wastedBytes?: number;
  /** Changes of the picture's rendition since the first. */
  switches?: number;
  /** How fast it is played in order to hold the latency; the viewer's own speed multiplies it. */
  rate?: number;
}

export interface Rendition {
  name: string;
  height: number | null;
  bitsPerSecond: number;
}

export interface Sound {
  name: string;
  /** Language tag (RFC 5646), if told. */
  language: string | null;
}

/** A multivariant playlist or MPD as it was read. */
export interface Manifest {
  url: string;
  text: string;
}

export interface Playback {
  readonly snapshot: Snapshot | undefined;
  readonly renditions: Rendition[];
  readonly sounds: Sound[];
  /** Kept only where it lists subtitles, which are none of the module's business. */
  readonly manifest: Manifest | undefined;
  /** Why nothing can be played, in words. */
  readonly broken: string | undefined;
  /** Keeps to a rendition, or with `null` leaves the choice to the player. */
  choose(index: number | null): void;
  /** Plays this one of `sounds`. */
  chooseSound(index: number): void;
  /** The viewer's own speed; catching up with a live stream multiplies it. */
  setSpeed(speed: number): void;
  seekWished(seconds: number): void;
  goLive(): void;
  pauseWished(): void;
  /** Reports what the viewer did, in a word of the events API. */
  report(word: string, value?: number): void;
  /** Ends everything and lets the element go. */
  destroy(): void;
}
