// The room of a protected video: who came by a link with a token talks over a socket, as in any other
// room; who came without one is told, and knocks no more.
// Input: {page, token}. Output: {watching, comments, polls, claps, sockets, title, knocks, errors}.

import { collectErrors, input, withChromium } from "./chromium.mjs";

const { page: address, token } = input();
/** So long nothing may be heard of who was turned away; the page asks for comments more often. */
const SILENCE_MS = 6000;

await withChromium(async (browser) => {
  const errors = [];
  const ada = await open(browser, `${address}#token=${token}`, errors);
  const ben = await open(browser, `${address}#token=${token}`, errors);
  await ben.waitForFunction(() => document.querySelector(".watching").textContent === "2 watching");
  const watching = await ben.locator(".watching").textContent();
  let polls = 0;
  ben.on("request", (request) => {
    if (request.method() === "GET" && request.url().includes("/comments")) polls += 1;
  });
  await ada.locator("[name=author]").fill("Ada");
  await ada.locator("[name=text]").fill("Among ourselves");
  await ada.getByRole("button", { name: "Send" }).click();
  await ben.locator(".list li", { hasText: "Among ourselves" }).waitFor();
  const comments = await ben.locator(".list li:not(.notice) p").allTextContents();
  await ben.getByRole("button", { name: "Clap" }).click();
  await ada.waitForFunction(() => document.querySelector(".react[title=Clap] small").textContent === "1");
  const claps = await ada.locator(".react[title=Clap] small").textContent();
  const sockets = await ben.evaluate(() => window.sockets.map((url) => new URL(url).pathname));

  const stranger = await open(browser, address, []);
  await stranger.locator(".title", { hasText: "not, or no longer" }).waitFor();
  const title = await stranger.locator(".title").textContent();
  let knocks = 0;
  stranger.on("request", (request) => {
    if (/\/comments|\/room/.test(request.url())) knocks += 1;
  });
  await stranger.waitForTimeout(SILENCE_MS);
  knocks += await stranger.evaluate(() => window.sockets.length);

  // The video has yet to begin, and a browser logs each request that fails.
  const real = errors.filter((error) => !/index\.m3u8/.test(error));
  return { watching, comments, polls, claps, sockets, title, knocks, errors: real };
});

async function open(browser, url, errors) {
  const page = await (await browser.newContext()).newPage();
  collectErrors(page, errors);
  await page.addInitScript(noteSockets);
  await page.goto(url);
  return page;
}

/** Runs in the page. */
function noteSockets() {
  window.sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(url, ...args) {
      super(url, ...args);
      window.sockets.push(String(url));
    }
  };
}
