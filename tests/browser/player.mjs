// The watch page as people use it. Input: {page, cases, …}; each case below says what it needs
// beside the page's address. A case that fails throws; the output is {passed: [case, …]}.

import assert from "node:assert/strict";

import { PATIENCE_MS, collectErrors, input, withChromium } from "./chromium.mjs";

const DESKTOP = { viewport: { width: 1360, height: 850 } };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

const cases = { mouse, keyboard, comments, phone, gap, end };

const given = input();

await withChromium(async (browser) => {
  for (const name of given.cases) {
    const context = await browser.newContext(name === "phone" ? PHONE : DESKTOP);
    const page = await context.newPage();
    const errors = [];
    collectErrors(page, errors);
    try {
      await page.goto(given.page);
      await advances(page, 2);
      await cases[name](page, errors);
    } catch (error) {
      error.message = `${name}: ${error.message} ${JSON.stringify(await stats(page))} ${errors}`;
      throw error;
    }
    await context.close();
  }
  return { passed: given.cases };
});

/** Controls by mouse: play, mute, the quality menu. */
async function mouse(page, errors) {
  await awake(page);
  await control(page, ".toggle").click();
  await until(page, ([player]) => player.video.paused);
  await control(page, ".toggle").click();
  await advances(page, 1);
  await awake(page);
  await control(page, ".mute").click();
  await until(page, ([player]) => player.video.muted);

  await choose(page, "Quality", "480p");
  await until(page, ([player]) => player.stats().rendition === "480p" && player.video.videoHeight === 480);
  await choose(page, "Quality", "source");
  await until(page, ([player]) => player.stats().rendition === "source" && player.video.videoHeight > 480);

  await until(page, ([player]) => /\d s/.test(player.shadowRoot.querySelector(".latency").textContent));
  assert.deepEqual(errors, []);
}

/** Keys work before anything was clicked, and not while writing. */
async function keyboard(page) {
  await page.keyboard.press("k");
  await until(page, ([player]) => player.video.paused);
  await page.keyboard.press("Space");
  await until(page, ([player]) => !player.video.paused);
  await page.keyboard.press("m");
  await until(page, ([player]) => player.video.muted);

  const before = await position(page);
  await page.keyboard.press("ArrowLeft");
  await until(page, ([player, before]) => player.video.currentTime < before, before);
  await advances(page, 0.5);
  const live = control(page, ".live");
  assert.equal(await live.getAttribute("aria-pressed"), "false");
  await page.keyboard.press("l");
  await until(page, ([player]) => player.shadowRoot.querySelector(".live").ariaPressed === "true");
  await advances(page, 0.5);

  await page.keyboard.press("f");
  await page.waitForFunction(() => document.fullscreenElement?.localName === "weir-player");
  await page.keyboard.press("f");
  await page.waitForFunction(() => !document.fullscreenElement);

  await page.locator("[name=author]").fill("");
  await page.locator("[name=author]").press("k");
  assert.equal(await page.locator("[name=author]").inputValue(), "k");
  assert.equal(await page.evaluate(() => document.querySelector("weir-player").video.paused), false);

  // Every control can be reached by Tab and has a name.
  const nameless = await page.evaluate(() => {
    const controls = document.querySelector("weir-player").shadowRoot.querySelectorAll("button, input");
    return Array.from(controls)
      .filter((control) => control.checkVisibility())
      .filter((control) => !(control.ariaLabel || control.textContent.trim()))
      .map((control) => control.className);
  });
  assert.deepEqual(nameless, []);
}

/** Comments and likes arrive, and the view is counted. */
async function comments(page) {
  await page.locator("[name=author]").fill("Ada");
  await page.locator("[name=text]").fill("<b>Hello</b> from a test");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".list li", { hasText: "<b>Hello</b> from a test" }).waitFor();
  assert.equal(await page.locator(".list li b", { hasText: "Ada" }).count(), 1);
  await page.locator(".like").click();
  assert.equal(await page.locator(".like").getAttribute("aria-pressed"), "true");
  await page.waitForFunction(() => /^[1-9]/.test(document.querySelector(".views").textContent));
  await page.waitForFunction(() => document.querySelector(".likes").textContent === "1");
}

/** On a phone everything fits, and taps do. */
async function phone(page, errors) {
  const layout = await page.evaluate(() => {
    const { left, right, top, bottom } = document.querySelector("weir-player").getBoundingClientRect();
    return { left, right, top, bottom, scrolls: document.documentElement.scrollWidth - innerWidth };
  });
  assert.ok(layout.scrolls <= 0, `it scrolls sideways by ${layout.scrolls}`);
  assert.ok(layout.left >= 0 && layout.right <= 390 && layout.top >= 0 && layout.bottom <= 844);
  const hidden = () => page.evaluate(() => document.querySelector("weir-player").classList.contains("idle"));
  await page.waitForFunction(() => document.querySelector("weir-player").classList.contains("idle"));
  await page.locator("weir-player").tap();
  assert.equal(await hidden(), false);
  assert.equal(await page.evaluate(() => document.querySelector("weir-player").video.paused), false);
  await control(page, ".toggle").tap();
  await until(page, ([player]) => player.video.paused);
  await page.locator("[name=text]").scrollIntoViewIfNeeded();
  const player = await page.locator("weir-player").boundingBox();
  assert.ok(player.y >= 0, "the picture stays while the comments scroll");
  assert.deepEqual(errors, []);
}

/** The chosen rendition's encoder dies: another fills in, and it comes back.
 *  Needs `transcoder`, its process id. */
async function gap(page) {
  await page.evaluate(() => document.querySelector("weir-player").chooseRendition("480p"));
  await until(page, ([player]) => player.stats().rendition === "480p");
  await advances(page, 2);
  process.kill(given.transcoder, "SIGKILL");
  await until(page, ([player]) => player.stats().rendition === "source");
  await advances(page, 4);
  await until(page, ([player]) => player.stats().rendition === "480p");
  await advances(page, 2);
}

/** The broadcast ends, and the recording plays at the same address.
 *  Needs `end`, the address to post to, and `token`. */
async function end(page) {
  const headers = { authorization: `Bearer ${given.token}` };
  const answer = await fetch(given.end, { method: "POST", headers });
  assert.ok(answer.ok, `${answer.status}`);
  await control(page, ".message").getByText("Watch again").click();
  await until(page, ([player]) => player.video.duration < 1e6 && player.video.currentTime < 5);
  await advances(page, 2);
  await page.keyboard.press("5");
  await until(page, ([player]) => player.video.currentTime > player.video.duration * 0.45);
  await advances(page, 1);
  assert.equal(await page.evaluate(() => document.querySelector("weir-player").stats().latencyMs), null);
  await page.locator(".state", { hasText: "Recording" }).waitFor();
}

/** Moves the mouse, so that the controls show. */
async function awake(page) {
  await page.mouse.move(300, 300);
  await page.mouse.move(310, 300);
}

/** Makes a choice in the menu of settings. */
async function choose(page, setting, choice) {
  await awake(page);
  await control(page, ".quality").click();
  await control(page, ".menu").getByRole("menuitem", { name: setting }).click();
  await control(page, ".menu").getByRole("menuitemradio", { name: choice }).click();
}

function control(page, selector) {
  return page.locator(`weir-player ${selector}`);
}

function stats(page) {
  return page.evaluate(() => document.querySelector("weir-player")?.stats()).catch(() => null);
}

function position(page) {
  return page.evaluate(() => document.querySelector("weir-player").video.currentTime);
}

/** Waits until `test([player, argument])` holds in the page. */
async function until(page, test, argument) {
  const player = await page.$("weir-player");
  await page.waitForFunction(test, [player, argument], { timeout: PATIENCE_MS });
}

/** Waits until so many seconds more have been played. */
async function advances(page, seconds) {
  await until(page, ([player]) => player.stats().startupMs !== null);
  const played = await page.evaluate(() => document.querySelector("weir-player").stats().playedSeconds);
  await until(page, ([player, goal]) => player.stats().playedSeconds >= goal, played + seconds);
}
