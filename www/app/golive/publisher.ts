// A broadcast by WHIP: opened, opened again when the network comes back, and ended.

import { NotTaken, close, open } from "../../webrtc/session";
import { type Report, Reporter } from "./report";

const ENDPOINT = "/api/v1/whip";
/** How long connecting may take before it is tried anew. */
const CONNECT_MS = 10_000;
/** A connection that is silent for a moment often speaks again by itself. */
const SILENCE_MS = 4000;
const REPORT_MS = 1000;
/** Pauses between attempts, the last one again and again. */
const PAUSES_MS = [500, 1000, 2000, 4000];
/** For how long a lost broadcast is tried again. Servers wait for less or about as long. */
const RETRY_FOR_MS = 180_000;

export interface Plan {
  key: string;
  video: MediaStreamTrack;
  audio: MediaStreamTrack | undefined;
  /** Of the pictures, in kbit/s. */
  kilobits: number;
  framesPerSecond: number;
}

export type State =
  | { readonly is: "connecting" }
  | { readonly is: "live"; readonly page: string | undefined }
  /** The network is gone; it is tried again. */
  | { readonly is: "lost"; readonly why: string }
  | { readonly is: "ended"; readonly why?: string };

export interface PublisherEvents {
  state(state: State): void;
  report(report: Report): void;
}

export class Publisher {
  private readonly plan: Plan;
  private readonly events: PublisherEvents;
  private readonly ended = new AbortController();
  private peer: RTCPeerConnection | undefined;
  private location: string | undefined;

  constructor(plan: Plan, events: PublisherEvents) {
    this.plan = plan;
    this.events = events;
    void this.run();
  }

  /** Ends the broadcast; also for a page that goes. */
  end(why?: string): void {
    if (this.ended.signal.aborted) return;
    this.ended.abort();
    this.leave();
    this.events.state(why === undefined ? { is: "ended" } : { is: "ended", why });
  }

  /** Sends other pictures or other sound from now on. */
  async replace(kind: "video" | "audio", track: MediaStreamTrack): Promise<void> {
    this.plan[kind] = track;
    const sender = this.peer?.getSenders().find((sender) => sender.track?.kind === kind);
    await sender?.replaceTrack(track);
  }

  private async run(): Promise<void> {
    this.events.state({ is: "connecting" });
    let began = false;
    let failures = 0;
    let lostAt = 0;
    while (!this.ended.signal.aborted) {
      let why: string;
      try {
        const page = await this.connect();
        [began, failures, lostAt] = [true, 0, 0];
        this.events.state({ is: "live", page });
        why = await this.live();
      } catch (error) {
        if (this.ended.signal.aborted) return;
        why = error instanceof Error ? error.message : String(error);
        if (isFinal(error, began)) return this.end(why);
      }
      this.leave();
      if (this.ended.signal.aborted) return;
      lostAt ||= Date.now();
      if (Date.now() - lostAt > RETRY_FOR_MS) return this.end(why);
      this.events.state(began ? { is: "lost", why } : { is: "connecting" });
      await pause(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)] ?? 0, this.ended.signal);
      failures += 1;
      if (!began && failures === PAUSES_MS.length) return this.end(why);
    }
  }

  /** Opens a session and waits until media can flow. Yields the page of the video. */
  private async connect(): Promise<string | undefined> {
    const { key, video, audio, kilobits, framesPerSecond } = this.plan;
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.peer = peer;
    const encoding = { maxBitrate: kilobits * 1000, maxFramerate: framesPerSecond };
    const pictures = peer.addTransceiver(video, { direction: "sendonly", sendEncodings: [encoding] });
    pictures.setCodecPreferences?.(h264First());
    if (audio) peer.addTransceiver(audio, { direction: "sendonly" });
    const opened = await open(peer, ENDPOINT, this.ended.signal, key);
    this.location = opened.location;
    // A picture that grows small is of less use to viewers than one that comes less often.
    const parameters = pictures.sender.getParameters() as RTCRtpSendParameters & { degradationPreference?: string };
    parameters.degradationPreference = "maintain-resolution";
    await pictures.sender.setParameters(parameters).catch(() => {});
    const connected = await until(peer, (state) => state === "connected" || state === "failed", CONNECT_MS, this.ended.signal);
    if (connected !== "connected") {
      throw new Error("The server answered, but no media gets through to it. A firewall may be in the way.");
    }
    return opened.page;
  }

  /** Reports until the connection is lost; yields why it was. */
  private async live(): Promise<string> {
    const { peer } = this;
    if (!peer) return "";
    const reporter = new Reporter();
    const timer = setInterval(() => void reporter.look(peer).then((report) => this.events.report(report), () => {}), REPORT_MS);
    try {
      const { signal } = this.ended;
      for (;;) {
        const lost = await until(peer, (state) => state !== "connected", Infinity, signal);
        const back = lost === "disconnected" && (await until(peer, (state) => state !== "disconnected", SILENCE_MS, signal));
        if (back !== "connected") return "The connection to the server is lost.";
      }
    } finally {
      clearInterval(timer);
    }
  }

  private leave(): void {
    if (this.peer) close(this.location, this.peer);
    this.location = undefined;
    this.peer = undefined;
  }
}

/** Whether trying again is of no use. Another encoder of this key may be what we were before. */
function isFinal(error: unknown, began: boolean): boolean {
  if (!(error instanceof NotTaken)) return false;
  const passing = error.status === 0 || error.status >= 500 || error.status === 429;
  return !passing && !(began && error.status === 409);
}

/** Servers here take H.264 alone; browsers choose VP8 unless told. */
function h264First(): RTCRtpCodec[] {
  const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  const rank = ({ mimeType, sdpFmtpLine = "" }: RTCRtpCodec) => {
    if (!/h264/i.test(mimeType)) return 2;
    return sdpFmtpLine.includes("packetization-mode=1") ? 0 : 1;
  };
  return [...codecs].sort((a, b) => rank(a) - rank(b));
}

/** Waits until the connection's state passes `test`, and yields it, also when the time is up. */
function until(
  peer: RTCPeerConnection,
  test: (state: RTCPeerConnectionState) => boolean,
  ms: number,
  signal: AbortSignal,
): Promise<RTCPeerConnectionState> {
  return new Promise((resolve) => {
    const done = new AbortController();
    const look = (atLast: boolean) => {
      if (!atLast && !test(peer.connectionState)) return;
      done.abort();
      clearTimeout(timer);
      resolve(peer.connectionState);
    };
    const timer = ms === Infinity ? 0 : setTimeout(() => look(true), ms);
    peer.addEventListener("connectionstatechange", () => look(false), { signal: done.signal });
    signal.addEventListener("abort", () => look(true), { signal: done.signal });
    look(signal.aborted);
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal.addEventListener("abort", () => resolve(), { once: true });
    // No need to sit out the pause once there is a network again.
    addEventListener("online", () => resolve(), { once: true });
  });
}
