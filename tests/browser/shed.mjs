// Players that play a rung while the transcoder sheds it, side by side in Chromium. Ours is told to
// play that one, the others to play nothing better.
// Input: {plays: {name: {player, source, limit}}, page, rung, height, transcoder, status, token}: the watch
// page; the rung's name and lines; the transcoder's process id; the operator's address of the video,
// whose answer names what is shed, and the token for it. Each player plays the rung; then the transcoder's
// process is made slow until it sheds the rung; then each has to play another one for five seconds.
// Output: {shed, complaints: {name: [complaint]}, back}: what was shed, what was wrong, and
// whether Weir's player is on the rung again once it is made again.

import { input, withChromium } from "./chromium.mjs";
import { frameNoter } from "./frames.mjs";
import { placeOf, withTheatre } from "./theatre.mjs";

const PATIENCE_MS = 60_000;
const SECONDS = 5;
const given = input();

await withTheatre((addressOf) =>
  withChromium(async (browser) => {
    const names = Object.keys(given.plays);
    const page = await browser.newPage({ viewport: { width: 1300, height: 800 } });
    await page.goto(addressOf(Object.values(given.plays)));
    const frames = names.map((_, at) => page.frames().find((frame) => placeOf(frame) === at));
    const weir = await watchPage(browser);
    const watched = [...frames.map((frame, at) => [names[at], frame]), ["Weir", weir]];
    for (const [name, where] of watched) {
      await holds(name, where, "a first frame", () => window.shown?.firstFrameAtMs && window.player);
    }
    for (const [name, where] of watched) await holds(name, where, "the rung", isShown, given.height);

    const shed = await slowUntilShed(given.transcoder);
    const told = watched.map(async ([name, where]) => [name, await complaints(name, where)]);
    const complained = Object.fromEntries(await Promise.all(told));
    await until("the rung is made again", async () => (await whatIsShed()).length === 0);
    await holds("Weir", weir, "the rung again", isShown, given.height);
    return { shed, complaints: complained, back: true };
  }),
);

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

/** It leaves the rung by itself and plays on. */
async function complaints(name, where) {
  try {
    await holds(name, where, "another rendition", (height) => window.shown.video.videoHeight !== height, given.height);
    const from = await where.evaluate(() => window.shown.video.currentTime);
    await holds(name, where, `${SECONDS} s more`, ([from, s]) => window.shown.video.currentTime > from + s, [from, SECONDS]);
    return await where.evaluate(() => window.fatal);
  } catch (error) {
    return [error.message, ...(await where.evaluate(() => window.fatal))];
  }
}

/** Lets the process run for a smaller and smaller share of the time, as if the machine were slow. */
async function slowUntilShed(pid) {
  const turn = 200;
  let share = 0.5;
  try {
    for (let turns = 0; ; turns += 1) {
      const shed = turns % 5 === 0 ? await whatIsShed() : [];
      if (shed.length > 0) return shed;
      if (turns * turn > PATIENCE_MS) throw new Error("nothing is shed");
      if (turns % 10 === 9) share *= 0.8;
      process.kill(pid, "SIGCONT");
      await pause(turn * share);
      process.kill(pid, "SIGSTOP");
      await pause(turn * (1 - share));
    }
  } finally {
    process.kill(pid, "SIGCONT");
  }
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
      const { video } = window.shown;
      const buffered = Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
      return [video.currentTime, video.readyState, video.videoHeight, buffered, window.fatal];
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
