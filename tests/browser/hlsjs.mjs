// Plays a live video with hls.js, from a page of another origin.
// Input: {playlist, seconds}. Output: {startupMs, playedSeconds, stalls, frames, levels, lowLatency,
// fatal}.

import { createRequire } from "node:module";

import { input } from "./chromium.mjs";
import { firstFrame, whatWasShown } from "./frames.mjs";
import { withLibrary } from "./library.mjs";

const { playlist, seconds } = input();
const library = createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js");

await withLibrary(library, async (page) => {
  await page.evaluate((source) => {
    const hls = new window.Hls({ lowLatencyMode: true });
    window.hls = hls;
    window.fatal = [];
    hls.on(window.Hls.Events.ERROR, (_, { fatal, details }) => fatal && window.fatal.push(details));
    hls.on(window.Hls.Events.MANIFEST_PARSED, () => document.querySelector("video").play());
    hls.loadSource(source);
    hls.attachMedia(document.querySelector("video"));
  }, playlist);
  await firstFrame(page);
  await page.waitForTimeout(seconds * 1000);
  const seen = await whatWasShown(page);
  const player = await page.evaluate(() => ({
    levels: window.hls.levels.map(({ height }) => height),
    // Of the playlist of the level that plays.
    lowLatency: window.hls.latestLevelDetails?.partList?.length > 0,
    fatal: window.fatal,
  }));
  return { ...seen, ...player };
});
