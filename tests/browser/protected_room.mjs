// The room of a protected video: who came by a link with a token talks over a socket, as in any other
// room; who came without one is told, and knocks no more.
// Whose token ends goes on with a new one, if the site gives any.
// Input: {page, token, ending}. Output: {watching, comments, polls, claps, sockets, title, knocks,
// renewed, errors}.

import { collectErrors, input, withChromium } from "./chromium.mjs";

const { page: address, token, ending } = input();
/** Where the site gives new tokens. */
const RENEWAL = "/my/renew?for=me";
/** So long nothing may be heard of who was turned away; the page asks for comments more often. */
const SILENCE_MS = 6000;

await withChromium(async (browser) => {
  const errors = [];
  const leaving = renewed(browser, errors);
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
  return { watching, comments, polls, claps, sockets, title, knocks, renewed: await leaving, errors: real };
});

/** What the page's address holds once a token that was about to end has been renewed. */
async function renewed(browser, errors) {
  const page = await (await browser.newContext()).newPage();
  collectErrors(page, errors);
  const [video] = /[op][a-z2-7]{11}$/.exec(address);
  const body = `/t/${token}/v/${video}/index.m3u8`;
  await page.route(`**${RENEWAL}`, (route) => route.fulfill({ contentType: "text/plain", body }));
  const goesOn = ["/v/", "/api/v1/videos/"].map((path) =>
    page.waitForRequest((request) => request.url().includes(`/t/${token}${path}`), { timeout: 120_000 }),
  );
  await page.goto(`${address}#token=${ending}&token-url=${encodeURIComponent(RENEWAL)}`);
  await Promise.all(goesOn);
  return page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
}

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
