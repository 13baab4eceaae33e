// Streams of others in Firefox, as a person plays them: the settings menu, captions, the end. Input:
// {player: folder of our package, media: folder, sources}. Each source has a rendition with 180 lines and
// captions that say "Hello". Output: {passed: [[step, …] of each source]}.

import { PATIENCE_MS, input } from "./chromium.mjs";
import { withFiles } from "./files.mjs";
import { withFirefox } from "./firefox.mjs";

const { player, media, sources } = input();

await withFiles(player, media, (address) =>
  withFirefox(async (browser) => {
    const passed = [];
    for (const source of sources) passed.push(await watch(browser, `${address}/page?${new URLSearchParams({ source })}`));
    return { passed };
  }),
);

async function watch(browser, address) {
  const page = await browser.newPage();
  await page.goto(address);
  const passed = [];
  const step = async (name, test) => {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await page.evaluate(test).catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`${address}: ${name}: ${JSON.stringify(await page.evaluate(told))}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    passed.push(name);
  };
  /** By the menu. */
  const choose = async (row, choice) => {
    await page.evaluate(press, ".quality");
    await page.evaluate(take, row);
    await page.evaluate(take, choice);
  };

  await step("plays", () => video.currentTime > 0.5 && player.state.phase === "ready");
  await step("has its controls", () => player.shadowRoot.querySelector(".quality") !== null);
  await step("has captions", () => player.captions?.list.length === 1 && player.captions.chosen === null);
  await page.keyboard.press("c");
  await step("shows captions", () => /Hello/.test(player.shadowRoot.querySelector(".cues").textContent));
  await choose("Captions", "Off");
  await step("hides captions", () => !/Hello/.test(player.shadowRoot.querySelector(".cues").textContent));
  await choose("Speed", "2×");
  await step("is quicker", () => video.playbackRate === 2);
  await choose("Quality", "180p");
  // What is buffered stays as it is; what lies beyond comes as was chosen.
  await page.keyboard.press("9");
  await step("changes", () => video.videoHeight === 180 && player.state.chosen !== null);
  await page.keyboard.press("End");
  await step("ends", () => player.state.phase === "ended" && video.ended);
  await step("without trouble", () => messages.length === 0);
  await page.close();
  return passed;
}

/** Presses something in the player. */
function press(selector) {
  window.player.shadowRoot.querySelector(selector).click();
}

/** Takes what has this label in the menu. */
function take(label) {
  const items = Array.from(window.player.shadowRoot.querySelectorAll(".menu button"));
  items.find(({ firstChild }) => firstChild.textContent === label).click();
}

function told() {
  const { currentTime, duration, videoHeight, playbackRate } = window.video;
  const { state, captions } = window.player;
  return { currentTime, duration, videoHeight, playbackRate, state, captions: captions?.list.length, messages: window.messages };
}
