// The measurements that `WeirPlayer.stats()` gives to scripts and tests.

import type { Rendition, Snapshot } from "./playback";

/** Times in ms where the name says so. */
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

export function statsOf(now: Snapshot | undefined, renditions: Rendition[], video: HTMLVideoElement): PlayerStats {
  return {
    startupMs: now?.startupMs ?? null,
    playedSeconds: now?.playedSeconds ?? 0,
    stalls: now?.stalls ?? 0,
    stallMs: now?.stallMs ?? 0,
    latencyMs: now?.latencyMs ?? null,
    bufferSeconds: now?.bufferSeconds ?? 0,
    rendition: renditions[now?.active ?? 0]?.name ?? null,
    droppedFrames: video.getVideoPlaybackQuality().droppedVideoFrames,
    bytes: now?.bytes ?? 0,
    playheadPdtMs: now?.playheadPdtMs ?? null,
  };
}
