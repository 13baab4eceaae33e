// The keyboard. Space or k plays and pauses, j and l go back and on by ten seconds, the arrows by five
// and the volume, digits to tenths, Home and End to the ends; m, f, c and i are sound, fullscreen,
// captions and picture-in-picture, < and > the speed.

import type { WeirPlayer } from "../element";
import { times } from "./settings";

/** The player that keys pressed elsewhere on the page are for: the one last used. */
let current: WeirPlayer | undefined;

const STEP_S = 5;
const LEAP_S = 10;

export class Keys {
  private readonly player: WeirPlayer;
  private readonly said: (text: string) => void;

  /** `said` shows what a key has done. */
  constructor(player: WeirPlayer, said: (text: string) => void) {
    this.player = player;
    this.said = said;
  }

  /** Listens on the whole page, so that keys work before anything has been clicked. */
  listen(signal: AbortSignal): void {
    const { player } = this;
    const use = () => (current = player);
    for (const event of ["pointerdown", "focusin"]) player.addEventListener(event, use, { signal });
    document.addEventListener("keydown", (event) => this.press(event), { signal });
    signal.addEventListener("abort", () => {
      if (current === player) current = undefined;
    });
  }

  private press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    current ??= this.player;
    const path = event.composedPath();
    const within = path.includes(this.player);
    if (!within && (current !== this.player || this.player.getAttribute("keys") === "within")) return;
    const target = path[0];
    if (!(target instanceof HTMLElement)) return;
    if (target.isContentEditable || target.matches("textarea, select")) return;
    if (target instanceof HTMLInputElement && target.type !== "range") return;
    const presses = target.matches("button, a[href], summary");
    if (presses && (event.key === " " || event.key === "Enter")) return;
    // A range of seconds would go by tenths; that of the volume knows its steps.
    const slides = target.matches("input[type=range]:not(.seek)") && /^(Arrow|Home|End)/.test(event.key);
    if (slides || !this.act(event.key, within)) return;
    event.preventDefault();
  }

  /** Does what a key stands for; says whether it stands for anything. */
  private act(key: string, within: boolean): boolean {
    const { player } = this;
    switch (key.toLowerCase()) {
      case " ":
      case "k":
        player.togglePlay();
        return true;
      case "m":
        player.toggleMute();
        this.said(player.video.muted ? "Muted" : "Sound on");
        return true;
      case "f":
        player.toggleFullscreen();
        return true;
      case "i":
        player.togglePictureInPicture();
        return true;
      case "c":
        if (!player.captions) return false;
        player.captions.toggle();
        this.said(`Captions ${player.captions.current?.label ?? "off"}`);
        return true;
      case "j":
        return this.seek(-LEAP_S);
      case "l":
        return this.seek(LEAP_S);
      case "arrowleft":
        return this.seek(-STEP_S);
      case "arrowright":
        return this.seek(STEP_S);
      case "<":
      case ">":
        player.speed += key === "<" ? -0.25 : 0.25;
        this.said(times(player.speed));
        return true;
      case "arrowup":
      case "arrowdown":
        // Outside the player these scroll the page.
        if (within) this.volume(key === "ArrowUp" ? 0.05 : -0.05);
        return within;
      case "home":
      case "end":
        if (within) player.seekToShare(key === "Home" ? 0 : 1);
        return within;
    }
    if (!/^[0-9]$/.test(key)) return false;
    player.seekToShare(Number(key) / 10);
    return true;
  }

  private seek(seconds: number): boolean {
    this.player.seekBy(seconds);
    this.said(`${seconds < 0 ? "−" : "+"}${Math.abs(seconds)} s`);
    return true;
  }

  private volume(by: number): void {
    const { player } = this;
    player.setVolume(player.video.volume + by);
    this.said(`${Math.round(player.video.volume * 100)} %`);
  }
}
