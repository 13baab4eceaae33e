// Players that play a rung while the transcoder sheds it, one after the other in Chromium. Ours is told to
// play that one, the others to play nothing better.
// Input: {plays: {name: {player, source, limit}}, page, rung, height, playlist, switch, status, token}:
// the watch page; the rung's name, lines and media playlist; where a file has to be for the rung to be
// shed; the operator's address of the video, whose answer names what is shed, and the token for it. Each
// player plays the rung; then it is shed, and the player has to play another one for five seconds.
// Output: {shed: {name: [rung]}, complaints: {name: [complaint]}, back}: what was shed, what was wrong,
// and whether Weir's player is on the rung again once it is made again.

import { rmSync, writeFileSync } from "node:fs";

import { PATIENCE_MS, input, withChromium } from "./chromium.mjs";
import { frameNoter } from "./frames.mjs";
import { placeOf, withTheatre } from "./theatre.mjs";

const SECONDS = 5;
/** Segments of the rung that lie behind a player when it begins. */
const SEGMENTS = 4;
const given = input();
const shed = {};
const complaints = {};

await withTheatre((addressOf) =>
  withChromium(async (browser) => {
    for (const [name, play] of Object.entries(given.plays)) {
      const page = await browser.newPage();
      await page.goto(addressOf([play]));
      await leaves(name, page.frames().find((frame) => placeOf(frame) === 0));
      await page.close();
      rmSync(given.switch);
      await until("the rung is made again", isMade);
    }
    const page = await watchPage(browser);
    await leaves("Weir", page);
    rmSync(given.switch);
    await holds("Weir", page, "the rung again", isShown, given.height);
    return { shed, complaints, back: true };
  }),
);

/** The player of `where` plays the rung; it is shed, and the player leaves it by itself and plays on. */
async function leaves(name, where) {
  await holds(name, where, "a first frame", () => window.shown?.firstFrameAtMs && window.player);
  await holds(name, where, "the rung", isShown, given.height);
  writeFileSync(given.switch, "");
  await until("the rung is shed", async () => (await whatIsShed()).length > 0);
  shed[name] = await whatIsShed();
  complaints[name] = await complaintsAbout(name, where);
}

async function watchPage(browser) {
  const page = await browser.newPage();
  await page.addInitScript(frameNoter());
  await page.goto(given.page);
  await page.waitForFunction((rung) => document.querySelector("weir-player").renditions.some(({ name }) => name === rung), given.rung);
  await page.evaluate((rung) => {
    const element = document.querySelector("weir-player");
    window.fatal = [];
    element.addEventListener("weir-error", ({ detail }) => window.fatal.push(detail.message));
    window.player = element;
    element.chooseRendition(rung);
  }, given.rung);
  return page;
}

function isShown(height) {
  return window.shown.video.videoHeight === height;
}

async function complaintsAbout(name, where) {
  try {
    await holds(name, where, "another rendition", (height) => window.shown.video.videoHeight !== height, given.height);
    const from = await where.evaluate(() => window.shown.video.currentTime);
    await holds(name, where, `${SECONDS} s more`, ([from, s]) => window.shown.video.currentTime > from + s, [from, SECONDS]);
    return await where.evaluate(() => window.fatal);
  } catch (error) {
    return [error.message, ...(await where.evaluate(() => window.fatal))];
  }
}

/** The newest segments of the rung have media. */
async function isMade() {
  const lines = (await (await fetch(given.playlist)).text()).split("\n");
  const gaps = [];
  let gap = false;
  for (const line of lines) {
    if (line === "#EXT-X-GAP") gap = true;
    if (line === "" || line.startsWith("#")) continue;
    gaps.push(gap);
    gap = false;
  }
  return gaps.length >= SEGMENTS && !gaps.slice(-SEGMENTS).includes(true);
}

async function whatIsShed() {
  const answer = await fetch(given.status, { headers: { authorization: `Bearer ${given.token}` } });
  return ((await answer.json()).shed ?? []).map(({ rendition }) => rendition);
}

async function holds(name, where, what, test, argument = null) {
  try {
    await until(what, () => where.evaluate(test, argument));
  } catch (error) {
    const now = await where.evaluate(() => {
      const { video } = window.shown ?? {};
      if (!video) return window.fatal;
      const buffered = Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
      return [video.currentTime, video.paused, video.readyState, video.videoHeight, buffered, window.fatal];
    });
    throw new Error(`${name}: ${error.message} ${JSON.stringify(now)}`);
  }
}

async function until(what, test) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await test())) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await pause(100);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
