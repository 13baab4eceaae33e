// Goes live from the browser with its fake camera and microphone, and watches with Weir's player in
// another page, in segments and then in real time.
// Input: {golive, watch, playlist, key, screenshots}; `golive` and `watch` are the pages' addresses,
// `playlist` that of the video, `screenshots` a folder or null.
// Output: {hash, sent, watching, refused, watched, realTime, after, errors}: what is left of the key in
// the address, what the page tells of the broadcast, where it says that viewers watch, what it says of a
// wrong key, what the player plays in both ways, and what the page says after the stop.

import { collectErrors, input, withChromium } from "./chromium.mjs";

const { golive, watch, playlist, key, screenshots } = input();
const fakes = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

await withChromium(async (browser) => {
  const errors = [];
  const context = await browser.newContext({ permissions: ["camera", "microphone"], viewport: { width: 1360, height: 850 } });
  const page = await context.newPage();
  collectErrors(page, errors);

  await page.goto(`${golive}#key=not-a-key`);
  await page.getByRole("button", { name: "Go live" }).click();
  await said(page, /./, /Connecting/);
  const refused = await page.locator(".said").textContent();
  errors.length = 0;

  await page.goto("about:blank");
  await page.goto(`${golive}#key=${key}`);
  const { hash } = new URL(page.url());
  await page.getByRole("button", { name: "Show preview" }).click();
  await page.waitForFunction(() => document.querySelector("meter").value > 0.2);
  await page.getByRole("button", { name: "Go live" }).click();
  await said(page, /You are live/);
  await page.waitForFunction(() => /[1-9]\d* a second/.test(document.querySelector(".frames").textContent));
  await page.waitForFunction(() => /ms/.test(document.querySelector(".trip").textContent) && !/^(–|0\.0)/.test(document.querySelector(".bitrate").textContent));
  const sent = await page.evaluate(() => Object.fromEntries(Array.from(document.querySelectorAll(".statistics dd"), (dd) => [dd.className, dd.textContent])));
  const watching = await page.locator(".watching a").getAttribute("href");
  if (screenshots) await shoot(page, "golive");

  // A viewer who comes before the first segment asks again, but the console tells of that 404.
  while (!(await fetch(playlist)).ok) await page.waitForTimeout(200);
  const viewer = await context.newPage();
  collectErrors(viewer, errors);
  await viewer.goto(watch);
  const watched = await plays(viewer);
  await viewer.mouse.move(300, 300);
  await viewer.locator("weir-player .quality").click();
  await viewer.locator("weir-player .menu").getByText("Quality").click();
  await viewer.locator("weir-player .menu").getByText("Real time").click();
  await viewer.waitForFunction(() => document.querySelector("weir-player").video.srcObject);
  const realTime = await plays(viewer);
  if (screenshots) await shoot(viewer, "realtime");
  await viewer.close();

  await page.getByRole("button", { name: "Stop" }).click();
  await said(page, /stopped/);
  const after = await page.locator(".said").textContent();
  return { hash, sent, watching, refused, watched, realTime, after, errors };
}, fakes);

/** Waits until the page says something, and not what it says first. */
function said(page, what, first = /^$/) {
  const test = ([what, first]) => {
    const text = document.querySelector(".said").textContent;
    return new RegExp(what).test(text) && !new RegExp(first).test(text);
  };
  return page.waitForFunction(test, [what.source, first.source]);
}

/** Three seconds of moving pictures and of sound. */
async function plays(page) {
  await page.waitForFunction(() => document.querySelector("weir-player").stats().startupMs !== null);
  return page.evaluate(async () => {
    const player = document.querySelector("weir-player");
    const { video } = player;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    const stream = video.srcObject ?? video.captureStream();
    context.createMediaStreamSource(stream).connect(analyser);
    const canvas = new OffscreenCanvas(64, 36);
    const drawing = canvas.getContext("2d", { willReadFrequently: true });
    const pictures = new Set();
    let loudest = 0;
    const samples = new Float32Array(analyser.fftSize);
    const { playedSeconds } = player.stats();
    const end = performance.now() + 60_000;
    while (player.stats().playedSeconds < playedSeconds + 3 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      drawing.drawImage(video, 0, 0, 64, 36);
      pictures.add(drawing.getImageData(0, 0, 64, 36).data.join());
      analyser.getFloatTimeDomainData(samples);
      loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), loudest);
    }
    await context.close();
    return { pictures: pictures.size, loudest, height: video.videoHeight, inCall: video.srcObject !== null, ...player.stats() };
  });
}

async function shoot(page, name) {
  await page.screenshot({ path: `${screenshots}/${name}.png` });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: `${screenshots}/${name}-phone.png`, fullPage: true });
  await page.setViewportSize({ width: 1360, height: 850 });
}
