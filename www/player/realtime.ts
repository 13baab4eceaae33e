// Playing by WHEP, with the delay of a call: what the network brings is shown at once, nothing is
// kept, and there is one rendition.

import { close, open } from "../webrtc/session";
import { Outbox } from "./outbox";
import type { Playback, Rendition, Snapshot } from "./playback";
import { Session } from "./session";
import { tokenPath } from "./token";

/** How long connecting may take. */
const CONNECT_MS = 5000;
/** How long no packet may come before it counts as lost. */
const SILENCE_MS = 4000;
const LOOK_EVERY_MS = 500;
const REPORT_EVERY_MS = 10_000;

export interface RealTimeOptions {
  video: HTMLVideoElement;
  /** Where to offer, absolute. */
  url: string;
  /** Video id for events. */
  id: string;
  onChange: () => void;
  /** It can't be played like this, or no longer: why, in words. */
  onLost: (why: string) => void;
}

export class RealTime implements Playback {
  readonly broken = undefined;
  readonly manifest = undefined;
  readonly sounds = [];
  private readonly options: RealTimeOptions;
  private readonly video: HTMLVideoElement;
  private readonly ended = new AbortController();
  private readonly peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  private readonly began = performance.now();
  private location: string | undefined;
  private outbox: Outbox | undefined;
  private reports: [string, number | undefined][] = [];
  private startupMs: number | null = null;
  private latencyMs: number | null = null;
  private playedSeconds = 0;
  private lastTime = 0;
  private freezes = 0;
  private freezeMs = 0;
  private height = 0;
  private bytes = 0;
  private bufferSeconds = 0;
  private playedBefore = { at: 0, seconds: 0, bytes: 0 };

  constructor(options: RealTimeOptions) {
    this.options = options;
    this.video = options.video;
    const stream = new MediaStream();
    this.peer.addEventListener("track", ({ track }) => stream.addTrack(track));
    for (const kind of ["video", "audio"]) this.peer.addTransceiver(kind, { direction: "recvonly" });
    this.video.srcObject = stream;
    this.watch();
    void this.start();
  }

  get snapshot(): Snapshot {
    const started = this.startupMs !== null;
    return {
      phase: started ? "ready" : "loading",
      status: 0,
      live: true,
      following: true,
      stalled: false,
      active: started ? 0 : null,
      chosen: null,
      sound: null,
      windowStart: null,
      windowEnd: null,
      startupMs: this.startupMs,
      playedSeconds: this.playedSeconds,
      stalls: this.freezes,
      stallMs: this.freezeMs,
      latencyMs: this.latencyMs,
      bufferSeconds: this.bufferSeconds,
      playheadPdtMs: null,
      throughput: null,
      bytes: this.bytes,
    };
  }

  get renditions(): Rendition[] {
    return this.height ? [{ name: "real time", height: this.height, bitsPerSecond: 0 }] : [];
  }

  // There is one rendition and no way back.
  choose(): void {}
  chooseSound(): void {}
  setSpeed(): void {}
  seekWished(): void {}
  goLive(): void {}
  pauseWished(): void {}

  report(word: string, value?: number): void {
    if (this.outbox) this.outbox.push(word, value);
    else this.reports.push([word, value]);
  }

  destroy(): void {
    if (this.ended.signal.aborted) return;
    this.goodbye();
    this.ended.abort();
    close(this.location, this.peer);
    this.video.srcObject = null;
  }

  private async start(): Promise<void> {
    const { signal } = this.ended;
    const late = setTimeout(() => this.lose("No media gets through. A firewall may be in the way."), CONNECT_MS);
    signal.addEventListener("abort", () => clearTimeout(late));
    this.peer.addEventListener("connectionstatechange", () => {
      if (this.peer.connectionState === "connected") clearTimeout(late);
    });
    void this.count();
    try {
      const { location } = await open(this.peer, this.options.url, signal);
      this.location = location;
    } catch (error) {
      this.lose(error instanceof Error ? error.message : String(error));
    }
  }

  /** Events wait for the session that they are told in. */
  private async count(): Promise<void> {
    const session = await Session.open();
    if (this.ended.signal.aborted) return;
    this.outbox = new Outbox(session, this.options.id, () => tokenPath(this.options.url));
    for (const [word, value] of this.reports.splice(0)) this.outbox.push(word, value);
    if (this.startupMs !== null) this.outbox.view();
  }

  private watch(): void {
    const { signal } = this.ended;
    const onFrame = (now: number, { captureTime, height }: VideoFrameCallbackMetadata) => {
      if (signal.aborted) return;
      if (this.startupMs === null) this.started();
      // By the server's clock, which the sender's reports tell of.
      if (captureTime !== undefined) this.latencyMs = Math.max(0, now - captureTime);
      this.height = height;
      this.video.requestVideoFrameCallback(onFrame);
    };
    this.video.requestVideoFrameCallback(onFrame);
    let silentSince = 0;
    const looking = setInterval(() => {
      const { connectionState } = this.peer;
      const silent = connectionState === "disconnected";
      silentSince = silent ? silentSince || performance.now() : 0;
      const lost = connectionState === "failed" || (silent && performance.now() - silentSince > SILENCE_MS);
      if (lost) return this.lose("The connection is lost.");
      void this.look();
    }, LOOK_EVERY_MS);
    const reporting = setInterval(() => this.reportQuality(), REPORT_EVERY_MS);
    signal.addEventListener("abort", () => {
      clearInterval(looking);
      clearInterval(reporting);
    });
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.goodbye(), { signal });
    // A page that is kept for going back must not go on receiving.
    addEventListener("pagehide", () => this.destroy(), { signal });
  }

  private started(): void {
    this.startupMs = performance.now() - this.began;
    this.lastTime = this.video.currentTime;
    this.outbox?.view();
    this.report("startup", this.startupMs);
    this.options.onChange();
  }

  private async look(): Promise<void> {
    const { currentTime, paused } = this.video;
    if (!paused && this.startupMs !== null) this.playedSeconds += Math.max(0, Math.min(currentTime - this.lastTime, 2));
    this.lastTime = currentTime;
    const stats = Array.from((await this.peer.getStats()).values()) as RTCInboundRtpStreamStats[];
    const inbound = stats.filter(({ type }) => type === "inbound-rtp");
    this.bytes = inbound.reduce((sum, { bytesReceived = 0 }) => sum + bytesReceived, 0);
    const video = inbound.find(({ kind }) => kind === "video");
    const { freezeCount = 0, totalFreezesDuration = 0, jitterBufferDelay = 0, jitterBufferEmittedCount = 0 } = video ?? {};
    if (jitterBufferEmittedCount > 0) this.bufferSeconds = jitterBufferDelay / jitterBufferEmittedCount;
    const frozenMs = totalFreezesDuration * 1000;
    if (freezeCount > this.freezes && !paused) this.report("stall", frozenMs - this.freezeMs);
    [this.freezes, this.freezeMs] = [freezeCount, frozenMs];
    this.options.onChange();
  }

  private reportQuality(): void {
    const { at, seconds, bytes } = this.playedBefore;
    const now = performance.now();
    const watched = this.playedSeconds - seconds;
    if (watched <= 0) return;
    this.report("watch", watched * 1000);
    if (at > 0) this.report("bitrate", ((this.bytes - bytes) * 8) / (now - at));
    if (this.latencyMs !== null) this.report("latency", this.latencyMs);
    this.playedBefore = { at: now, seconds: this.playedSeconds, bytes: this.bytes };
  }

  private goodbye(): void {
    this.reportQuality();
    this.outbox?.farewell();
  }

  private lose(why: string): void {
    if (this.ended.signal.aborted) return;
    this.destroy();
    this.options.onLost(why);
  }
}
