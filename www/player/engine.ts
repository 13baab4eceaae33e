// The hands of the player: fetches, appends, seeks and posts as the Wasm module decides. Media
// bodies go from the network to the SourceBuffers and never through the module's memory.

import init, { WebPlayer } from "./pkg/weir_player.js";
import wasmUrl from "./pkg/weir_player_bg.wasm?url";
import type { Cmcd, CmcdMode } from "./cmcd";
import { Early } from "./early";
import { hurry, post } from "./events";
import { lacks, Media } from "./media";
import { recall, remember } from "./memory";
import type { Manifest, Playback, Rendition, Snapshot, Sound } from "./playback";
import { Session } from "./session";
import type { Incoming, Sink } from "./sink";
import { renditionsOf, snapshotOf, soundsOf } from "./snapshot";
import type { Renewal } from "./token";

export interface EngineOptions {
  video: HTMLVideoElement;
  /** Multivariant playlist, absolute. */
  url: string;
  /** Video id for events. */
  id: string;
  /** Keeps the URLs' token good, if the page can give new ones. */
  renewal?: Renewal | undefined;
  /** Has requests say how playback goes (CTA-5004), in the query or in headers. */
  cmcd?: CmcdMode | undefined;
  onChange: () => void;
}

const LOOK_EVERY_MS = 250;
const WATCHED_EVENTS = ["playing", "pause", "waiting", "seeked", "ended", "timeupdate", "progress"];

/** An HLS rendition of subtitles, or a text AdaptationSet of DASH. */
const LISTS_SUBTITLES = /TYPE=SUBTITLES|text\/vtt/;

/** What a URL that leads to a DASH manifest mostly looks like. */
const MANIFEST = /\.mpd($|\?)/;

let compiled: Promise<typeof WebPlayer> | undefined;
let withDash: Promise<typeof WebPlayer> | undefined;

/** Loads the module; the first call begins, the others share it. */
export function load(): Promise<typeof WebPlayer> {
  return (compiled ??= init({ module_or_path: wasmUrl }).then(
    () => WebPlayer,
    (error: unknown) => {
      compiled = undefined;
      throw error;
    },
  ));
}

/** Loads the one that reads DASH manifests, too. */
function loadDash(): Promise<typeof WebPlayer> {
  const loading = import("./dash").then(({ load }) => load());
  return (withDash ??= loading.catch((error: unknown) => {
    withDash = undefined;
    throw error;
  }));
}

export class Engine implements Playback {
  private readonly options: EngineOptions;
  private readonly video: HTMLVideoElement;
  private readonly media: Media;
  private core: WebPlayer | undefined;
  private session: Session | undefined;
  private cmcd: Cmcd | undefined;
  private readonly requests = new Map<number, AbortController>();
  private readonly ended = new AbortController();
  private readonly early: Early;
  private sleeping = 0;
  private told = false;
  private speed = 1;
  private catchUp = 1;
  manifest: Manifest | undefined;
  /** Why nothing can be played, in words; the module does not know of it. */
  broken: string | undefined;

  constructor(options: EngineOptions) {
    this.options = options;
    this.video = options.video;
    this.early = new Early(options.url, Number(recall("throughput")), this.ended.signal);
    this.media = new Media(options.video, {
      head: (id, head) => this.core?.head(id, head) ?? true,
      completed: (body) => this.completed(body),
      full: (track) => this.core?.quotaExceeded(track),
      undecodable: (track) => {
        if (!this.core?.decodeFailed(track ?? -1)) this.fail("The browser could not decode this stream.");
      },
      unplayable: (why) => this.fail(why),
      streaming: (wanted) => this.core?.streaming(wanted),
    });
    void this.start();
  }

  private async start(): Promise<void> {
    const { url, id, cmcd } = this.options;
    try {
      const [session, Core, told] = await Promise.all([
        Session.open(),
        MANIFEST.test(url) ? loadDash() : load(),
        cmcd && import("./cmcd"),
      ]);
      this.session = session;
      this.cmcd = told && new told.Cmcd(cmcd as CmcdMode, session.id, id);
      if (this.ended.signal.aborted) return;
      this.begin(Core, session);
      this.watch();
      void session.resend(post);
    } catch {
      this.fail("The player could not be loaded.");
    }
  }

  private begin(Core: typeof WebPlayer, session: Session): void {
    const { url, id } = this.options;
    const { nextSeq, viewed } = session.progress(id);
    const throughput = Number(recall("throughput"));
    const { video } = this;
    this.core = new Core(this, video, performance, url, id, session.id, nextSeq, viewed, lacks(), throughput);
    this.attend();
  }

  /** The source turned out to be DASH, for which this module has no reader. */
  private async startOver(): Promise<void> {
    this.core?.free();
    this.core = undefined;
    try {
      const Core = await loadDash();
      if (this.session && !this.ended.signal.aborted) this.begin(Core, this.session);
    } catch {
      this.fail("The player could not be loaded.");
    }
  }

  /** Ends everything and lets the element go. */
  destroy(): void {
    this.ended.abort();
    this.goodbye();
    clearTimeout(this.sleeping);
    this.options.renewal?.stop();
    for (const request of this.requests.values()) request.abort();
    this.media.destroy();
    this.core?.free();
    this.core = undefined;
  }

  get snapshot(): Snapshot | undefined {
    return this.core && snapshotOf(this.core.snapshot());
  }

  get renditions(): Rendition[] {
    return renditionsOf(this.core?.renditions() ?? "");
  }

  get sounds(): Sound[] {
    return soundsOf(this.core?.sounds() ?? "");
  }

  choose(index: number | null): void {
    this.core?.choose(index ?? -1);
  }

  chooseSound(index: number): void {
    this.core?.chooseSound(index);
  }

  setSpeed(speed: number): void {
    this.speed = speed;
    this.video.playbackRate = speed * this.catchUp;
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
    this.media.open(audio ? [video, audio] : [video]);
  }

  fetch(id: number, url: string, track?: number): void {
    const request = new AbortController();
    this.requests.set(id, request);
    const sink = track === undefined ? undefined : this.media.sink(track);
    const work = sink ? this.fetchMedia(id, url, sink, request) : this.fetchText(id, url, request);
    work.catch(() => this.failed(id, sink, 0));
  }

  /** Like `fetch`, for what the module reads as bytes. */
  fetchBytes(id: number, url: string): void {
    const request = new AbortController();
    this.requests.set(id, request);
    const work = this.ask(url, request, "m").then(async (answer) => {
      if (!answer.ok) return this.failed(id, undefined, answer.status);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (this.requests.delete(id)) this.core?.bytes(id, bytes);
    });
    work.catch(() => this.failed(id, undefined, 0));
  }

  abort(id: number): void {
    this.requests.get(id)?.abort();
    this.requests.delete(id);
    this.media.drop(id);
  }

  release(id: number): void {
    this.media.release(id);
  }

  changeType(track: number, mime: string): void {
    this.media.sink(track)?.changeType(mime);
  }

  offset(track: number, seconds: number): void {
    this.media.sink(track)?.offset(seconds);
  }

  remove(track: number, start: number, end: number): void {
    this.media.sink(track)?.remove(start, end);
  }

  duration(seconds: number): void {
    this.media.duration(seconds);
  }

  endOfStream(): void {
    this.media.endOfStream();
  }

  seek(seconds: number): void {
    this.media.seek(seconds);
  }

  rate(rate: number): void {
    this.catchUp = rate;
    this.video.playbackRate = rate * this.speed;
  }

  post(batch: string): void {
    queueMicrotask(() => this.keep());
    void post(batch).then((seqs) => {
      if (!seqs) return this.core?.unanswered();
      this.core?.answered(Float64Array.from(seqs));
      this.keep();
    });
  }

  changed(): void {
    if (this.told) return;
    this.told = true;
    queueMicrotask(() => {
      this.told = false;
      const refused = this.core?.refused();
      if (refused === "DASH") return void this.startOver();
      if (refused && !this.broken) return this.fail(`This player does not play ${refused}.`);
      this.options.onChange();
    });
  }

  sleep(ms: number): void {
    clearTimeout(this.sleeping);
    this.sleeping = window.setTimeout(() => this.core?.wake(), ms);
  }

  private watch(): void {
    const { video } = this;
    const { signal } = this.ended;
    const on = (target: EventTarget, event: string, act: () => void) =>
      target.addEventListener(event, act, { signal });
    for (const event of WATCHED_EVENTS) on(video, event, () => this.look());
    const rendered = () => {
      this.core?.rendered();
      this.keep();
    };
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(rendered);
    else (video as HTMLVideoElement).addEventListener("playing", rendered, { signal, once: true });
    on(video, "volumechange", () => this.attend());
    on(video, "enterpictureinpicture", () => this.attend());
    on(video, "leavepictureinpicture", () => this.attend());
    on(document, "visibilitychange", () => {
      this.attend();
      this.goodbye();
    });
    on(window, "pagehide", () => this.goodbye());
    on(window, "online", () => this.core?.online());
    const timer = window.setInterval(() => this.look(), LOOK_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  private look(): void {
    this.core?.observe();
  }

  /** Tells whether anybody can see or hear it. */
  private attend(): void {
    const { video } = this;
    const visible = document.visibilityState === "visible" || document.pictureInPictureElement !== null;
    this.core?.attend(visible, !video.muted && video.volume > 0);
  }

  private async fetchText(id: number, url: string, request: AbortController): Promise<void> {
    const answer = await (this.early.take(url) ?? this.ask(url, request, "m"));
    if (!answer.ok) return this.failed(id, undefined, answer.status);
    const text = await answer.text();
    if (url === this.options.url && LISTS_SUBTITLES.test(text)) this.manifest = { url: answer.url, text };
    const date = Date.parse(answer.headers.get("date") ?? "");
    if (!this.requests.delete(id)) return;
    if (answer.redirected) this.core?.redirected(id, answer.url);
    this.core?.text(id, text, date);
  }

  private async fetchMedia(
    id: number,
    url: string,
    sink: Sink,
    request: AbortController,
  ): Promise<void> {
    this.media.goOn();
    const body = sink.expect(id);
    const answer = await this.ask(url, request, sink === this.media.sink(0) ? "v" : "a");
    if (!answer.ok || !answer.body) return this.failed(id, sink, answer.status);
    const length = Number(answer.headers.get("content-length"));
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (!this.requests.has(id)) return void reader.cancel();
      if (done) break;
      sink.receive(body, value);
      this.core?.progress(id, body.bytes, length);
    }
    sink.finish(body);
  }

  /**
   * Asks for a URL, of which a fragment may say which bytes: `film.mp4#bytes=0-99`. The module goes on
   * naming what playlists listed under the token of before.
   */
  private async ask(url: string, { signal }: AbortController, kind: "m" | "v" | "a"): Promise<Response> {
    const [whole = "", bytes] = url.split("#bytes=");
    const current = this.options.renewal?.current(whole) ?? whole;
    const priority = kind === "m" ? "auto" : "high";
    const told = this.cmcd?.told(current, kind, this);
    const headers = { ...told?.init?.headers, ...(bytes && { range: `bytes=${bytes}` }) };
    const answer = await fetch(told?.url ?? current, { signal, priority, headers });
    if (bytes && answer.status === 200) this.fail("Its server does not send parts of files.");
    return answer;
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

  private keep(): void {
    const { core, session } = this;
    if (!core || !session) return;
    const viewed = this.snapshot?.startupMs != null;
    session.keep(this.options.id, { nextSeq: core.nextSeq(), viewed });
    session.unsent(this.options.id, core.unsent());
  }

  private goodbye(): void {
    if (document.visibilityState === "visible" && !this.ended.signal.aborted) return;
    const batch = this.core?.farewell();
    const throughput = this.snapshot?.throughput;
    if (throughput) remember("throughput", String(Math.round(throughput)));
    if (!batch) return;
    this.keep();
    hurry(batch);
  }

  private fail(why: string): void {
    if (this.broken) return;
    this.broken = why;
    this.report("error");
    this.changed();
  }
}
