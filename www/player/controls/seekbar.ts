// The bar of time: where playback is, what is buffered, and what lies under the pointer.

import type { WeirPlayer } from "../element";
import type { Snapshot } from "../playback";
import { clock } from "./format";
import type { Storyboard } from "./storyboard";

const THUMBNAILS = "track[kind=metadata][label=thumbnails][src]";

export class SeekBar {
  /** Whether the viewer has it in hand. */
  held = false;
  private readonly player: WeirPlayer;
  private readonly bar: HTMLInputElement;
  private readonly tip: HTMLElement;
  private readonly thumb: HTMLElement;
  private storyboard: Storyboard | undefined;
  /** Where the storyboard lies that was asked for. */
  private asked: string | undefined;
  private pointed: number | undefined;

  constructor(player: WeirPlayer, root: ParentNode) {
    this.player = player;
    this.bar = root.querySelector(".seek") as HTMLInputElement;
    this.tip = root.querySelector(".tip") as HTMLElement;
    this.thumb = root.querySelector(".thumb") as HTMLElement;
  }

  listen(signal: AbortSignal): void {
    const { bar } = this;
    const on = (event: string, act: (event: PointerEvent) => void) =>
      bar.addEventListener(event, (happened) => act(happened as PointerEvent), { signal });
    on("input", () => {
      this.held = true;
      this.point(bar.valueAsNumber);
      this.player.state && this.show(this.player.state);
    });
    on("change", () => {
      this.held = false;
      this.player.seekTo(bar.valueAsNumber);
      this.point(undefined);
    });
    on("pointermove", (event) => {
      if (!this.held) this.point(this.timeAt(event.offsetX));
    });
    on("pointerleave", () => {
      if (!this.held) this.point(undefined);
    });
    on("pointercancel", () => {
      this.held = false;
      this.point(undefined);
    });
  }

  show(now: Snapshot | undefined): void {
    const { bar, player } = this;
    const [start, end] = [now?.windowStart ?? 0, now?.windowEnd ?? 0];
    bar.min = String(start);
    bar.max = String(end);
    bar.disabled = end === 0;
    // At the live edge the thumb sits at the end, where a viewer expects it.
    const shown = this.held ? bar.valueAsNumber : now?.following ? end : player.video.currentTime;
    slide(bar, shown);
    bar.style.setProperty("--buffered", `${share(player.video.currentTime + (now?.bufferSeconds ?? 0), bar) * 100}%`);
    bar.setAttribute("aria-valuetext", this.inWords(now, shown));
    if (this.pointed !== undefined) this.point(this.held ? bar.valueAsNumber : this.pointed);
  }

  private inWords(now: Snapshot | undefined, at: number): string {
    const [start, end] = [now?.windowStart ?? 0, now?.windowEnd ?? 0];
    if (!now?.live) return `${clock(at - start)} of ${clock(end - start)}`;
    return now.following && !this.held ? "live" : `${clock(end - at)} behind live`;
  }

  private timeAt(x: number): number {
    const { bar } = this;
    const across = Math.min(1, Math.max(0, x / bar.clientWidth));
    return Number(bar.min) + across * (Number(bar.max) - Number(bar.min));
  }

  /** Shows what lies at a time, or with `undefined` nothing. */
  private point(at: number | undefined): void {
    const { bar, tip, player } = this;
    const { state: now } = player;
    this.pointed = at;
    tip.hidden = at === undefined || bar.disabled;
    if (at === undefined || !now) return;
    this.loadStoryboard();
    const [start, end] = [now.windowStart ?? 0, now.windowEnd ?? 0];
    const text = now.live ? (end - at < 1 ? "Live" : `−${clock(end - at)}`) : clock(at - start);
    (tip.lastElementChild as HTMLElement).textContent = text;
    this.thumb.hidden = !this.storyboard?.show(this.thumb, at - start);
    const half = tip.offsetWidth / 2;
    const x = Math.min(Math.max(share(at, bar) * bar.clientWidth, half), bar.clientWidth - half);
    tip.style.translate = `${x - half}px`;
  }

  /** Loads thumbnails when somebody first points at a time. */
  private loadStoryboard(): void {
    const url = this.player.querySelector<HTMLTrackElement>(THUMBNAILS)?.src;
    if (url === this.asked) return;
    this.asked = url;
    this.storyboard = undefined;
    if (!url) return;
    void import("./storyboard")
      .then(({ Storyboard }) => Storyboard.load(url))
      .then((storyboard) => {
        if (url === this.asked) this.storyboard = storyboard;
      })
      .catch(() => {});
  }
}

/** Sets a range input, and how much of it is filled. */
export function slide(input: HTMLInputElement, value: number): void {
  input.value = String(value);
  input.style.setProperty("--at", `${share(value, input) * 100}%`);
}

function share(value: number, { min, max }: HTMLInputElement): number {
  const [from, to] = [Number(min), Number(max)];
  return to > from ? Math.min(1, Math.max(0, (value - from) / (to - from))) : 0;
}
