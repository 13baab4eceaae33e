// The watch page in Firefox: it plays, pauses, changes the rendition, and goes back and to live again.
// Input: {page}. Output: {passed: [step]}.

import { PATIENCE_MS, input } from "./chromium.mjs";
import { withFirefox } from "./firefox.mjs";

const { page: address } = input();

await withFirefox(async (browser) => {
  const page = await browser.newPage();
  await page.goto(address);
  const passed = [];
  const step = async (name, test) => {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await page.evaluate(test).catch(() => false))) {
      const stats = () => JSON.stringify(document.querySelector("weir-player").stats());
      if (Date.now() > deadline) throw new Error(`${name}: ${await page.evaluate(stats)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    passed.push(name);
  };
  await step("plays", () => document.querySelector("weir-player").stats().playedSeconds > 3);
  await page.keyboard.press("k");
  await step("pauses", () => document.querySelector("weir-player").video.paused);
  await page.keyboard.press("k");
  await page.evaluate(() => document.querySelector("weir-player").chooseRendition("480p"));
  await step("changes", () => document.querySelector("weir-player").video.videoHeight === 480);
  await page.keyboard.press("ArrowLeft");
  const following = 'document.querySelector("weir-player").shadowRoot.querySelector(".live").ariaPressed';
  await step("goes back", `${following} === "false"`);
  await page.keyboard.press("l");
  await step("goes live", `${following} === "true"`);
  await step("counts the view", () => /^[1-9]/.test(document.querySelector(".views").textContent));
  return { passed };
});
