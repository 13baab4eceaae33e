// Plays a live video with hls.js, from a page of another origin.
// Input: {playlist, seconds}. Output: {startupMs, playedSeconds, stalls, frames, levels, lowLatency,
// fatal}.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";

import { input, withChromium } from "./chromium.mjs";
import { firstFrame, noteFrames, whatWasShown } from "./frames.mjs";

const { playlist, seconds } = input();
const library = createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js");

const server = createServer((request, response) => {
  if (request.url === "/hls.js") {
    response.setHeader("content-type", "text/javascript");
    response.end(readFileSync(library));
  } else {
    response.setHeader("content-type", "text/html");
    response.end('<!doctype html><video muted></video><script src="/hls.js"></script>');
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

try {
  await withChromium(async (browser) => {
    const page = await browser.newPage();
    await noteFrames(page);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
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
} finally {
  server.close();
}
