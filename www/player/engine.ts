// The hands of the player: fetches, appends, seeks and posts as the Wasm module decides. Media
// bodies go from the network to the SourceBuffers and never through the module's memory.

import init, { WebPlayer } from "./pkg/weir_player.js";
import wasmUrl from "./pkg/weir_player_bg.wasm?url";
import { hurry, post } from "./events";
import type { Playback, Rendition, Snapshot } from "./playback";
import { Session } from "./session";
import { type Incoming, Sink } from "./sink";
import type { Renewal } from "./token";

export interface EngineOptions {
  video: HTMLVideoElement;
  /** Multivariant playlist, absolute. */
  url: string;
  /** Video id for events. */
  id: string;
  /** Keeps the URLs' token good, if the page can give new ones. */
  renewal?: Renewal | undefined;
  onChange: () => void;
}

declare global {
  interface Window {
    /** What Safari on iPhones has instead of MediaSource. */
    ManagedMediaSource?: typeof MediaSource;
  }
}

const LOOK_EVERY_MS = 250;
const WATCHED_EVENTS = ["playing", "pause", "waiting", "seeked", "ended", "timeupdate", "progress"];

let compiled: Promise<unknown> | undefined;

/** Loads the module; the first call begins, the others share it. */
export function load(): Promise<unknown> {
  return (compiled ??= init({ module_or_path: wasmUrl }).catch((error: unknown) => {
    compiled = undefined;
    throw error;
  }));
}

export class Engine implements Playback {
  private readonly options: EngineOptions;
  private readonly video: HTMLVideoElement;
  private core: WebPlayer | undefined;
  private session: Session | undefined;
  private media: MediaSource | undefined;
  private opened: Promise<void> = Promise.resolve();
  private readonly sinks: Sink[];
  private readonly requests = new Map<number, AbortController>();
  /** The multivariant playlist, asked for while the module compiles. */
  private early: Promise<Response> | undefined;
  private readonly ended = new AbortController();
  private sleeping = 0;
  private seekTo: number | undefined;
  private told = false;
  private ending = false;
  /** Why nothing can be played, in words; the module does not know of it. */
  broken: string | undefined;

  constructor(options: EngineOptions) {
    this.options = options;
    this.video = options.video;
    this.sinks = [0, 1].map(
      (track) =>
        new Sink({
          head: (id, head) => this.core?.head(id, head) ?? true,
          completed: (body) => this.completed(body),
          full: () => this.core?.quotaExceeded(track),
          broken: () => this.fail("The browser could not decode this stream."),
        }),
    );
    void this.start();
  }

  private async start(): Promise<void> {
    this.early = fetch(this.options.url, { signal: this.ended.signal });
    this.early.catch(() => {});
    this.openMedia();
    try {
      const [session] = await Promise.all([Session.open(), load()]);
      this.session = session;
    } catch {
      return this.fail("The player could not be loaded.");
    }
    if (this.ended.signal.aborted) return;
    const { nextSeq, viewed } = this.session.progress(this.options.id);
    const { url, id } = this.options;
    this.core = new WebPlayer(this, this.video, url, id, this.session.id, nextSeq, viewed);
    this.core.run();
    this.watch();
    void this.session.resend(post);
  }

  /** Ends everything and lets the element go. */
  destroy(): void {
    this.ended.abort();
    this.goodbye();
    clearTimeout(this.sleeping);
    this.options.renewal?.stop();
    for (const request of this.requests.values()) request.abort();
    for (const sink of this.sinks) sink.detach();
    this.core?.free();
    this.core = undefined;
    this.video.removeAttribute("src");
    this.video.load();
  }

  get snapshot(): Snapshot | undefined {
    return this.core?.snapshot() as Snapshot | undefined;
  }

  get renditions(): Rendition[] {
    const list = (this.core?.renditions() ?? []) as [string, number | null, number][];
    return list.map(([name, height, bitsPerSecond]) => ({ name, height, bitsPerSecond }));
  }

  choose(index: number | null): void {
    this.core?.choose(index ?? -1);
  }

  seekWished(seconds: number): void {
    this.core?.seek(seconds);
  }

  goLive(): void {
    this.core?.goLive();
  }

  pauseWished(): void {
    this.core?.paused();
  }

  /** Reports what the viewer did, in a word of the events API. */
  report(word: string, value?: number): void {
    this.core?.report(word, value);
    this.keep();
  }

  // What follows is called by the module (`Shim` in `web.rs`), which must not be called back from
  // within.

  open(video: string, audio?: string): void {
    const types = audio ? [video, audio] : [video];
    void this.opened.then(() => {
      const media = this.media;
      if (!media || media.readyState !== "open") return;
      for (const [track, type] of types.entries()) {
        if (!MediaSource.isTypeSupported(type)) {
          return this.fail(`This browser cannot play ${type}.`);
        }
        this.sinks[track]?.attach(media.addSourceBuffer(type));
      }
    });
  }

  fetch(id: number, url: string, track?: number): void {
    const request = new AbortController();
    this.requests.set(id, request);
    const sink = track === undefined ? undefined : this.sinks[track];
    const work = sink ? this.fetchMedia(id, url, sink, request) : this.fetchText(id, url, request);
    work.catch(() => this.failed(id, sink, 0));
  }

  abort(id: number): void {
    this.requests.get(id)?.abort();
    this.requests.delete(id);
    for (const sink of this.sinks) sink.drop(id);
  }

  release(id: number): void {
    for (const sink of this.sinks) sink.release(id);
  }

  offset(track: number, seconds: number): void {
    this.sinks[track]?.offset(seconds);
  }

  remove(track: number, start: number, end: number): void {
    this.sinks[track]?.remove(start, end);
  }

  duration(seconds: number): void {
    void this.opened.then(() =>
      this.whenIdle(() => {
        const media = this.media;
        if (media?.readyState !== "open") return;
        media.duration = seconds;
        // Without it nothing beyond what is buffered could be sought.
        if (seconds === Infinity) media.setLiveSeekableRange?.(0, 2 ** 31);
      }),
    );
  }

  endOfStream(): void {
    this.ending = true;
    this.whenIdle(() => {
      if (this.ending && this.media?.readyState === "open") this.media.endOfStream();
    });
  }

  seek(seconds: number): void {
    this.ending = false;
    this.seekTo = seconds;
    if (this.video.readyState > 0) this.applySeek();
  }

  rate(rate: number): void {
    this.video.playbackRate = rate;
  }

  post(batch: string): void {
    this.session?.unsent(this.options.id, batch);
    queueMicrotask(() => this.keep());
    void post(batch).then((seqs) => {
      if (!seqs) return this.core?.unanswered();
      this.session?.unsent(this.options.id, undefined);
      this.core?.answered(Float64Array.from(seqs));
    });
  }

  changed(): void {
    if (this.told) return;
    this.told = true;
    queueMicrotask(() => {
      this.told = false;
      this.options.onChange();
    });
  }

  sleep(ms: number): void {
    clearTimeout(this.sleeping);
    this.sleeping = window.setTimeout(() => this.core?.wake(), ms);
  }

  private openMedia(): void {
    const Source = window.ManagedMediaSource ?? window.MediaSource;
    if (!Source) return this.fail("This browser has no Media Source Extensions.");
    const media = new Source();
    this.media = media;
    this.opened = new Promise((resolve) => {
      media.addEventListener("sourceopen", () => resolve(), { once: true });
    });
    this.video.disableRemotePlayback = true;
    const url = URL.createObjectURL(media);
    this.video.src = url;
    void this.opened.then(() => URL.revokeObjectURL(url));
  }

  private watch(): void {
    const { signal } = this.ended;
    const look = () => this.core?.observe();
    for (const event of WATCHED_EVENTS) this.video.addEventListener(event, look, { signal });
    this.video.addEventListener("loadedmetadata", () => this.applySeek(), { signal });
    this.video.addEventListener("error", () => this.fail("The browser could not decode this stream."), {
      signal,
    });
    const rendered = () => {
      this.core?.rendered();
      this.keep();
    };
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(rendered);
    else (this.video as HTMLVideoElement).addEventListener("playing", rendered, { signal, once: true });
    document.addEventListener("visibilitychange", () => this.goodbye(), { signal });
    window.addEventListener("pagehide", () => this.goodbye(), { signal });
    const timer = window.setInterval(look, LOOK_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  private async fetchText(id: number, url: string, request: AbortController): Promise<void> {
    const early = url === this.options.url ? this.early : undefined;
    this.early = undefined;
    const answer = await (early ?? fetch(this.renewed(url), { signal: request.signal }));
    if (!answer.ok) return this.failed(id, undefined, answer.status);
    const text = await answer.text();
    if (this.requests.delete(id)) this.core?.text(id, text);
  }

  private async fetchMedia(
    id: number,
    url: string,
    sink: Sink,
    request: AbortController,
  ): Promise<void> {
    this.ending = false;
    const body = sink.expect(id);
    const answer = await fetch(this.renewed(url), { signal: request.signal, priority: "high" });
    if (!answer.ok || !answer.body) return this.failed(id, sink, answer.status);
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (!this.requests.has(id)) return void reader.cancel();
      if (done) break;
      sink.receive(body, value);
      this.core?.progress(id);
    }
    sink.finish(body);
  }

  private completed(body: Incoming): void {
    if (!this.requests.delete(body.id)) return;
    this.core?.completed(body.id, body.bytes, body.firstBytes, body.lastAt - body.firstAt);
  }

  private failed(id: number, sink: Sink | undefined, status: number): void {
    if (!this.requests.delete(id)) return;
    sink?.drop(id);
    if (status === 403) void this.options.renewal?.now();
    this.core?.failed(id, status);
  }

  /** The module goes on naming what playlists listed under the token of before. */
  private renewed(url: string): string {
    return this.options.renewal?.current(url) ?? url;
  }

  private applySeek(): void {
    if (this.seekTo === undefined) return;
    this.video.currentTime = this.seekTo;
    this.seekTo = undefined;
  }

  /** Runs `work` once no SourceBuffer is busy: the MediaSource refuses to be changed before. */
  private whenIdle(work: () => void): void {
    if (this.ended.signal.aborted) return;
    const buffers = Array.from(this.media?.sourceBuffers ?? []);
    if (this.sinks.every((sink) => sink.idle)) return work();
    const busy = buffers.find((buffer) => buffer.updating);
    if (busy) busy.addEventListener("updateend", () => this.whenIdle(work), { once: true });
    else setTimeout(() => this.whenIdle(work), 10);
  }

  private keep(): void {
    const progress = { nextSeq: this.core?.nextSeq() ?? 1, viewed: this.snapshot?.startupMs != null };
    this.session?.keep(this.options.id, progress);
  }

  private goodbye(): void {
    if (document.visibilityState === "visible" && !this.ended.signal.aborted) return;
    const batch = this.core?.farewell();
    if (!batch) return;
    this.keep();
    this.session?.unsent(this.options.id, batch);
    hurry(batch);
  }

  private fail(why: string): void {
    if (this.broken) return;
    this.broken = why;
    this.report("error");
    this.changed();
  }
}
