// Plays streams that lie as files in a folder with `<weir-player>`, as its package for npm is, from a
// server that knows nothing but files. Input: {player: folder of the package, media: folder, plays:
// [{source, how}]}, with `how` "recorded", "live" or "refused"; a source may be absolute. Each plays
// in a page of its own, all at once. Output: an array with {message} for what is refused, and for
// the rest {seconds, height, sounds, heights, live, soundBytes, partial, errors}; `partial` counts the
// segments that began to come more than half a second before they were whole.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

import { collectErrors, input, withChromium } from "./chromium.mjs";

const DEADLINE = { timeout: 90_000, polling: 100 };
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
  ".m3u8": "application/vnd.apple.mpegurl",
  ".mpd": "application/dash+xml",
  ".mp4": "video/mp4",
  ".m4s": "video/mp4",
};

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

await withFiles((address) =>
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

function page(source) {
  return `<!doctype html><link rel="icon" href="data:,"><style>weir-player { display: block; width: 320px; height: 180px }</style>
    <script type="module" src="/player/index.js"></script>
    <weir-player src="${source.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}" muted autoplay></weir-player>
    <script type="module">
      window.player = document.querySelector("weir-player");
      window.video = player.video;
      window.messages = [];
      player.addEventListener("weir-error", ({ detail }) => messages.push(detail.message));
    </script>`;
}

/** Serves the pages, the package and the media while `use(address)` runs. */
async function withFiles(use) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://files");
    if (pathname === "/page") {
      response.writeHead(200, { "content-type": "text/html" });
      return response.end(page(searchParams.get("source")));
    }
    const moved = pathname.match(/^\/moved\/(.*)$/);
    if (moved) {
      response.writeHead(302, { location: `/media/${moved[1]}` });
      return response.end();
    }
    const [, folder, name] = pathname.match(/^\/(player|media)\/(.*)$/) ?? [];
    send(request, response, folder && join(folder === "player" ? player : media, normalize(`/${name}`)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function send(request, response, path) {
  const size = path && statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined || size === "") return response.writeHead(404).end();
  const type = TYPES[extname(path)] ?? "application/octet-stream";
  const headers = { "content-type": type, "cache-control": "no-store", "accept-ranges": "bytes" };
  const range = request.headers.range?.match(/^bytes=(\d+)-(\d*)$/);
  const first = Number(range?.[1] ?? 0);
  const last = Math.min(Number(range?.[2] || size - 1), size - 1);
  if (first > last && range) return response.writeHead(416).end();
  headers["content-length"] = last - first + 1;
  if (range) headers["content-range"] = `bytes ${first}-${last}/${size}`;
  response.writeHead(range ? 206 : 200, headers);
  const file = createReadStream(path, { start: first, end: last });
  file.on("error", () => response.destroy());
  file.pipe(response);
}
