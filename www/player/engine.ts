// The hands of the player: fetches, appends, seeks and posts as the Wasm module decides. Media
// bodies go from the network to the SourceBuffers and never through the module's memory.

import wasmUrl from "./pkg/weir_player_bg.wasm?url";
import dashUrl from "./pkg/weir_player_dash_bg.wasm?url";
import * as bridge from "./bridge";
import type { Cmcd, CmcdMode } from "./cmcd";
import { Early } from "./early";
import { lacks, Media } from "./media";
import { recall, remember } from "./memory";
import { type Core, type CoreClass, load as loadModule } from "./module";
import type { Manifest, Playback, Rendition, Snapshot, Sound } from "./playback";
import type { Reports } from "./reports";
import { Session } from "./session";
import type { Incoming, Sink } from "./sink";
import { renditionsOf, snapshotOf, soundsOf } from "./snapshot";
import type { Renew, Renewal } from "./token";

export interface EngineOptions {
  video: HTMLVideoElement;
  /** Multivariant playlist, absolute. */
  url: string;
  /** Video id for events. */
  id: string;
  /** Gives the URL under a new token, or is the address that does. */
  renew?: Renew | string | undefined;
  /** Has requests say how playback goes (CTA-5004), in the query or in headers. */
  cmcd?: CmcdMode | undefined;
  onChange: () => void;
}

/** A body that is text; lower ones are tracks, and a higher one is bytes. */
const TEXT = 2;
const LOOK_EVERY_MS = 250;
const WATCHED_EVENTS = ["playing", "pause", "waiting", "seeked", "ended", "timeupdate", "progress"];

/** An HLS rendition of subtitles, or a text AdaptationSet of DASH. */
const LISTS_SUBTITLES = /TYPE=SUBTITLES|text\/vtt/;

/** What a URL that leads to a DASH manifest mostly looks like. */
const MANIFEST = /\.mpd($|\?)/;

/** Each of the module's builds, once it was asked for. */
const builds = new Map<string, Promise<CoreClass>>();

const utf8 = new TextEncoder();
const NOTHING = new Uint8Array();

/** Loads the module; the first call begins, the others share it. */
export function load(url = wasmUrl): Promise<CoreClass> {
  let build = builds.get(url);
  if (!build) {
    build = loadModule(url);
    builds.set(url, build);
    build.catch(() => builds.delete(url));
  }
  return build;
}

export class Engine implements Playback {
  private readonly options: EngineOptions;
  private readonly video: HTMLVideoElement;
  private readonly media: Media;
  private core: Core | undefined;
  /** What the module answered last. */
  private answer = "";
  private session: Session | undefined;
  private reports: Promise<Reports> | undefined;
  /** `reports`, once that is there. */
  private reporter: Reports | undefined;
  /** Keeps the URLs' token good, if the page can give new ones. */
  private renewal: Renewal | undefined;
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
      head: (id, head) => this.tell(bridge.HEAD, [id], head) ?? true,
      completed: (body) => this.completed(body),
      full: (track) => this.tell(bridge.QUOTA_EXCEEDED, [track]),
      undecodable: (track) => {
        if (!this.tell(bridge.DECODE_FAILED, [track ?? -1])) this.fail("The browser could not decode this stream.");
      },
      unplayable: (why) => this.fail(why),
      streaming: (wanted) => this.tell(bridge.STREAMING, [+wanted]),
    });
    void this.start();
  }

  private async start(): Promise<void> {
    const { url, id, cmcd, renew } = this.options;
    try {
      const [session, Core, told] = await Promise.all([
        Session.open(),
        load(MANIFEST.test(url) ? dashUrl : wasmUrl),
        cmcd && import("./cmcd"),
      ]);
      this.session = session;
      this.cmcd = told && new told.Cmcd(cmcd as CmcdMode, session.id, id);
      if (this.ended.signal.aborted) return;
      this.begin(Core, session);
      this.watch();
      this.reports = this.loadReports(session);
      this.reports.catch(() => {});
      if (renew) void this.keepToken(renew).catch(() => {});
    } catch {
      this.fail("The player could not be loaded.");
    }
  }

  private async loadReports(session: Session): Promise<Reports> {
    const { url, id } = this.options;
    const { Reports } = await import("./reports");
    this.reporter = new Reports(session, id, () => this.renewal?.current(url) ?? url);
    return this.reporter;
  }

  private async keepToken(renew: Renew | string): Promise<void> {
    const { Renewal } = await import("./token");
    if (!this.ended.signal.aborted) this.renewal = new Renewal(this.options.url, renew);
  }

  private begin(Core: CoreClass, session: Session): void {
    const { url, id } = this.options;
    const { nextSeq, viewed } = session.progress(id);
    const throughput = Number(recall("throughput"));
    const config = utf8.encode([url, id, session.id, lacks()].join("\n"));
    this.core = new Core(this, performance, config, nextSeq, viewed, throughput);
    this.tell(bridge.BEGIN);
    this.attend();
  }

  /** The source turned out to be DASH, for which this module has no reader. */
  private async startOver(): Promise<void> {
    this.core?.free();
    this.core = undefined;
    try {
      const Core = await load(dashUrl);
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
    this.renewal?.stop();
    for (const request of this.requests.values()) request.abort();
    this.media.destroy();
    this.core?.free();
    this.core = undefined;
  }

  get snapshot(): Snapshot | undefined {
    return this.core && snapshotOf(this.core.snapshot());
  }

  get renditions(): Rendition[] {
    return renditionsOf(this.ask(bridge.RENDITIONS));
  }

  get sounds(): Sound[] {
    return soundsOf(this.ask(bridge.SOUNDS));
  }

  choose(index: number | null): void {
    this.tell(bridge.CHOSEN, [index ?? -1]);
  }

  chooseSound(index: number): void {
    this.tell(bridge.SOUND_CHOSEN, [index]);
  }

  setSpeed(speed: number): void {
    this.speed = speed;
    this.video.playbackRate = speed * this.catchUp;
  }

  seekWished(seconds: number): void {
    this.tell(bridge.SEEK, [seconds]);
  }

  goLive(): void {
    this.tell(bridge.GO_LIVE);
  }

  pauseWished(): void {
    this.tell(bridge.PAUSED);
  }

  /** Reports what the viewer did, in a word of the events API. */
  report(word: string, value?: number): void {
    this.tell(bridge.REPORTED, value === undefined ? [] : [value], utf8.encode(word));
    this.keep();
  }

  private tell(what: number, numbers: number[] = [], bytes: Uint8Array = NOTHING): boolean | undefined {
    return this.core?.tell(what, numbers, bytes);
  }

  private ask(what: number): string {
    this.answer = "";
    this.tell(what);
    return this.answer;
  }

  /** All that the module has done (`Shim` in `web.rs`), which must not be called back from within. */
  act(what: number, id: number, first: number, second: number, text: string): void {
    const { media } = this;
    switch (what) {
      case bridge.DO_OPEN:
        return media.open(text.split("\n"));
      case bridge.DO_FETCH:
        return this.fetch(id, text, first);
      case bridge.DO_ABORT:
        return this.abort(id);
      case bridge.DO_RELEASE:
        return media.release(id);
      case bridge.DO_TYPE:
        return media.sink(id)?.changeType(text);
      case bridge.DO_OFFSET:
        return media.sink(id)?.offset(first);
      case bridge.DO_REMOVE:
        return media.sink(id)?.remove(first, second);
      case bridge.DO_DURATION:
        return media.duration(first);
      case bridge.DO_END_OF_STREAM:
        return media.endOfStream();
      case bridge.DO_SEEK:
        return media.seek(first);
      case bridge.DO_RATE:
        this.catchUp = first;
        return this.setSpeed(this.speed);
      case bridge.DO_POST:
        return this.post(text);
      case bridge.DO_CHANGED:
        return this.changed();
      case bridge.DO_SLEEP:
        clearTimeout(this.sleeping);
        this.sleeping = window.setTimeout(() => this.tell(bridge.WAKE), first);
        return;
      case bridge.DO_ANSWER:
        this.answer = text;
    }
  }

  private fetch(id: number, url: string, body: number): void {
    const request = new AbortController();
    this.requests.set(id, request);
    const sink = this.media.sink(body);
    const work = sink ? this.fetchMedia(id, url, sink, request) : this.fetchWhole(id, url, body === TEXT, request);
    work.catch(() => this.failed(id, sink, 0));
  }

  private abort(id: number): void {
    this.requests.get(id)?.abort();
    this.requests.delete(id);
    this.media.drop(id);
  }

  private post(batch: string): void {
    queueMicrotask(() => this.keep());
    void this.reported(batch).then((seqs) => {
      if (!seqs) return void this.tell(bridge.UNANSWERED);
      this.tell(bridge.ANSWERED, seqs);
      this.keep();
    });
  }

  private async reported(batch: string): Promise<number[] | undefined> {
    return (await this.reports?.catch(() => undefined))?.post(batch);
  }

  private changed(): void {
    if (this.told) return;
    this.told = true;
    queueMicrotask(() => {
      this.told = false;
      const refused = this.ask(bridge.REFUSED);
      if (refused === "DASH") return void this.startOver();
      if (refused && !this.broken) return this.fail(`This player does not play ${refused}.`);
      this.options.onChange();
    });
  }

  private watch(): void {
    const { video } = this;
    const { signal } = this.ended;
    const on = (target: EventTarget, event: string, act: () => void) =>
      target.addEventListener(event, act, { signal });
    for (const event of WATCHED_EVENTS) on(video, event, () => this.look());
    const rendered = () => {
      this.tell(bridge.RENDERED);
      void this.reports?.then(async (reports) => (await reports.begin()) && this.keep(), () => {});
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
    on(window, "online", () => this.tell(bridge.ONLINE));
    const timer = window.setInterval(() => this.look(), LOOK_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  private look(): void {
    const { currentTime, playbackRate, readyState, paused, seeking, ended, buffered } = this.video;
    const seen = [currentTime, playbackRate, readyState, +paused, +seeking, +ended];
    for (let i = 0; i < buffered.length; i += 1) seen.push(buffered.start(i), buffered.end(i));
    this.tell(bridge.OBSERVED, seen);
  }

  /** Tells whether anybody can see or hear it. */
  private attend(): void {
    const { video } = this;
    const visible = document.visibilityState === "visible" || document.pictureInPictureElement !== null;
    this.tell(bridge.ATTENDED, [+visible, +(!video.muted && video.volume > 0)]);
  }

  /** Fetches text, or bytes, that the module reads. */
  private async fetchWhole(id: number, url: string, isText: boolean, request: AbortController): Promise<void> {
    const answer = await (this.early.take(url) ?? this.request(url, request, "m"));
    if (!answer.ok) return this.failed(id, undefined, answer.status);
    const bytes = isText ? await this.read(url, answer) : new Uint8Array(await answer.arrayBuffer());
    if (!this.requests.delete(id)) return;
    if (!isText) return void this.tell(bridge.BYTES, [id], bytes);
    if (answer.redirected) this.tell(bridge.REDIRECTED, [id], utf8.encode(answer.url));
    this.tell(bridge.TEXT, [id, Date.parse(answer.headers.get("date") ?? "")], bytes);
  }

  private async read(url: string, answer: Response): Promise<Uint8Array> {
    const text = await answer.text();
    if (url === this.options.url && LISTS_SUBTITLES.test(text)) this.manifest = { url: answer.url, text };
    return utf8.encode(text);
  }

  private async fetchMedia(
    id: number,
    url: string,
    sink: Sink,
    request: AbortController,
  ): Promise<void> {
    this.media.goOn();
    const body = sink.expect(id);
    const answer = await this.request(url, request, sink === this.media.sink(0) ? "v" : "a");
    if (!answer.ok || !answer.body) return this.failed(id, sink, answer.status);
    const length = Number(answer.headers.get("content-length"));
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (!this.requests.has(id)) return void reader.cancel();
      if (done) break;
      sink.receive(body, value);
      this.tell(bridge.PROGRESS, [id, body.bytes, length]);
    }
    sink.finish(body);
  }

  /**
   * Asks for a URL, of which a fragment may say which bytes: `film.mp4#bytes=0-99`. The module goes on
   * naming what playlists listed under the token of before.
   */
  private async request(url: string, { signal }: AbortController, kind: "m" | "v" | "a"): Promise<Response> {
    const [whole = "", bytes] = url.split("#bytes=");
    const current = this.renewal?.current(whole) ?? whole;
    const priority = kind === "m" ? "auto" : "high";
    const told = this.cmcd?.told(current, kind, this);
    const headers = { ...told?.init?.headers, ...(bytes && { range: `bytes=${bytes}` }) };
    const answer = await fetch(told?.url ?? current, { signal, priority, headers });
    if (bytes && answer.status === 200) this.fail("Its server does not send parts of files.");
    return answer;
  }

  private completed(body: Incoming): void {
    if (!this.requests.delete(body.id)) return;
    this.tell(bridge.COMPLETED, [body.id, body.bytes, body.firstBytes, body.lastAt - body.firstAt]);
  }

  private failed(id: number, sink: Sink | undefined, status: number): void {
    if (!this.requests.delete(id)) return;
    sink?.drop(id);
    if (status === 403) void this.renewal?.now();
    this.tell(bridge.FAILED, [id, status]);
  }

  private keep(): void {
    const { core, session } = this;
    if (!core || !session) return;
    const viewed = this.snapshot?.startupMs != null;
    session.keep(this.options.id, { nextSeq: core.snapshot().at(-1) ?? 1, viewed });
    this.reporter?.keep(this.ask(bridge.UNSENT));
  }

  private goodbye(): void {
    if (document.visibilityState === "visible" && !this.ended.signal.aborted) return;
    const batch = this.ask(bridge.FAREWELL);
    const throughput = this.snapshot?.throughput;
    if (throughput) remember("throughput", String(Math.round(throughput)));
    if (!batch) return;
    this.keep();
    this.reporter?.hurry(batch);
  }

  private fail(why: string): void {
    if (this.broken) return;
    this.broken = why;
    this.report("error");
    this.changed();
  }
}
