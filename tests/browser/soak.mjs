// Watches a broadcast with Weir's own player for a long time, whatever happens to it.
// Input: {page, seconds}. Output: {playedSeconds, stalls, longestStillSeconds, errors}.

import { input, withChromium } from "./chromium.mjs";

const { page: address, seconds } = input();

/** Nothing new on screen for so long counts as a stall, in seconds. */
const STILL = 1;

await withChromium(async (browser) => {
  const errors = [];
  const page = await browser.newPage();
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(address);
  // A player that begins anew counts from 0 again.
  let [before, played, changed, stalls, longest, still] = [0, 0, Date.now(), 0, 0, false];
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    await page.waitForTimeout(250);
    const now = await page.evaluate(() => {
      const player = document.querySelector("weir-player");
      return { played: player.stats().playedSeconds, error: player.video.error?.message ?? null };
    });
    if (now.error !== null && !errors.includes(now.error)) {
      errors.push(now.error);
    }
    if (now.played < played) {
      [before, played] = [before + played, 0];
    }
    const quiet = (Date.now() - changed) / 1000;
    if (now.played > played) {
      longest = Math.max(longest, quiet);
      [played, changed, still] = [now.played, Date.now(), false];
    } else if (quiet > STILL && !still && before + played > 0) {
      [stalls, still] = [stalls + 1, true];
    }
  }
  longest = Math.max(longest, (Date.now() - changed) / 1000);
  return { playedSeconds: before + played, stalls, longestStillSeconds: longest, errors };
});
