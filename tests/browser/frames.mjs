// Reads the marks in the demo film back from the screen: which frame was shown, and when.
// `film.json` holds where the marks are; `crates/xtask/src/film.rs` draws them.

import { readFileSync } from "node:fs";

import { PATIENCE_MS } from "./chromium.mjs";

export const film = JSON.parse(readFileSync(new URL("film.json", import.meta.url), "utf8"));

/**
 * Before a page's own scripts run: finds its first video element, also in a shadow root, and from
 * then on notes every frame that is shown in `window.shown`:
 * `{firstFrameAtMs, frames: [{index, atMs, reckonedMs}], stalls}`. Times are Unix ms; an index is
 * null where the marks can't be read; `reckonedMs` is the latency by the player's own reckoning, if
 * it has one.
 */
export async function noteFrames(page) {
  await page.addInitScript(frameNoter());
}

/** What `noteFrames` has a page run, for pages that bring it along themselves. */
export function frameNoter() {
  const size = JSON.stringify([film.width, film.height]);
  return `window.filmSize = ${size}; (${noteFramesInPage})(${JSON.stringify(film.marks)});`;
}

/** Waits for the first frame. */
export async function firstFrame(page) {
  await page.waitForFunction(() => window.shown?.firstFrameAtMs, null, { timeout: PATIENCE_MS });
}

/**
 * Lets its video play for so many seconds, and for as long beyond as a busy machine may take to play
 * that much; what it has shown by then is for the caller to judge.
 */
export async function plays(page, seconds) {
  const before = await page.evaluate(playedSeconds);
  const begun = Date.now();
  await page.waitForTimeout(1000 * seconds);
  while ((await page.evaluate(playedSeconds)) < before + seconds && Date.now() < begun + 1000 * seconds + PATIENCE_MS) {
    await page.waitForTimeout(250);
  }
}

function playedSeconds() {
  const { played } = window.shown.video;
  let seconds = 0;
  for (let i = 0; i < played.length; i += 1) seconds += played.end(i) - played.start(i);
  return seconds;
}

function noteFramesInPage(marks) {
  const shown = { firstFrameAtMs: null, frames: [], stalls: 0, video: null };
  window.shown = shown;

  const findVideo = (root) => {
    for (const element of root.querySelectorAll("*")) {
      const video = element instanceof HTMLVideoElement ? element : null;
      const found = video ?? (element.shadowRoot && findVideo(element.shadowRoot));
      if (found) return found;
    }
    return null;
  };

  const look = () => {
    const video = findVideo(document);
    if (video) note(video);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);

  const note = (video) => {
    shown.video = video;
    const read = reader(video);
    const onFrame = (now, metadata) => {
      const atMs = performance.timeOrigin + Math.max(now, metadata.expectedDisplayTime);
      shown.firstFrameAtMs ??= atMs;
      const reckonedMs = video.getRootNode().host?.latencyMs ?? null;
      shown.frames.push({ index: read(), atMs, reckonedMs, width: video.videoWidth });
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
    video.addEventListener("waiting", () => {
      if (shown.firstFrameAtMs && !video.seeking) shown.stalls += 1;
    });
  };

  // Each cell is drawn as 4 by 4 pixels, of which the inner 2 by 2 count.
  const reader = (video) => {
    const size = 4;
    const canvas = new OffscreenCanvas(marks.bits * size, 2 * size);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    return () => {
      const scale = video.videoWidth / window.filmSize[0];
      const from = [marks.left, marks.top, marks.bits * marks.cellWidth, 2 * marks.cellHeight];
      context.drawImage(video, ...from.map((n) => n * scale), 0, 0, canvas.width, canvas.height);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const green = (x, y) => data[4 * (y * canvas.width + x) + 1];
      const cell = (bit, row) => {
        const [x, y] = [bit * size + 1, row * size + 1];
        return (green(x, y) + green(x + 1, y) + green(x, y + 1) + green(x + 1, y + 1)) / 4;
      };
      let index = 0;
      for (let bit = 0; bit < marks.bits; bit += 1) {
        const contrast = cell(bit, 0) - cell(bit, 1);
        if (Math.abs(contrast) < 80) return null;
        index = index * 2 + (contrast > 0 ? 1 : 0);
      }
      return index;
    };
  };
}

/** What a page has shown so far, with the seconds that its video has played. */
export async function whatWasShown(page) {
  const shown = await page.evaluate(() => {
    const { frames, stalls, firstFrameAtMs } = window.shown;
    return { startupMs: firstFrameAtMs - performance.timeOrigin, stalls, frames };
  });
  return { ...shown, playedSeconds: await page.evaluate(playedSeconds) };
}
