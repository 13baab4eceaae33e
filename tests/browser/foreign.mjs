// Plays streams that lie as files in a folder with `<weir-player>`, as its package for npm is, from a
// server that knows nothing but files. Input: {player: folder of the package, media: folder, plays:
// [{source, how}]}, with `how` "recorded", "live" or "refused"; a source may be absolute. Each plays
// in a page of its own, all at once. Output: an array with {message} for what is refused, and for
// the rest {seconds, height, sounds, heights, live, soundBytes, partial, errors}; `partial` counts the
// segments that began to come more than half a second before they were whole.

import { collectErrors, input, withChromium } from "./chromium.mjs";
import { withFiles } from "./files.mjs";

const DEADLINE = { timeout: 90_000, polling: 100 };

const { player, media, plays } = input();

const ways = {
  /** From the first frame, over a seek, to the end. */
  async recorded(page) {
    await reaches(page, 1.5);
    const seconds = await page.evaluate(() => video.duration);
    await page.evaluate(() => player.seekToShare(0.6));
    await reaches(page, 0.6 * seconds + 0.5);
    await page.waitForFunction(() => player.state.phase === "ended", undefined, DEADLINE);
    return told(page);
  },

  async live(page) {
    await page.waitForFunction(() => player.state?.startupMs != null, undefined, DEADLINE);
    const { at } = await told(page);
    await reaches(page, at + 8);
    return told(page);
  },

  async refused(page) {
    await page.waitForFunction(() => messages.length > 0, undefined, DEADLINE);
    return { message: await page.evaluate(() => messages[0]) };
  },
};

await withFiles(player, media, (address) =>
  withChromium((browser) => Promise.all(plays.map((play) => watch(browser, address, play)))),
);

async function watch(browser, address, { source, how }) {
  const page = await browser.newPage();
  const errors = [];
  collectErrors(page, errors);
  try {
    await page.goto(`${address}/page?${new URLSearchParams({ source })}`);
    const outcome = await ways[how](page);
    return { ...outcome, errors };
  } catch (error) {
    error.message = `${source}: ${error.message} ${JSON.stringify(await told(page))} ${errors}`;
    throw error;
  } finally {
    await page.close();
  }
}

function reaches(page, seconds) {
  return page.waitForFunction((seconds) => video.currentTime >= seconds, seconds, DEADLINE);
}

function told(page) {
  return page.evaluate(() => ({
    at: video.currentTime,
    seconds: video.duration,
    height: video.videoHeight,
    heights: player.renditions.map(({ height }) => height),
    sounds: player.sounds.map(({ language }) => language),
    live: player.state?.live ?? null,
    phase: player.state?.phase ?? null,
    soundBytes: video.webkitAudioDecodedByteCount,
    partial: performance
      .getEntriesByType("resource")
      .filter(({ name, responseStart, responseEnd }) => name.endsWith(".m4s") && responseEnd - responseStart > 500).length,
    buffered: Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]),
    messages,
  }));
}
