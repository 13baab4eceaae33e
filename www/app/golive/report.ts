// What getStats() says of a broadcast, in numbers that a person can read.

export interface Report {
  /** All that goes out, in bit/s over the last second. */
  bitsPerSecond: number;
  width: number;
  height: number;
  framesPerSecond: number;
  /** Pictures encoded so far. */
  frames: number;
  /** `null` until the server has reported. */
  roundTripMs: number | null;
  packetsLost: number | null;
  /** What keeps the picture from being better, if anything does. */
  limitedBy: "cpu" | "bandwidth" | "other" | null;
}

interface RemoteInbound {
  type: "remote-inbound-rtp";
  roundTripTime?: number;
  packetsLost?: number;
}

export class Reporter {
  private bytes = 0;
  private at = 0;

  async look(peer: RTCPeerConnection): Promise<Report> {
    const stats = Array.from((await peer.getStats()).values()) as { type: string; timestamp: number }[];
    const ofType = <T>(type: string) => stats.filter((entry) => entry.type === type) as T[];
    const outbound = ofType<RTCOutboundRtpStreamStats>("outbound-rtp");
    const video = outbound.find(({ kind }) => kind === "video");
    const pairs = ofType<RTCIceCandidatePairStats>("candidate-pair").filter(({ nominated }) => nominated);
    const remote = ofType<RemoteInbound>("remote-inbound-rtp");

    const bytes = sum(outbound.map(({ bytesSent = 0 }) => bytesSent));
    const at = video?.timestamp ?? performance.now();
    const seconds = this.at ? (at - this.at) / 1000 : 0;
    const bitsPerSecond = seconds > 0 ? ((bytes - this.bytes) * 8) / seconds : 0;
    [this.bytes, this.at] = [bytes, at];

    const trips = [...remote.map(({ roundTripTime }) => roundTripTime), ...pairs.map(({ currentRoundTripTime }) => currentRoundTripTime)];
    const trip = trips.find((trip) => trip !== undefined);
    const limited = video?.qualityLimitationReason;
    return {
      bitsPerSecond,
      width: video?.frameWidth ?? 0,
      height: video?.frameHeight ?? 0,
      framesPerSecond: video?.framesPerSecond ?? 0,
      frames: video?.framesEncoded ?? 0,
      roundTripMs: trip === undefined ? null : trip * 1000,
      packetsLost: remote.length > 0 ? sum(remote.map(({ packetsLost = 0 }) => packetsLost)) : null,
      limitedBy: limited === "cpu" || limited === "bandwidth" || limited === "other" ? limited : null,
    };
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
