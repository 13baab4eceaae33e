// Has players play a video side by side in one browser, as a viewer would use them.
// Input: {browser: "chromium" | "firefox", plays: {name: {player, source}}, page, source, seconds,
// fromMs, acrossMs, toEnd}; `page` is the watch page, where Weir's player is given `source`. Each
// player has to show its first frame; then, if `fromMs` is given, to seek there (dates of the stream, Unix ms);
// then to play for so many seconds, and over `acrossMs`, where the film begins anew; then, `toEnd`,
// to seek close to the end and reach it. Output: {name: [complaint]}, empty for a player that did
// all that.

import { PATIENCE_MS, input, withChromium } from "./chromium.mjs";
import { withFirefox } from "./firefox.mjs";
import { frameNoter } from "./frames.mjs";
import { placeOf, withTheatre } from "./theatre.mjs";

const given = input();

await withTheatre(async (addressOf) => {
  const launch = { chromium: withChromium, firefox: withFirefox }[given.browser];
  await launch(async (browser) => {
    const names = Object.keys(given.plays);
    const page = await browser.newPage();
    await page.goto(addressOf(Object.values(given.plays)));
    const frames = names.map((_, at) => page.frames().find((frame) => placeOf(frame) === at));
    const watched = frames.map((frame, at) => [names[at], frame]);
    watched.push(["Weir", await watchPage(browser)]);
    const told = watched.map(async ([name, where]) => [name, await complaints(where)]);
    return Object.fromEntries(await Promise.all(told));
  });
});

/** The watch page in a window of its own, dressed as the other players are. */
async function watchPage(browser) {
  const page = await (given.browser === "firefox" ? browser.newPage({ type: "window" }) : browser.newPage());
  if (page.addInitScript) await page.addInitScript(frameNoter());
  else await page.evaluateOnNewDocument(frameNoter());
  await page.goto(given.page);
  await page.evaluate((source) => {
    const element = document.querySelector("weir-player");
    if (source !== element.getAttribute("src")) element.setAttribute("src", source);
    window.fatal = [];
    element.addEventListener("weir-error", ({ detail }) => window.fatal.push(detail.message));
    window.player = { dateMs: () => element.stats().playheadPdtMs, seekBy: (seconds) => element.seekBy(seconds) };
  }, given.source);
  return page;
}

async function complaints(where) {
  try {
    await holds(where, "a first frame", () => window.shown?.firstFrameAtMs);
    if (given.fromMs !== null) await seek(where);
    await plays(where);
    if (given.toEnd) await reachesTheEnd(where);
  } catch (error) {
    const fatal = await where.evaluate(() => window.fatal).catch(() => []);
    return [error.message, ...fatal];
  }
  return where.evaluate(() => window.fatal);
}

/** Paused, so that it can be said where a busy machine got to. */
async function seek(where) {
  await holds(where, "a date", () => window.player?.dateMs());
  await where.evaluate((fromMs) => {
    window.shown.video.pause();
    window.player.seekBy((fromMs - window.player.dateMs()) / 1000);
  }, given.fromMs);
  const there = (fromMs) => {
    const { video } = window.shown;
    return !video.seeking && video.readyState > 2 && Math.abs(window.player.dateMs() - fromMs) < 3500;
  };
  await holds(where, "the time sought", there, given.fromMs);
  await where.evaluate(() => void window.shown.video.play());
}

/** As long as it is to, with the marks of the film in their order. */
async function plays(where) {
  const [first, from] = await where.evaluate(() => [window.shown.frames.length, window.shown.video.currentTime]);
  const enough = ([from, seconds]) => window.shown.video.currentTime > from + seconds;
  await holds(where, `${given.seconds} s played`, enough, [from, given.seconds]);
  if (given.acrossMs) {
    await holds(where, "what is after the break", (ms) => window.player.dateMs() > ms + 1000, given.acrossMs);
  }
  const marks = await where.evaluate((first) => window.shown.frames.slice(first).map(({ index }) => index), first);
  const read = marks.filter((index) => index !== null);
  const back = read.filter((index, at) => index < read[at - 1]).length;
  // A film of 24 s that is pushed again and again; 24 pictures a second, of which a busy machine
  // may not draw all.
  const most = given.acrossMs ? 2 : 1;
  if (read.length < 2 * given.seconds || read.length < 0.8 * marks.length) throw new Error(`${read.length} of ${marks.length} marks can be read`);
  if (back > most || (given.acrossMs && back === 0)) throw new Error(`the film goes back ${back} times: ${read}`);
}

async function reachesTheEnd(where) {
  await where.evaluate(() => {
    const { video } = window.shown;
    video.currentTime = video.duration - 1.5;
  });
  // An encoder that was killed leaves sound and picture of unequal length, which not every player
  // calls the end.
  await holds(where, "the end", () => {
    const { video } = window.shown;
    return video.ended || video.currentTime > video.duration - 0.5;
  });
}

/** Waits until `test(argument)` holds there. A page's policy may forbid what `waitForFunction` does. */
async function holds(where, what, test, argument = null) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await where.evaluate(test, argument))) {
    if (Date.now() > deadline) {
      const { date, video, frames } = await where.evaluate(() => {
        const { video, frames } = window.shown;
        const buffered = video && Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
        return { date: window.player?.dateMs(), video: video && [video.currentTime, video.duration, video.paused, video.readyState, ...buffered], frames: frames.length };
      });
      throw new Error(`not within ${PATIENCE_MS} ms: ${what}; ${frames} frames, at ${date}, ${JSON.stringify(video)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
