// Statistics for nerds: figures and a minute's graph of each, over the picture.

import type { WeirPlayer } from "../element";
import type { Snapshot } from "../playback";
import { setIcon } from "./icons";
import { megabits, nameOf } from "./format";

const EVERY_MS = 500;
/** A minute. */
const KEPT = 120;
const WIDTH = 150;
const HEIGHT = 26;

interface Line {
  name: string;
  colour: string;
  value: (now: Snapshot, player: WeirPlayer) => number | null;
  show: (value: number) => string;
}

const lines: Line[] = [
  { name: "Buffer", colour: "#2dd4bf", value: (now) => now.bufferSeconds, show: seconds },
  { name: "Bitrate", colour: "#a3e635", value: bitrate, show: megabits },
  { name: "Throughput", colour: "#60a5fa", value: (now) => now.throughput, show: megabits },
  { name: "Latency", colour: "#fb7185", value: (now) => (now.latencyMs === null ? null : now.latencyMs / 1000), show: seconds },
];

const styles = new CSSStyleSheet();
styles.replaceSync(`
.nerds { position: absolute; inset: 10px auto auto 10px; max-width: calc(100% - 20px); max-height: calc(100% - 66px); overflow: auto; padding: 8px 12px 10px; border-radius: 12px; background: rgb(10 12 16 / .82); font-size: 12px; line-height: 1.5; font-variant-numeric: tabular-nums; user-select: text; }
.nerds dl { display: grid; grid-template-columns: auto auto ${WIDTH}px; gap: 1px 14px; align-items: center; margin: 0; }
.nerds dt { color: #aab4c0; }
.nerds dd { margin: 0; white-space: nowrap; }
.nerds .wide { grid-column: 2 / -1; }
.nerds canvas { display: block; width: ${WIDTH}px; height: ${HEIGHT}px; }
.nerds .close { position: sticky; float: right; top: 0; min-width: 28px; height: 28px; margin: -2px -6px 0 6px; }
.nerds .close svg { width: 18px; height: 18px; }
@container (max-width: 420px) { .nerds { font-size: 11px; line-height: 1.35; } .nerds dl { grid-template-columns: auto 1fr; } .nerds .graph { display: none; } }`);

export class Nerds {
  private readonly player: WeirPlayer;
  private readonly panel = document.createElement("section");
  private readonly values: { shown: HTMLElement; canvas: HTMLCanvasElement; kept: (number | null)[] }[] = [];
  private readonly facts = new Map<string, HTMLElement>();
  private readonly timer: number;

  constructor(player: WeirPlayer, root: ShadowRoot, onClose: () => void) {
    this.player = player;
    if (!root.adoptedStyleSheets.includes(styles)) root.adoptedStyleSheets.push(styles);
    this.panel.className = "nerds";
    this.panel.ariaLabel = "Statistics";
    const close = document.createElement("button");
    close.className = "close";
    close.ariaLabel = "Close statistics";
    setIcon(close, "close");
    close.addEventListener("click", onClose);
    const list = document.createElement("dl");
    for (const { name } of lines) {
      const shown = entry(list, name);
      const graph = document.createElement("dd");
      graph.className = "graph";
      const canvas = document.createElement("canvas");
      canvas.ariaHidden = "true";
      canvas.width = WIDTH * devicePixelRatio;
      canvas.height = HEIGHT * devicePixelRatio;
      graph.append(canvas);
      list.append(graph);
      this.values.push({ shown, canvas, kept: [] });
    }
    for (const name of ["Picture", "Frames", "Start-up", "Stalls", "Fetched", "Aims at"]) {
      const shown = entry(list, name);
      shown.className = "wide";
      this.facts.set(name, shown);
    }
    this.panel.append(close, list);
    root.append(this.panel);
    this.show();
    this.timer = window.setInterval(() => this.show(), EVERY_MS);
  }

  close(): void {
    clearInterval(this.timer);
    this.panel.remove();
  }

  private show(): void {
    const { state: now } = this.player;
    if (!now) return;
    for (const [index, { shown, canvas, kept }] of this.values.entries()) {
      const line = lines[index] as Line;
      const value = line.value(now, this.player);
      kept.push(value);
      kept.splice(0, kept.length - KEPT);
      shown.textContent = value === null ? "–" : line.show(value);
      draw(canvas, kept, line.colour);
    }
    for (const [name, text] of this.known(now)) {
      const shown = this.facts.get(name);
      if (shown) shown.textContent = text;
    }
  }

  private known(now: Snapshot): [string, string][] {
    const { video, renditions } = this.player;
    const active = renditions[now.active ?? -1];
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    return [
      ["Picture", `${video.videoWidth} × ${video.videoHeight}${active ? `, ${nameOf(active)}` : ""}${now.switches ? `, switched ${now.switches}×` : ""}`],
      ["Frames", `${totalVideoFrames}, ${droppedVideoFrames} dropped`],
      ["Start-up", now.startupMs === null ? "–" : `${Math.round(now.startupMs)} ms`],
      ["Stalls", `${now.stalls}, ${seconds(now.stallMs / 1000)} in ${seconds(now.playedSeconds)}`],
      ["Fetched", `${megabytes(now.bytes)}${now.wastedBytes ? `, ${megabytes(now.wastedBytes)} for nothing` : ""}`],
      ["Aims at", `${now.targetLatencyMs ? `${seconds(now.targetLatencyMs / 1000)} behind, ` : ""}${video.playbackRate.toFixed(2)}×`],
    ];
  }
}

function entry(list: HTMLElement, name: string): HTMLElement {
  const [term, shown] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  list.append(term, shown);
  return shown;
}

/** A line of what was kept, the newest at the right, from 0 to its highest. */
function draw(canvas: HTMLCanvasElement, kept: (number | null)[], colour: string): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { width, height } = canvas;
  const most = Math.max(...kept.map((value) => value ?? 0)) || 1;
  const thick = 1.5 * devicePixelRatio;
  const x = (at: number) => width - ((kept.length - 1 - at) / (KEPT - 1)) * width;
  const y = (value: number) => height - thick - (value / most) * (height - 2 * thick);
  context.clearRect(0, 0, width, height);
  context.beginPath();
  let joined = false;
  for (const [at, value] of kept.entries()) {
    if (value !== null) context[joined ? "lineTo" : "moveTo"](x(at), y(value));
    joined = value !== null;
  }
  context.lineWidth = thick;
  context.lineJoin = "round";
  context.strokeStyle = colour;
  context.stroke();
}

function bitrate(now: Snapshot, { renditions }: WeirPlayer): number | null {
  return renditions[now.active ?? -1]?.bitsPerSecond || null;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function seconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}
