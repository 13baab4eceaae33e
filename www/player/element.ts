// <weir-player src="…">: its attributes, what a script can ask of it and what it tells. What a viewer
// sees and touches is in `controls/`, which is loaded beside the first pictures.

import type { Captions } from "./captions/captions";
import type { CmcdMode } from "./cmcd";
import type { Controls } from "./controls/controls";
import { Engine, load } from "./engine";
import { recall, remember } from "./memory";
import type { Playback, Rendition, Snapshot, Sound } from "./playback";
import { type PlayerStats, statsOf } from "./stats";
import type { Renew } from "./token";

/** Events of the element beside those that bubble from what is in it. */
export interface WeirPlayerEventMap {
  "weir-phase": CustomEvent<{ phase: Snapshot["phase"] }>;
  "weir-rendition": CustomEvent<{ rendition: string | null }>;
  "weir-error": CustomEvent<{ message: string }>;
}

/** How long the controls leave the link to what plays, unless somebody reaches for them. */
const CONTROLS_AFTER_MS = 1000;
/** First time to the next attempt, doubled by each until the longest. */
const RETRY_MS = 5000;
const LONGEST_RETRY_MS = 40_000;
const NOTICE_MS = 8000;
const SHOW_EVERY_MS = 250;
/** A viewer who is faster than the stream is live when this close to its end. */
const CAUGHT_UP_S = 3;
/** A live window that is shorter still holds everything. */
const REWINDABLE_S = 30;
const LIVE_PLAYLIST = /\/index\.m3u8(?=$|\?)/;
const CAPTION_TRACKS = "track[src]:not([kind=metadata], [kind=chapters], [kind=descriptions])";

const styles = new CSSStyleSheet();
styles.replaceSync(`
:host { display: block; position: relative; aspect-ratio: 16 / 9; overflow: hidden; background: #000; contain: layout paint; }
:host([hidden]) { display: none; }
:host(:fullscreen) { aspect-ratio: auto; width: 100%; height: 100%; border-radius: 0 !important; }
video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }`);

export class WeirPlayer extends HTMLElement {
  static readonly observedAttributes = ["src", "real-time", "poster"];

  readonly video: HTMLVideoElement;
  /** Gives `src` under a new playback token; goes before the attribute `token-url`. */
  renew: Renew | undefined;
  /** Captions, once some were found and what shows them is loaded. */
  captions: Captions | undefined;
  /** When what failed is tried again, by `performance.now()`. */
  retryAt: number | undefined;
  /** Whether the browser let it begin only without sound. */
  begunMuted = false;
  /** Something a viewer should know, for a while. */
  notice = "";
  private readonly root: ShadowRoot;
  private playback: Playback | undefined;
  private controls: Controls | undefined;
  private loadingControls: Promise<void> | undefined;
  private gone = new AbortController();
  private opened = 0;
  private failures = 0;
  private retryTimer = 0;
  private noticeTimer = 0;
  private phase: Snapshot["phase"] | undefined;
  private rendition: string | null = null;
  private wishedSpeed = 1;
  private lookedForCaptions = false;
  private preferredSound = false;
  /** Whether the playlist of all that was broadcast plays, in place of the live one. */
  private rewound = false;
  /** Unix ms of where to begin in it. */
  private rewindTo: number | undefined;

  constructor() {
    super();
    const internals = this.attachInternals();
    internals.role = "region";
    internals.ariaLabel = "Video player";
    this.root = this.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = [styles];
    this.video = document.createElement("video");
    this.video.setAttribute("part", "video");
    this.video.playsInline = true;
    this.root.append(this.video);
  }

  connectedCallback(): void {
    this.gone = new AbortController();
    const { signal } = this.gone;
    const kept = Number(recall("volume") ?? 1);
    this.video.volume = kept >= 0 && kept <= 1 ? kept : 1;
    this.video.muted = this.hasAttribute("muted") || recall("muted") === "1";
    this.open();
    this.awaitControls(signal);
    const timer = window.setInterval(() => this.show(), SHOW_EVERY_MS);
    const tracks = new MutationObserver(() => (this.lookedForCaptions = false));
    tracks.observe(this, { childList: true });
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      tracks.disconnect();
    });
  }

  disconnectedCallback(): void {
    this.gone.abort();
    this.opened += 1;
    clearTimeout(this.retryTimer);
    clearTimeout(this.noticeTimer);
    this.close();
  }

  attributeChangedCallback(name: string): void {
    if (name === "poster") this.video.poster = this.getAttribute("poster") ?? "";
    else if (this.isConnected && this.opened > 0) this.openLive();
  }

  /** Measurements of the playback so far. */
  stats(): PlayerStats {
    return statsOf(this.state, this.renditions, this.video);
  }

  /** All that is known of the playback; for controls. */
  get state(): Snapshot | undefined {
    return this.playback?.snapshot;
  }

  /** Why nothing can be played, in words. */
  get broken(): string | undefined {
    return this.playback?.broken;
  }

  /** Reports what the viewer did (`like`, `share`, …) with the session of this player. */
  report(event: string, value?: number): void {
    this.playback?.report(event, value);
  }

  /** How far the playhead is behind the encoder, while live. */
  get latencyMs(): number | null {
    return this.state?.latencyMs ?? null;
  }

  get renditions(): Rendition[] {
    return this.playback?.renditions ?? [];
  }

  get sounds(): Sound[] {
    return this.playback?.sounds ?? [];
  }

  /** Whether it plays, or is to play, with the delay of a call. */
  get realTime(): boolean {
    return this.hasAttribute("real-time");
  }

  set realTime(on: boolean) {
    this.toggleAttribute("real-time", on);
  }

  /** The viewer's speed, from 0.25 to 4. At the live edge the stream sets the pace. */
  get speed(): number {
    return this.wishedSpeed;
  }

  set speed(speed: number) {
    this.wishedSpeed = Math.min(4, Math.max(0.25, speed || 1));
    this.applySpeed();
    this.show();
  }

  /** Plays the rendition of this name, or lets the player choose. */
  chooseRendition(name: string | null): void {
    const index = this.renditions.findIndex((rendition) => rendition.name === name);
    this.playback?.choose(index < 0 ? null : index);
    this.show();
  }

  /** Plays this one of `sounds`, and prefers its language from now on. */
  chooseSound(index: number): void {
    this.playback?.chooseSound(index);
    remember("sound", this.sounds[index]?.language ?? "");
    this.show();
  }

  play(): void {
    if (this.state?.phase === "ended") return this.open(true);
    void this.video.play().catch(() => {});
  }

  pause(): void {
    this.video.pause();
    this.playback?.pauseWished();
  }

  togglePlay(): void {
    if (this.video.paused || this.state?.phase === "ended") this.play();
    else this.pause();
  }

  toggleMute(): void {
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 0.5;
    remember("muted", this.video.muted ? "1" : "0");
  }

  /** Sets the volume, from 0 to 1. */
  setVolume(volume: number): void {
    this.video.volume = Math.min(1, Math.max(0, volume));
    this.video.muted = this.video.volume === 0;
    remember("volume", String(this.video.volume));
    remember("muted", this.video.muted ? "1" : "0");
  }

  toggleFullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (this.requestFullscreen) void this.requestFullscreen().catch(() => {});
    // All that an iPhone has.
    else (this.video as { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
  }

  togglePictureInPicture(): void {
    if (document.pictureInPictureElement) void document.exitPictureInPicture();
    else void this.video.requestPictureInPicture?.().catch(() => {});
  }

  /**
   * Seeks to a place of the window, in seconds of `video.currentTime`. What lies before the live
   * window is fetched if the server keeps it.
   */
  seekTo(seconds: number): void {
    const { windowStart, originMs } = this.state ?? {};
    const before = windowStart != null && seconds < windowStart;
    if (before && originMs != null && this.canRewind) this.rewind(originMs + seconds * 1000);
    else this.playback?.seekWished(seconds);
  }

  /** Seeks on or back; beyond the end of what is live lies the live edge. */
  seekBy(seconds: number): void {
    this.seekTo(this.video.currentTime + seconds);
  }

  /** Seeks to a share of the window, from 0 to 1. */
  seekToShare(share: number): void {
    const { windowStart, windowEnd } = this.state ?? {};
    if (windowStart == null || windowEnd == null) return;
    this.seekTo(windowStart + share * (windowEnd - windowStart));
  }

  goLive(): void {
    if (this.rewound) return this.openLive(true);
    this.playback?.goLive();
    void this.video.play().catch(() => {});
  }

  /** Whether there is more of this live video than its playlist lists: an origin of ours keeps it. */
  get canRewind(): boolean {
    const { live, windowStart, windowEnd } = this.state ?? {};
    if (!live || this.realTime || this.rewound || !this.hasAttribute("video")) return false;
    const kept = (windowEnd ?? 0) - (windowStart ?? 0);
    return kept > REWINDABLE_S && LIVE_PLAYLIST.test(this.getAttribute("src") ?? "");
  }

  /** Goes back to a date (Unix ms) of a live video, or to its beginning. */
  rewind(dateMs = 0): void {
    if (!this.canRewind) return;
    this.rewound = true;
    this.rewindTo = dateMs;
    this.open();
  }

  /** Opens the source again at once, when it is waited for. */
  retry(): void {
    this.open();
  }

  private openLive(plays = false): void {
    this.rewound = false;
    this.open(plays);
  }

  /** (Re)opens the source from the beginning. */
  private open(plays = false): void {
    clearTimeout(this.retryTimer);
    this.retryAt = undefined;
    const goesOn = plays || (this.opened > 0 && !this.video.paused);
    this.close();
    this.opened += 1;
    const src = this.getAttribute("src");
    if (!src) return;
    const url = new URL(src, document.baseURI);
    if (this.rewound) url.pathname = url.pathname.replace(LIVE_PLAYLIST, "/dvr.m3u8");
    if (this.realTime) void this.openRealTime(url, this.opened);
    else this.begin(this.segments(url));
    if (goesOn || this.hasAttribute("autoplay")) void this.autoplay();
  }

  private segments(url: URL): Playback {
    return new Engine({
      video: this.video,
      url: url.href,
      id: this.getAttribute("video") ?? "",
      renew: this.renew ?? this.getAttribute("token-url") ?? undefined,
      cmcd: cmcdMode(this.getAttribute("cmcd")),
      onChange: () => this.changed(),
    });
  }

  private async openRealTime(url: URL, turn: number): Promise<void> {
    const loaded = await import("./realtime").catch(() => undefined);
    if (turn !== this.opened) return;
    if (!loaded) return this.leaveRealTime("Real time could not be loaded.");
    const playback = new loaded.RealTime({
      video: this.video,
      url: new URL("whep", url).href,
      id: this.getAttribute("video") ?? "",
      onChange: () => this.changed(),
      onLost: (why) => this.leaveRealTime(why),
    });
    this.begin(playback);
  }

  private begin(playback: Playback): void {
    this.playback = playback;
    this.lookedForCaptions = false;
    this.preferredSound = false;
    this.applySpeed();
  }

  private close(): void {
    this.playback?.destroy();
    this.playback = undefined;
    this.captions?.close();
    this.captions = undefined;
  }

  /** What can't be had at once comes in segments, a little later. */
  private leaveRealTime(why: string): void {
    this.notice = `${why} Playing a few seconds behind.`;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = window.setTimeout(() => (this.notice = ""), NOTICE_MS);
    this.realTime = false;
  }

  /** Browsers that let nothing begin with sound let it begin muted. */
  private async autoplay(): Promise<void> {
    try {
      await this.video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      this.video.muted = true;
      this.begunMuted = true;
      await this.video.play().catch(() => {});
    }
  }

  private applySpeed(): void {
    const now = this.state;
    const atEdge = now?.live && (now.following || this.realTime);
    this.playback?.setSpeed(atEdge ? 1 : this.wishedSpeed);
  }

  private changed(): void {
    const now = this.state;
    const phase = this.broken ? "unplayable" : now?.phase;
    if (phase && phase !== this.phase) {
      this.phase = phase;
      this.tell("weir-phase", { phase });
      if (phase === "unplayable") this.tell("weir-error", { message: this.broken ?? "unplayable" });
      if (phase === "ready") this.failures = 0;
    }
    const { rendition } = this.stats();
    if (rendition !== this.rendition) {
      this.rendition = rendition;
      this.tell("weir-rendition", { rendition });
    }
    if (this.broken && this.retryAt === undefined) this.retryLater();
    if (!this.preferredSound && this.sounds.length > 0) this.preferSound();
    this.applySpeed();
    this.show();
  }

  private tell<K extends keyof WeirPlayerEventMap>(type: K, detail: WeirPlayerEventMap[K]["detail"]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  private retryLater(): void {
    const wait = Math.min(RETRY_MS * 2 ** this.failures, LONGEST_RETRY_MS);
    this.failures += 1;
    this.retryAt = performance.now() + wait;
    this.retryTimer = window.setTimeout(() => this.open(), wait);
  }

  private show(): void {
    const now = this.state;
    if (now?.live && !now.following && this.wishedSpeed > 1 && !this.video.paused) {
      if ((now.windowEnd ?? Infinity) - this.video.currentTime < CAUGHT_UP_S) this.playback?.goLive();
    }
    if (this.rewound && now) this.rewindOn(now);
    if (!this.lookedForCaptions && now?.startupMs != null) this.findCaptions();
    this.controls?.show();
  }

  /** Goes to where the viewer wanted to, once that is known; from its end it goes on live. */
  private rewindOn(now: Snapshot): void {
    const { rewindTo } = this;
    if (now.windowEnd === null) return;
    this.rewindTo = undefined;
    if (rewindTo === undefined) return now.following ? this.goLive() : undefined;
    this.playback?.seekWished(Math.max(now.windowStart ?? 0, (rewindTo - (now.originMs ?? 0)) / 1000));
  }

  /** Takes the language that the viewer chose before, if it is there. */
  private preferSound(): void {
    this.preferredSound = true;
    const language = recall("sound");
    const index = this.sounds.findIndex((sound) => language && sound.language === language);
    if (index >= 0 && index !== this.state?.sound) this.playback?.chooseSound(index);
  }

  /** Loads what shows captions only where there are any. */
  private findCaptions(): void {
    this.lookedForCaptions = true;
    const { playback } = this;
    const tracks = Array.from(this.querySelectorAll<HTMLTrackElement>(CAPTION_TRACKS));
    if (!playback || (tracks.length === 0 && !playback.manifest)) return;
    void import("./captions/captions").then(({ Captions }) => {
      if (playback !== this.playback) return;
      this.captions?.close();
      this.captions = new Captions(this.video, playback, tracks);
      this.show();
    });
  }

  /** Loads the controls once there are pictures, or whoever watches wants to do something. */
  private awaitControls(signal: AbortSignal): void {
    if (this.getAttribute("controls") === "none") return;
    if (this.controls) return this.controls.connect(signal);
    const now = () => (this.loadingControls ??= this.loadControls());
    if (!this.hasAttribute("autoplay")) return void now();
    this.video.addEventListener("loadeddata", now, { signal });
    for (const event of ["pointerover", "pointerdown", "keydown", "focusin"]) {
      addEventListener(event, now, { signal, once: true });
    }
    setTimeout(now, CONTROLS_AFTER_MS);
  }

  private async loadControls(): Promise<void> {
    try {
      const { Controls } = await import("./controls/controls");
      this.controls = new Controls(this, this.root);
      if (this.isConnected) this.controls.connect(this.gone.signal);
    } catch {
      this.video.controls = true;
    }
  }
}

function cmcdMode(attribute: string | null): CmcdMode | undefined {
  return attribute === "query" || attribute === "headers" ? attribute : undefined;
}

/** Begins to load the module before an element needs it. */
export function preload(): void {
  void load().catch(() => {});
}

customElements.define("weir-player", WeirPlayer);

declare global {
  interface HTMLElementTagNameMap {
    "weir-player": WeirPlayer;
  }
}
