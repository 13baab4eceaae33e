// One viewer: a fresh Chromium that opens a page with a player and watches for so long.
// Input: {page, end, seconds, marks, memoryEveryS}: the page's address, what to ask for when the time is
// over, whether to read the film's marks off the screen, and every how many seconds memory is measured
// beside at the end, which leaves nothing of frames and ticks; 0 is never. Output: what `bench/src/player/browser.rs` calls Seen.

import { readFileSync } from "node:fs";

import { collectErrors, input, withChromium } from "../../tests/browser/chromium.mjs";
import { noteFrames } from "../../tests/browser/frames.mjs";
import { observe } from "./observer.mjs";

const { page: address, end, seconds, marks, memoryEveryS } = input();

/** `USER_HZ`, fixed at 100 on Linux for everything that `/proc` shows. */
const TICKS_PER_S = 100;
// Without it, memory is measured whenever the browser next collects garbage by itself.
const EAGER = "--enable-blink-features=ForceEagerMeasureMemory";

await withChromium(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
  const page = await context.newPage();
  const errors = [];
  collectErrors(page, errors);
  await page.addInitScript(observe);
  if (marks) await noteFrames(page);
  const cpuBefore = await cpu(browser);
  await page.goto(address, { waitUntil: "commit" });
  const begun = Date.now();

  const memory = [];
  const left = () => begun + 1000 * seconds - Date.now();
  while (left() > 0) {
    const until = memoryEveryS > 0 ? 1000 * memoryEveryS * (memory.length + 1) : Infinity;
    await page.waitForTimeout(Math.min(left(), Math.max(0, begun + until - Date.now())));
    if (memoryEveryS > 0 && left() > 1000) memory.push(await weigh(context, page));
    // What the observer has noted is not the player's.
    if (memoryEveryS > 0) await page.evaluate(() => (observed.frames.length = observed.ticks.length = 0));
  }
  const seen = await page.evaluate(() => ({
    endedMs: performance.now(),
    frames: observed.frames,
    ticks: observed.ticks,
    fatal: window.fatal,
    marks: window.shown?.frames.filter(({ index }) => index !== null).map(({ index, atMs }) => ({ index, atMs })) ?? [],
  }));
  await fetch(end);
  const cpuS = spent(cpuBefore, await cpu(browser));
  memory.push(await weigh(context, page));
  return { ...seen, cpuS, memory, errors };
}, [EAGER]);

/** Seconds of CPU that each of the browser's processes has spent so far, by process id. */
async function cpu(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  return new Map(processInfo.map(({ id }) => [id, cpuOf(id)]));
}

function cpuOf(pid) {
  try {
    // The name, in parentheses, may hold anything; what follows it is proc(5)'s from field 3 on.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1).split(" ");
    return (Number(fields[14 - 3]) + Number(fields[15 - 3])) / TICKS_PER_S;
  } catch {
    return 0; // It has ended since.
  }
}

function spent(before, after) {
  let sum = 0;
  for (const [pid, seconds] of after) sum += seconds - (before.get(pid) ?? 0);
  return sum;
}

/**
 * Memory after a collection of garbage: `heapBytes` of the page's own JavaScript, `wasmBytes` of its
 * WebAssembly, and `allBytes`, what the browser counts for the page with its workers.
 */
async function weigh(context, page) {
  const session = await context.newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  const { atMs, wasmBytes, allBytes } = await page.evaluate(async () => ({
    atMs: performance.now(),
    wasmBytes: observed.wasmBytes(),
    allBytes: (await performance.measureUserAgentSpecificMemory()).bytes,
  }));
  return { atMs, heapBytes: usedSize, wasmBytes, allBytes };
}
