// What the package `weir-player` gives: importing it defines the element.

export { preload, WeirPlayer } from "./element";
export type { WeirPlayerEventMap } from "./element";
export type { Rendition, Snapshot, Sound } from "./playback";
export type { PlayerStats } from "./stats";
export type { Renew } from "./token";
