// The keyboard: space or k plays and pauses, l goes live; arrows, m, f and digits as everywhere.

import type { WeirPlayer } from "./element";

export class Keys {
  private readonly player: WeirPlayer;

  constructor(player: WeirPlayer) {
    this.player = player;
  }

  /** Listens on the whole page, so that keys work before anything has been clicked. */
  listen(signal: AbortSignal): void {
    document.addEventListener("keydown", (event) => this.press(event), { signal });
  }

  private press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    if (!(target instanceof HTMLElement)) return;
    const within = event.composedPath().includes(this.player);
    if (target.isContentEditable || target.matches("textarea, select")) return;
    if (target instanceof HTMLInputElement && target.type !== "range") return;
    const presses = target.matches("button, a[href], summary");
    if (presses && (event.key === " " || event.key === "Enter")) return;
    const slides = target.matches("input[type=range]") && event.key.startsWith("Arrow");
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
        return true;
      case "f":
        player.toggleFullscreen();
        return true;
      case "l":
        player.goLive();
        return true;
      case "arrowleft":
        player.seekBy(-5);
        return true;
      case "arrowright":
        player.seekBy(5);
        return true;
      case "arrowup":
      case "arrowdown":
        // Outside the player these scroll the page.
        if (within) player.setVolume(player.video.volume + (key === "ArrowUp" ? 0.05 : -0.05));
        return within;
    }
    if (!/^[0-9]$/.test(key)) return false;
    player.seekToShare(Number(key) / 10);
    return true;
  }
}
