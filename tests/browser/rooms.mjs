// Two people watch one video: what one writes or feels, the other sees at once; who was cut off gets
// what it missed, once.
// Input: {page, api, screenshots}; `api` is the video's address in the API, `screenshots` a folder or
// null. Output: {commentMs, comments, watching, claps, polls, missed, role, errors}.

import { collectErrors, input, withChromium } from "./chromium.mjs";

const { page: address, api, screenshots } = input();
const DESKTOP = { viewport: { width: 1360, height: 850 } };

await withChromium(async (browser) => {
  const errors = [];
  const ada = await open(browser, errors);
  const ben = await open(browser, errors);
  let polls = 0;
  ben.on("request", (request) => {
    if (request.method() === "GET" && request.url().includes("/comments")) polls += 1;
  });

  await ben.waitForFunction(() => document.querySelector(".watching").textContent === "2 watching");
  const watching = await ben.locator(".watching").textContent();
  const began = performance.now();
  await write(ada, "Ada", "Hello");
  await shows(ben, "Hello");
  const commentMs = performance.now() - began;
  await write(ben, "Ben", "Hello back");
  await shows(ada, "Hello back");
  await shows(ben, "Hello back");
  const comments = await listed(ben);

  await ada.getByRole("button", { name: "Clap" }).click();
  await ben.waitForFunction(() => document.querySelector(".react[title=Clap] small").textContent === "1");
  const claps = await ben.locator(".react[title=Clap] small").textContent();
  if (screenshots) await shoot(ada, ben);
  const polled = polls;

  // Ben's connection breaks for a while.
  await ben.context().setOffline(true);
  await ben.evaluate(() => window.sockets.forEach((socket) => socket.close()));
  const cut = await ben.evaluate(() => document.querySelector(".list").childElementCount);
  await post("While you were away");
  await post("And again");
  await ben.context().setOffline(false);
  await shows(ben, "And again");
  const missed = (await listed(ben)).slice(cut);
  const role = await ben.locator(".list").getAttribute("role");
  // A browser logs each request that fails: while it is offline, and for a video that has yet to begin.
  const expected = /ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|index\.m3u8/;
  const real = errors.filter((error) => !expected.test(error));
  return { commentMs, comments, watching, claps, polls: polled, missed, role, errors: real };
});

async function open(browser, errors) {
  const page = await (await browser.newContext(DESKTOP)).newPage();
  collectErrors(page, errors);
  await page.addInitScript(keepSockets);
  await page.goto(address);
  // A number of viewers is shown once the socket stands.
  await page.locator(".watching").waitFor();
  return page;
}

/** Runs in the page: what it opens can be cut. */
function keepSockets() {
  window.sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      window.sockets.push(this);
    }
  };
}

async function write(page, author, text) {
  await page.locator("[name=author]").fill(author);
  await page.locator("[name=text]").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

function shows(page, text) {
  return page.locator(".list li", { hasText: text }).first().waitFor();
}

function listed(page) {
  return page.evaluate(() =>
    Array.from(document.querySelectorAll(".list li:not(.notice)"), (li) => `${li.querySelector("b").textContent}: ${li.querySelector("p").textContent}`),
  );
}

/** As another viewer would. */
async function post(text) {
  const answer = await fetch(`${api}/comments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ author: "Ada", text }),
  });
  if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
}

async function shoot(ada, ben) {
  const talk = ["The light in this scene!", "How far behind live are you?", "2.1 seconds here", "Same 👌", "Here comes the butterfly"];
  for (const [n, text] of talk.entries()) await write(n % 2 ? ada : ben, n % 2 ? "Ada" : "Ben", text);
  await shows(ben, talk.at(-1));
  for (const name of ["Heart", "Fire", "Clap", "Heart"]) {
    await ada.getByRole("button", { name }).click();
    await ada.waitForTimeout(300);
  }
  await ben.screenshot({ path: `${screenshots}/rooms.png` });
  await ben.setViewportSize({ width: 390, height: 844 });
  await ben.locator(".comments").scrollIntoViewIfNeeded();
  await ada.getByRole("button", { name: "Laugh" }).click();
  await ben.waitForTimeout(400);
  await ben.screenshot({ path: `${screenshots}/rooms-phone.png` });
  await ben.setViewportSize(DESKTOP.viewport);
}
