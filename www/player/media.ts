// The MediaSource behind the element and its SourceBuffers: made early, filled, and made anew where
// the browser could not decode.

import { type Incoming, Sink } from "./sink";

declare global {
  interface Window {
    /** What Safari on iPhones has instead of MediaSource. */
    ManagedMediaSource?: typeof MediaSource;
  }
}

/** What becomes of media. No call comes from within a call of `Media`. */
export interface MediaEvents {
  /** Answers whether the body may be appended now. */
  head(id: number, head: Uint8Array): boolean;
  completed(body: Incoming): void;
  full(track: number): void;
  /** The browser could not decode, in the midst of appending to this track if there is one. */
  undecodable(track: number | undefined): void;
  /** It can't be played at all. */
  unplayable(why: string): void;
  /** A managed source wants more, or has enough. */
  streaming(wanted: boolean): void;
}

/** A codec of each kind that streams come in, and a profile of it that whoever has it can play. */
const CODECS = {
  avc1: "video/mp4; codecs=avc1.42e01e",
  hvc1: "video/mp4; codecs=hvc1.1.6.L93.B0",
  hev1: "video/mp4; codecs=hev1.1.6.L93.B0",
  av01: "video/mp4; codecs=av01.0.04M.08",
  vp09: "video/mp4; codecs=vp09.00.10.08",
  mp4a: "audio/mp4; codecs=mp4a.40.2",
  Opus: "audio/mp4; codecs=opus",
  "ac-3": "audio/mp4; codecs=ac-3",
  "ec-3": "audio/mp4; codecs=ec-3",
  fLaC: "audio/mp4; codecs=flac",
};

const Source = () => window.ManagedMediaSource ?? window.MediaSource;

/** The codecs that this browser lacks, by the names that their RFC 6381 strings begin with. */
export function lacks(): string {
  const source = Source();
  const lacked = Object.entries(CODECS).filter(([, type]) => source && !source.isTypeSupported(type));
  return lacked.map(([name]) => name).join();
}

export class Media {
  private readonly video: HTMLVideoElement;
  private readonly events: MediaEvents;
  private readonly sinks: Sink[];
  private readonly gone = new AbortController();
  private source: MediaSource | undefined;
  private opened: Promise<void> = Promise.resolve();
  /** Whether the source has its SourceBuffers. */
  private filled = false;
  private failing = false;
  private ending = false;
  private seekTo: number | undefined;

  constructor(video: HTMLVideoElement, events: MediaEvents) {
    this.video = video;
    this.events = events;
    this.sinks = [0, 1].map(
      (track) =>
        new Sink({
          head: (id, head) => events.head(id, head),
          completed: (body) => events.completed(body),
          full: () => events.full(track),
          broken: () => this.fail(track),
        }),
    );
    const { signal } = this.gone;
    video.addEventListener("loadedmetadata", () => this.applySeek(), { signal });
    video.addEventListener("error", () => this.fail(undefined), { signal });
    this.renew();
  }

  sink(track: number): Sink | undefined {
    return this.sinks[track];
  }

  /** Makes SourceBuffers of these types, in a new source if this one has some. */
  open(types: string[]): void {
    if (this.filled) this.renew();
    this.filled = true;
    const { source } = this;
    void this.opened.then(() => {
      if (source !== this.source || source?.readyState !== "open") return;
      for (const [track, type] of types.entries()) {
        if (!Source()?.isTypeSupported(type)) {
          return this.events.unplayable(`This browser cannot play ${type}.`);
        }
        this.sinks[track]?.attach(source.addSourceBuffer(type));
      }
    });
  }

  drop(id: number): void {
    for (const sink of this.sinks) sink.drop(id);
  }

  release(id: number): void {
    for (const sink of this.sinks) sink.release(id);
  }

  duration(seconds: number): void {
    const { source } = this;
    void this.opened.then(() =>
      this.whenIdle(() => {
        if (source !== this.source || source?.readyState !== "open") return;
        source.duration = seconds;
        // Without it nothing beyond what is buffered could be sought.
        if (seconds === Infinity) source.setLiveSeekableRange?.(0, 2 ** 31);
      }),
    );
  }

  /** More is on its way after all. */
  goOn(): void {
    this.ending = false;
  }

  endOfStream(): void {
    this.ending = true;
    this.whenIdle(() => {
      if (this.ending && this.source?.readyState === "open") this.source.endOfStream();
    });
  }

  seek(seconds: number): void {
    this.ending = false;
    this.seekTo = seconds;
    if (this.video.readyState > 0) this.applySeek();
  }

  /** Lets the element go. */
  destroy(): void {
    this.gone.abort();
    for (const sink of this.sinks) sink.detach();
    this.source = undefined;
    this.video.removeAttribute("src");
    this.video.load();
  }

  private renew(): void {
    const Kind = Source();
    if (!Kind) {
      return queueMicrotask(() => this.events.unplayable("This browser has no Media Source Extensions."));
    }
    const { video } = this;
    const source = new Kind();
    for (const sink of this.sinks) sink.detach();
    this.source = source;
    this.opened = new Promise((resolve) => {
      source.addEventListener("sourceopen", () => resolve(), { once: true });
    });
    source.addEventListener("startstreaming", () => this.events.streaming(true));
    source.addEventListener("endstreaming", () => this.events.streaming(false));
    this.failing = false;
    video.disableRemotePlayback = true;
    const { paused, playbackRate } = video;
    const url = URL.createObjectURL(source);
    video.src = url;
    void this.opened.then(() => URL.revokeObjectURL(url));
    // A new source pauses the element and forgets its rate.
    video.playbackRate = playbackRate;
    if (!paused) void video.play().catch(() => {});
  }

  /** Tells of a failure once: an append that fails is an error of the element, too. */
  private fail(track: number | undefined): void {
    if (this.failing || this.gone.signal.aborted) return;
    this.failing = true;
    queueMicrotask(() => this.events.undecodable(track));
  }

  private applySeek(): void {
    if (this.seekTo === undefined) return;
    this.video.currentTime = this.seekTo;
    this.seekTo = undefined;
  }

  /** Runs `work` once no SourceBuffer is busy: the MediaSource refuses to be changed before. */
  private whenIdle(work: () => void): void {
    if (this.gone.signal.aborted) return;
    if (this.sinks.every((sink) => sink.idle)) return work();
    const buffers = Array.from(this.source?.sourceBuffers ?? []);
    const busy = buffers.find((buffer) => buffer.updating);
    if (busy) busy.addEventListener("updateend", () => this.whenIdle(work), { once: true });
    else setTimeout(() => this.whenIdle(work), 10);
  }
}
