// Captions: which there are, which is shown, and the text over the picture. Cues are the browser's own,
// so that it does the timing and reads the tags; where they stand is decided here, as they have to
// make room for the controls.

import { recall, remember } from "../memory";
import type { Playback } from "../playback";
import { type Source, listed, whole } from "./subtitles";
import type { Cue } from "./webvtt";

/** How often cues are looked for. */
const READ_EVERY_MS = 1000;
const RETRY_MS = 5000;
/** Cues this far behind the playhead are let go. */
const KEPT_S = 600;

const styles = new CSSStyleSheet();
styles.replaceSync(`
.cues { position: absolute; inset: 4% 5%; display: flex; flex-direction: column; justify-content: flex-end; gap: 2px; text-align: center; pointer-events: none; transition: bottom .2s; }
.cues.top { justify-content: flex-start; }
:host(:not(.idle)) .cues { bottom: 76px; }
.cues span { padding: .1em .45em; border-radius: .25em; background: rgb(0 0 0 / .76); color: #fff; font: 500 clamp(14px, 4.2cqw, 30px) / 1.4 system-ui, sans-serif; white-space: pre-line; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
@media (prefers-reduced-motion: reduce) { .cues { transition: none; } }`);

export class Captions {
  readonly list: Source[];
  /** Index into `list`. */
  chosen: number | null = null;
  private readonly video: HTMLVideoElement;
  private readonly playback: Playback;
  private readonly track: TextTrack;
  private readonly box = document.createElement("div");
  private readonly ended = new AbortController();
  /** The cues that are in the track: segments repeat one that reaches over their border. */
  private readonly added = new Map<string, TextTrackCue>();
  private reading = false;
  private waitUntil = 0;

  /** `tracks` are those of the page; what the stream lists comes after. */
  constructor(video: HTMLVideoElement, playback: Playback, tracks: HTMLTrackElement[]) {
    this.video = video;
    this.playback = playback;
    const ofPage = tracks.map((track) => whole(track.src, track.label || track.srclang || "Captions", track.srclang, track.default));
    this.list = [...ofPage, ...(playback.manifest ? listed(playback.manifest) : [])];
    this.track = trackOf(video);
    this.box.className = "cues";
    this.box.setAttribute("part", "captions");
    const root = video.getRootNode() as ShadowRoot;
    if (!root.adoptedStyleSheets.includes(styles)) root.adoptedStyleSheets.push(styles);
    video.after(this.box);
    const { signal } = this.ended;
    this.track.addEventListener("cuechange", () => this.show(), { signal });
    video.addEventListener("seeking", () => void this.read(), { signal });
    // An iPhone's own fullscreen shows nothing of the page.
    const native = (mode: TextTrackMode) => () => (this.track.mode = mode);
    video.addEventListener("webkitbeginfullscreen", native("showing"), { signal });
    video.addEventListener("webkitendfullscreen", native("hidden"), { signal });
    const timer = setInterval(() => void this.read(), READ_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
    this.choose(this.preferred(), false);
  }

  get current(): Source | undefined {
    return this.list[this.chosen ?? -1];
  }

  /** Shows these, or with `null` none; and remembers it as the viewer's choice. */
  choose(index: number | null, remembers = true): void {
    this.chosen = index !== null && index in this.list ? index : null;
    if (remembers) remember("captions", this.current ? this.current.language || "any" : "off");
    this.current?.rewind();
    this.drop(Infinity);
    this.show();
    this.waitUntil = 0;
    void this.read();
  }

  /** On if they are off: those of before, else the first. */
  toggle(): void {
    this.choose(this.chosen === null ? (this.inLanguage(recall("captions")) ?? 0) : null);
  }

  close(): void {
    this.ended.abort();
    this.chosen = null;
    this.drop(Infinity);
    this.box.remove();
  }

  private preferred(): number | null {
    const kept = recall("captions");
    if (kept === "off") return null;
    const byDefault = this.list.findIndex((source) => source.default);
    return this.inLanguage(kept) ?? (kept === "any" ? 0 : byDefault < 0 ? null : byDefault);
  }

  private inLanguage(language: string | null): number | undefined {
    const index = this.list.findIndex((source) => language && source.language === language);
    return index < 0 ? undefined : index;
  }

  /** Fetches what comes next. */
  private async read(): Promise<void> {
    const { current } = this;
    const now = this.playback.snapshot;
    if (!current || !now || this.reading || performance.now() < this.waitUntil) return;
    this.reading = true;
    try {
      const cues = await current.read(this.video.currentTime, { originMs: now.originMs ?? 0 });
      if (current === this.current) this.add(cues);
    } catch {
      this.waitUntil = performance.now() + RETRY_MS;
    } finally {
      this.reading = false;
    }
  }

  private add(cues: Cue[]): void {
    for (const { start, end, text, settings } of cues) {
      const key = `${start.toFixed(2)} ${text}`;
      if (end <= 0 || this.added.has(key)) continue;
      const cue = new VTTCue(Math.max(0, start), end, text);
      place(cue, settings);
      this.track.addCue(cue);
      this.added.set(key, cue);
    }
    // A recording's are read once; live, they would pile up.
    if (this.playback.snapshot?.live) this.drop(this.video.currentTime - KEPT_S);
  }

  /** Lets go what ends before this second. */
  private drop(before: number): void {
    for (const [key, cue] of this.added) {
      if (cue.endTime >= before) continue;
      this.track.removeCue(cue);
      this.added.delete(key);
    }
  }

  private show(): void {
    const cues = Array.from(this.track.activeCues ?? []) as VTTCue[];
    const lines = cues.map((cue) => {
      const [line, text] = [document.createElement("div"), document.createElement("span")];
      line.style.textAlign = cue.align;
      text.append(cue.getCueAsHTML());
      line.append(text);
      return line;
    });
    // Where a caption would hide a name in the picture, its maker puts it to the top.
    const high = cues.some(({ line, snapToLines }) => typeof line === "number" && (snapToLines ? line >= 0 && line < 8 : line < 50));
    this.box.classList.toggle("top", high);
    this.box.replaceChildren(...lines);
  }
}

/** A text track cannot be taken away again, so that an element has one. */
const tracks = new WeakMap<HTMLVideoElement, TextTrack>();

function trackOf(video: HTMLVideoElement): TextTrack {
  const track = tracks.get(video) ?? video.addTextTrack("captions");
  tracks.set(video, track);
  track.mode = "hidden";
  return track;
}

/** Applies cue settings (WebVTT section 3.5), as far as they say where text stands. */
function place(cue: VTTCue, settings: string): void {
  for (const setting of settings.split(/[ \t]+/)) {
    const [name, value = ""] = setting.split(":");
    const [, number, percent] = /^(-?\d+(?:\.\d+)?)(%?)/.exec(value) ?? [];
    if (name === "align" && /^(start|center|end|left|right)$/.test(value)) cue.align = value as AlignSetting;
    if (name !== "line" || number === undefined) continue;
    cue.snapToLines = percent !== "%";
    cue.line = Number(number);
  }
}
