// What was counted: views, likes, and the quality that viewers got.

import { getStats } from "./api";
import { count, make, one, poll } from "./dom";

const POLL_MS = 5000;

const lines: { event: string; fn: "sum" | "avg"; label: string; show: (n: number) => string }[] = [
  { event: "watch", fn: "sum", label: "Watched", show: hours },
  { event: "startup", fn: "avg", label: "Startup", show: milliseconds },
  { event: "latency", fn: "avg", label: "Latency", show: milliseconds },
  { event: "bitrate", fn: "avg", label: "Bitrate", show: (n) => `${(n / 1000).toFixed(1)} Mbit/s` },
];

export function showStatistics(video: string): void {
  const list = one(".statistics");
  const entries = lines.map(({ label }) => {
    const value = make("dd", "", "–");
    list.append(make("div", "", make("dt", "", label), value));
    return value;
  });
  poll(POLL_MS, async () => {
    const views = await getStats(video, "view", "count");
    one(".views").textContent = plural(views.total ?? 0, "view");
    const likes = (await getStats(video, "like", "count")).total ?? 0;
    one(".likes").textContent = likes > 0 ? count(likes) : "";
    for (const [index, { event, fn, show }] of lines.entries()) {
      const { total } = await getStats(video, event, fn);
      const entry = entries[index];
      if (entry) entry.textContent = total === null ? "–" : show(total);
    }
  });
}

function plural(n: number, word: string): string {
  return `${count(n)} ${word}${n === 1 ? "" : "s"}`;
}

function hours(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function milliseconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
