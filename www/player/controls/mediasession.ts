// Keys of a keyboard, a headset or a lock screen (W3C Media Session).

import type { WeirPlayer } from "../element";

const LEAP_S = 10;

export class SystemControls {
  private readonly player: WeirPlayer;
  private title = "";

  constructor(player: WeirPlayer) {
    this.player = player;
  }

  listen(signal: AbortSignal): void {
    if (!("mediaSession" in navigator)) return;
    const { player } = this;
    const handlers: [MediaSessionAction, MediaSessionActionHandler][] = [
      ["play", () => player.play()],
      ["pause", () => player.pause()],
      ["stop", () => player.pause()],
      ["seekbackward", ({ seekOffset }) => player.seekBy(-(seekOffset ?? LEAP_S))],
      ["seekforward", ({ seekOffset }) => player.seekBy(seekOffset ?? LEAP_S)],
      ["seekto", ({ seekTime }) => player.seekTo((player.state?.windowStart ?? 0) + (seekTime ?? 0))],
    ];
    // The page's last player to begin is the one that the keys are for.
    const take = () => {
      for (const [action, handler] of handlers) handle(action, handler);
      this.title = "";
    };
    player.video.addEventListener("play", take, { signal });
    if (!player.video.paused) take();
    signal.addEventListener("abort", () => {
      for (const [action] of handlers) handle(action, null);
    });
  }

  /** Tells what plays, and where it is. */
  show(): void {
    if (!("mediaSession" in navigator) || this.player.video.paused) return;
    const { player } = this;
    const title = player.getAttribute("media-title") ?? document.title;
    if (title !== this.title) {
      this.title = title;
      const poster = player.getAttribute("poster");
      navigator.mediaSession.metadata = new MediaMetadata({
        title,
        artist: player.getAttribute("media-artist") ?? "",
        artwork: poster ? [{ src: new URL(poster, document.baseURI).href }] : [],
      });
    }
    const { windowStart, windowEnd, live } = player.state ?? {};
    if (live || windowStart == null || windowEnd == null) return;
    const duration = windowEnd - windowStart;
    const position = Math.min(Math.max(player.video.currentTime - windowStart, 0), duration);
    navigator.mediaSession.setPositionState?.({ duration, position, playbackRate: player.video.playbackRate || 1 });
  }
}

function handle(action: MediaSessionAction, handler: MediaSessionActionHandler | null): void {
  try {
    navigator.mediaSession.setActionHandler(action, handler);
  } catch {
    // A browser that does not know the action.
  }
}
