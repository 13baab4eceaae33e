// Clicks and taps on the picture. A mouse plays and pauses, twice is fullscreen; a finger shows and
// hides the controls, twice at a side it seeks.

import type { WeirPlayer } from "../element";

const TWICE_MS = 300;
const LEAP_S = 10;
/** How much of the width each side takes. */
const SIDE = 0.35;

export class Touch {
  private readonly player: WeirPlayer;
  private readonly said: (text: string, side: "left" | "right") => void;
  private lastTap = -Infinity;
  private leapt = false;
  private shownBefore = false;

  constructor(player: WeirPlayer, said: (text: string, side: "left" | "right") => void) {
    this.player = player;
    this.said = said;
  }

  /** Must listen before whatever shows the controls again. */
  listen(picture: HTMLElement, hide: () => void, signal: AbortSignal): void {
    const note = () => (this.shownBefore = !this.player.classList.contains("idle"));
    picture.addEventListener("pointerdown", note, { signal });
    picture.addEventListener("click", (event) => this.clicked(event as PointerEvent, hide), { signal });
    const twice = () => {
      if (this.lastTap === -Infinity) this.player.toggleFullscreen();
    };
    picture.addEventListener("dblclick", twice, { signal });
  }

  private clicked(event: PointerEvent, hide: () => void): void {
    if (event.pointerType !== "touch") {
      this.lastTap = -Infinity;
      return this.player.togglePlay();
    }
    const twice = event.timeStamp - this.lastTap < TWICE_MS;
    this.lastTap = event.timeStamp;
    const across = event.offsetX / this.player.clientWidth;
    if (twice && across < SIDE) return this.leap(-LEAP_S);
    if (twice && across > 1 - SIDE) return this.leap(LEAP_S);
    this.leapt = false;
    if (!this.shownBefore || this.player.video.paused) return;
    // A second tap may make this one the first half of a leap, which leaves the controls alone.
    setTimeout(() => {
      if (!this.leapt) hide();
    }, TWICE_MS);
  }

  private leap(seconds: number): void {
    this.leapt = true;
    this.player.seekBy(seconds);
    this.said(`${seconds < 0 ? "−" : "+"}${LEAP_S} s`, seconds < 0 ? "left" : "right");
  }
}
