// Plays so many seconds of a video with one player from npm, from a page of another origin.
// Input: {player: "hlsjs" | "shaka" | "dashjs", source, seconds}. Output: {startupMs, playedSeconds,
// stalls, frames, live, latencyMs, heights, lowLatency, partial, fatal}; `partial` counts the
// segments of DASH that began to come more than half a second before they were whole.

import { input, withChromium } from "./chromium.mjs";
import { firstFrame, plays, whatWasShown } from "./frames.mjs";
import { placeOf, withTheatre } from "./theatre.mjs";

const { player, source, seconds } = input();

await withTheatre((addressOf) =>
  withChromium(async (browser) => {
    const page = await browser.newPage();
    await page.goto(addressOf([{ player, source }]));
    const frame = page.frames().find((frame) => placeOf(frame) === 0);
    await firstFrame(frame);
    await plays(frame, seconds);
    const seen = await whatWasShown(frame);
    const told = await frame.evaluate(() => ({ ...window.player.told(), fatal: window.fatal }));
    const partial = await frame.evaluate(
      () =>
        performance
          .getEntriesByType("resource")
          .filter(({ name, responseStart, responseEnd }) => /\/dash-\d+\.m4s$/.test(name) && responseEnd - responseStart > 500).length,
    );
    return { ...seen, ...told, partial };
  }),
);
