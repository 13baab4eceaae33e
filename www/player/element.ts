// <weir-player src="/v/ID/index.m3u8" video="ID" autoplay real-time token-url="/renew">: what a viewer
// sees and touches.

import { Engine, load } from "./engine";
import { setIcon } from "./icons";
import { Keys } from "./keys";
import { type Choice, Menu } from "./menu";
import { messageFor } from "./messages";
import type { Playback, Rendition, Snapshot } from "./playback";
import { RealTime } from "./realtime";
import { styles } from "./styles";
import { fetched, Renewal, type Renew } from "./token";

/** What `stats()` answers. Times in ms where the name says so. */
export interface PlayerStats {
  startupMs: number | null;
  playedSeconds: number;
  stalls: number;
  stallMs: number;
  latencyMs: number | null;
  bufferSeconds: number;
  rendition: string | null;
  droppedFrames: number;
  bytes: number;
  /** Unix ms of the frame at the playhead. */
  playheadPdtMs: number | null;
}

const IDLE_MS = 2600;
const RETRY_MS = 5000;
const NOTICE_MS = 8000;
const VOLUME = "weir.volume";

const template = document.createElement("template");
template.innerHTML = `
<video part="video" playsinline></video>
<div class="centre">
  <button class="big" aria-label="Play"></button>
  <div class="spinner" role="progressbar" aria-label="Loading" hidden></div>
  <div class="message" role="status" hidden><h2></h2><p></p><button hidden></button></div>
</div>
<button class="unmute" hidden></button>
<div class="notice" role="status" hidden></div>
<div class="readout" aria-hidden="true" hidden><span>Latency <b class="latency"></b></span><span>Buffer <b class="buffer"></b></span></div>
<div class="chrome">
  <input class="seek" type="range" step="0.1" aria-label="Seek">
  <div class="row">
    <button class="toggle"></button>
    <button class="mute"></button>
    <input class="volume" type="range" min="0" max="1" step="0.01" aria-label="Volume">
    <button class="live" hidden>LIVE</button>
    <span class="time"><span class="at"></span><span class="of"></span></span>
    <span class="grow"></span>
    <button class="quality" aria-haspopup="menu" aria-expanded="false" aria-controls="menu"></button>
    <button class="full"></button>
  </div>
</div>
<div class="menu" id="menu" role="menu" aria-label="Quality" hidden></div>`;

export class WeirPlayer extends HTMLElement {
  static readonly observedAttributes = ["src", "real-time"];

  readonly video: HTMLVideoElement;
  /** Gives `src` under a new playback token; goes before the attribute `token-url`. */
  renew: Renew | undefined;
  private playback: Playback | undefined;
  private readonly find: <T extends HTMLElement>(selector: string) => T;
  private readonly keys: Keys;
  private readonly menu: Menu;
  private gone = new AbortController();
  private idleTimer = 0;
  private retryTimer = 0;
  private noticeTimer = 0;
  private phase: Snapshot["phase"] | undefined;
  private rendition: string | null = null;
  private seeking = false;
  private lastTap = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styles];
    root.append(template.content.cloneNode(true));
    this.find = <T extends HTMLElement>(selector: string) => root.querySelector(selector) as T;
    this.video = this.find("video");
    this.keys = new Keys(this);
    this.menu = new Menu(this.find(".menu"), this.find(".quality"), () => this.choices());
  }

  connectedCallback(): void {
    this.gone = new AbortController();
    const kept = Number(localStorage.getItem(VOLUME) ?? 1);
    this.video.volume = kept >= 0 && kept <= 1 ? kept : 1;
    this.video.muted = this.hasAttribute("muted");
    this.wire();
    this.keys.listen(this.gone.signal);
    this.open();
    const timer = window.setInterval(() => this.show(), 250);
    this.gone.signal.addEventListener("abort", () => clearInterval(timer));
  }

  disconnectedCallback(): void {
    this.gone.abort();
    clearTimeout(this.retryTimer);
    clearTimeout(this.noticeTimer);
    this.playback?.destroy();
    this.playback = undefined;
  }

  attributeChangedCallback(): void {
    if (this.isConnected && this.playback) this.open();
  }

  /** Measurements of the playback so far. */
  stats(): PlayerStats {
    const now = this.playback?.snapshot;
    return {
      startupMs: now?.startupMs ?? null,
      playedSeconds: now?.playedSeconds ?? 0,
      stalls: now?.stalls ?? 0,
      stallMs: now?.stallMs ?? 0,
      latencyMs: now?.latencyMs ?? null,
      bufferSeconds: now?.bufferSeconds ?? 0,
      rendition: this.playback?.renditions[now?.active ?? 0]?.name ?? null,
      droppedFrames: this.video.getVideoPlaybackQuality().droppedVideoFrames,
      bytes: now?.bytes ?? 0,
      playheadPdtMs: now?.playheadPdtMs ?? null,
    };
  }

  /** Reports what the viewer did (`like`, `share`, …) with the session of this player. */
  report(event: string, value?: number): void {
    this.playback?.report(event, value);
  }

  /** How far the playhead is behind the encoder, while live. */
  get latencyMs(): number | null {
    return this.stats().latencyMs;
  }

  get renditions(): Rendition[] {
    return this.playback?.renditions ?? [];
  }

  /** Whether it plays, or is to play, with the delay of a call. */
  get realTime(): boolean {
    return this.hasAttribute("real-time");
  }

  set realTime(on: boolean) {
    this.toggleAttribute("real-time", on);
  }

  /** Plays the rendition of this name, or lets the player choose. */
  chooseRendition(name: string | null): void {
    const index = this.renditions.findIndex((rendition) => rendition.name === name);
    this.playback?.choose(index < 0 ? null : index);
    this.show();
  }

  togglePlay(): void {
    if (this.playback?.snapshot?.phase === "ended") return this.open();
    if (this.video.paused) void this.video.play().catch(() => {});
    else this.pause();
  }

  toggleMute(): void {
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 0.5;
  }

  setVolume(volume: number): void {
    this.video.volume = Math.min(1, Math.max(0, volume));
    this.video.muted = this.video.volume === 0;
    localStorage.setItem(VOLUME, String(this.video.volume));
  }

  toggleFullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void this.requestFullscreen?.().catch(() => {});
  }

  seekBy(seconds: number): void {
    this.playback?.seekWished(this.video.currentTime + seconds);
  }

  /** Seeks to a share of the window, from 0 to 1. */
  seekToShare(share: number): void {
    const { windowStart, windowEnd } = this.playback?.snapshot ?? {};
    if (windowStart == null || windowEnd == null) return;
    this.playback?.seekWished(windowStart + share * (windowEnd - windowStart));
  }

  goLive(): void {
    this.playback?.goLive();
    void this.video.play().catch(() => {});
  }

  private pause(): void {
    this.video.pause();
    this.playback?.pauseWished();
  }

  /** (Re)opens the source from the beginning. */
  private open(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = 0;
    const played = this.playback !== undefined && !this.video.paused;
    this.playback?.destroy();
    this.playback = undefined;
    const src = this.getAttribute("src");
    if (!src) return;
    const { video } = this;
    const url = new URL(src, document.baseURI);
    const id = this.getAttribute("video") ?? "";
    const onChange = () => this.changed();
    if (this.realTime) {
      url.pathname = new URL("whep", url).pathname;
      const onLost = (why: string) => this.leaveRealTime(why);
      this.playback = new RealTime({ video, url: url.href, id, onChange, onLost });
    } else {
      const tokenUrl = this.getAttribute("token-url");
      const renew = this.renew ?? (tokenUrl === null ? undefined : fetched(tokenUrl));
      const renewal = renew && new Renewal(url.href, renew);
      this.playback = new Engine({ video, url: url.href, id, renewal, onChange });
    }
    if (played || this.hasAttribute("autoplay")) void this.autoplay();
  }

  /** What can't be had at once comes in segments, a little later. */
  private leaveRealTime(why: string): void {
    const notice = this.find(".notice");
    setText(notice, `${why} Playing a few seconds behind.`);
    notice.hidden = false;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = window.setTimeout(() => (notice.hidden = true), NOTICE_MS);
    this.realTime = false;
  }

  /** Browsers that let nothing begin with sound let it begin muted. */
  private async autoplay(): Promise<void> {
    try {
      await this.video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      this.video.muted = true;
      this.find(".unmute").hidden = false;
      await this.video.play().catch(() => {});
    }
  }

  private wire(): void {
    const { signal } = this.gone;
    const on = (selector: string, event: string, act: (event: Event) => void) =>
      this.find(selector).addEventListener(event, act, { signal });
    on(".big", "click", () => this.togglePlay());
    on(".toggle", "click", () => this.togglePlay());
    on(".mute", "click", () => this.toggleMute());
    on(".full", "click", () => this.toggleFullscreen());
    on(".live", "click", () => this.goLive());
    on(".unmute", "click", () => this.toggleMute());
    on(".quality", "click", () => this.menu.toggle());
    on(".message button", "click", () => this.open());
    const volume = this.find<HTMLInputElement>(".volume");
    on(".volume", "input", () => this.setVolume(volume.valueAsNumber));
    const seek = this.find<HTMLInputElement>(".seek");
    on(".seek", "input", () => {
      this.seeking = true;
      this.show();
    });
    on(".seek", "change", () => {
      this.seeking = false;
      this.playback?.seekWished(seek.valueAsNumber);
    });
    on("video", "click", (event) => this.tapped(event as PointerEvent));
    on(".menu", "keydown", (event) => this.menu.press(event as KeyboardEvent));
    for (const event of ["play", "pause", "volumechange", "ended"]) on("video", event, () => this.show());
    for (const event of ["pointermove", "pointerdown", "keydown", "focusin"]) {
      this.addEventListener(event, () => this.awake(), { signal });
    }
    document.addEventListener("fullscreenchange", () => this.show(), { signal });
    setIcon(this.find(".big"), "play");
    this.awake();
  }

  /** A mouse click plays or pauses; a tap shows the controls, a double tap at a side seeks. */
  private tapped(event: PointerEvent): void {
    if (this.menu.open) return this.menu.toggle();
    if (event.pointerType !== "touch") return this.togglePlay();
    const twice = event.timeStamp - this.lastTap < 300;
    this.lastTap = event.timeStamp;
    const across = event.offsetX / this.clientWidth;
    if (twice && across < 0.35) this.seekBy(-10);
    else if (twice && across > 0.65) this.seekBy(10);
  }

  /** Shows the controls, and hides them again when nothing happens while it plays. */
  private awake(): void {
    this.classList.remove("idle");
    clearTimeout(this.idleTimer);
    this.idleTimer = window.setTimeout(() => {
      const busy = this.video.paused || this.seeking || this.menu.open;
      const focused = this.shadowRoot?.activeElement?.matches(":focus-visible");
      if (!busy && !focused) this.classList.add("idle");
    }, IDLE_MS);
  }

  private changed(): void {
    this.show();
    const phase = this.playback?.broken ? "unplayable" : this.playback?.snapshot?.phase;
    if (phase && phase !== this.phase) {
      this.phase = phase;
      this.dispatchEvent(new CustomEvent("weir-phase", { detail: { phase } }));
      if (phase === "unplayable") {
        const detail = { message: this.playback?.broken ?? "unplayable" };
        this.dispatchEvent(new CustomEvent("weir-error", { detail }));
      }
    }
    const { rendition } = this.stats();
    if (rendition !== this.rendition) {
      this.rendition = rendition;
      this.dispatchEvent(new CustomEvent("weir-rendition", { detail: { rendition } }));
    }
    if (this.playback?.broken && !this.retryTimer) {
      this.retryTimer = window.setTimeout(() => {
        this.retryTimer = 0;
        this.open();
      }, RETRY_MS);
    }
  }

  private show(): void {
    const now = this.playback?.snapshot;
    const { video } = this;
    const ended = now?.phase === "ended";
    const toggle = this.find(".toggle");
    setIcon(toggle, ended ? "again" : video.paused ? "play" : "pause");
    toggle.ariaLabel = ended ? "Play again" : video.paused ? "Play (k)" : "Pause (k)";
    const mute = this.find(".mute");
    setIcon(mute, video.muted ? "muted" : "sound");
    mute.ariaLabel = video.muted ? "Unmute (m)" : "Mute (m)";
    const unmute = this.find(".unmute");
    if (!video.muted) unmute.hidden = true;
    else if (!unmute.hidden && !unmute.dataset["icon"]) {
      setIcon(unmute, "muted");
      unmute.append("Unmute");
    }
    slide(this.find(".volume"), video.muted ? 0 : video.volume);
    const full = this.find(".full");
    setIcon(full, document.fullscreenElement === this ? "shrink" : "expand");
    full.ariaLabel = document.fullscreenElement === this ? "Leave fullscreen (f)" : "Fullscreen (f)";

    const message = messageFor(now, this.playback?.broken);
    const loading = !message && !!now && (now.phase === "loading" || now.stalled) && !video.paused;
    this.find(".spinner").hidden = !loading;
    this.find(".big").hidden = !!message || loading || !video.paused;
    this.showMessage(message);
    this.showTime(now);
    this.showQuality(now);
  }

  private showMessage(message: ReturnType<typeof messageFor>): void {
    const box = this.find(".message");
    box.hidden = !message;
    if (!message) return;
    setText(this.find(".message h2"), message.title);
    setText(this.find(".message p"), message.text);
    const button = this.find(".message button");
    button.hidden = !message.action;
    setText(button, message.action ?? "");
  }

  private showTime(now: Snapshot | undefined): void {
    const seek = this.find<HTMLInputElement>(".seek");
    const live = this.find(".live");
    const start = now?.windowStart ?? 0;
    const end = now?.windowEnd ?? 0;
    live.hidden = !now?.live || (end === 0 && !this.realTime);
    live.ariaPressed = String(now?.following ?? false);
    live.ariaLabel = now?.following ? "Live" : "Go to live (l)";
    seek.min = String(start);
    seek.max = String(end);
    seek.disabled = end === 0;
    // At the live edge the thumb sits at the end, where a viewer expects it.
    const shown = this.seeking ? seek.valueAsNumber : now?.following ? end : this.video.currentTime;
    slide(seek, shown);
    const behind = end - shown;
    let [at, of] = [clock(shown - start), ` / ${clock(end - start)}`];
    if (now?.live) [at, of] = [now.following ? "" : `−${clock(behind)}`, ""];
    if (end === 0) [at, of] = ["", ""];
    setText(this.find(".time .at"), at);
    setText(this.find(".time .of"), of);
    seek.setAttribute(
      "aria-valuetext",
      now?.live ? (now.following ? "live" : `${clock(behind)} behind live`) : clock(shown - start),
    );
    this.find(".readout").hidden = now?.startupMs == null;
    const latency = this.find(".latency");
    (latency.parentElement as HTMLElement).hidden = now?.latencyMs == null;
    setText(latency, `${((now?.latencyMs ?? 0) / 1000).toFixed(1)} s`);
    setText(this.find(".buffer"), `${(now?.bufferSeconds ?? 0).toFixed(1)} s`);
  }

  private showQuality(now: Snapshot | undefined): void {
    const active = this.renditions[now?.active ?? -1];
    const button = this.find(".quality");
    const label = active ? nameOf(active) : "";
    setIcon(button, "gear");
    const text = button.lastElementChild?.nextSibling;
    if (text?.textContent !== label) {
      text?.remove();
      button.append(label);
    }
    button.ariaLabel = `Quality: ${now?.chosen == null ? "automatic, " : ""}${label}`;
  }

  private choices(): Choice[] {
    const now = this.playback?.snapshot;
    const choose = (name: string | null) => () => this.chooseRendition(name);
    const soon = { label: "Real time", note: "under 1 s", taken: this.realTime, take: () => (this.realTime = true) };
    if (this.realTime) {
      return [{ label: "Auto", note: "a few seconds", taken: false, take: () => (this.realTime = false) }, soon];
    }
    const renditions = this.renditions.map((rendition, index) => ({
      label: nameOf(rendition),
      note: megabits(rendition.bitsPerSecond),
      taken: now?.chosen === index,
      take: choose(rendition.name),
    }));
    const auto = { label: "Auto", note: "", taken: now?.chosen == null, take: choose(null) };
    const offersRealTime = now?.live && "RTCPeerConnection" in window;
    return [auto, ...renditions.reverse(), ...(offersRealTime ? [soon] : [])];
  }
}

function nameOf({ name, height }: Rendition): string {
  if (!height) return name;
  return name === "source" || name === "real time" ? `${height}p ${name}` : `${height}p`;
}

function megabits(bitsPerSecond: number): string {
  return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function slide(input: HTMLInputElement, value: number): void {
  input.value = String(value);
  const [min, max] = [Number(input.min), Number(input.max)];
  const at = max > min ? ((value - min) / (max - min)) * 100 : 0;
  input.style.setProperty("--at", `${at}%`);
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
