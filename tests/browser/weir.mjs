// Plays a live video on the watch page with Weir's own player, for so many seconds of it.
// Input: {page, seconds}. Output: {startupMs, playedSeconds, stalls, frames, origins, errors}.

import { collectErrors, input, withChromium } from "./chromium.mjs";
import { firstFrame, noteFrames, plays, whatWasShown } from "./frames.mjs";

const { page: address, seconds } = input();

await withChromium(async (browser) => {
  const errors = [];
  const origins = new Set();
  const page = await browser.newPage();
  collectErrors(page, errors);
  page.on("request", (request) => origins.add(new URL(request.url()).origin));
  await noteFrames(page);
  await page.goto(address);
  await firstFrame(page);
  await plays(page, seconds);
  const seen = await whatWasShown(page);
  return { ...seen, origins: [...origins].filter((origin) => origin !== "null"), errors };
});
