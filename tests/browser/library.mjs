// A page of another origin, with a video element and a player from npm.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { withChromium } from "./chromium.mjs";
import { noteFrames } from "./frames.mjs";

/** Opens the page with the script `file` in Chromium, with frames noted, and answers what `play` does. */
export async function withLibrary(file, play) {
  const server = createServer((request, response) => {
    if (request.url === "/library.js") {
      response.setHeader("content-type", "text/javascript");
      response.end(readFileSync(file));
    } else {
      response.setHeader("content-type", "text/html");
      response.end('<!doctype html><video muted></video><script src="/library.js"></script>');
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await withChromium(async (browser) => {
      const page = await browser.newPage();
      await noteFrames(page);
      await page.goto(`http://127.0.0.1:${server.address().port}/`);
      return await play(page);
    });
  } finally {
    server.close();
  }
}
