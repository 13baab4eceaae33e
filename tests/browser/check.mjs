// A person's place in `cargo xtask demo --check`: watches for a while, then looks in once more.
// Input: {page, seconds}. Output: what `crates/xtask/src/demo/check.rs` calls Seen.

import { collectErrors, input, withChromium } from "./chromium.mjs";
import { firstFrame, noteFrames, whatWasShown } from "./frames.mjs";

const { page: address, seconds } = input();

await withChromium(async (browser) => {
  const errors = [];
  const first = await view(browser, errors);
  await first.waitForTimeout(seconds * 1000);
  const seen = await whatWasShown(first);
  await view(browser, errors);
  const frames = seen.frames.filter(({ index }) => index !== null);
  return { ...seen, frames, viewsMade: 2, errors };
});

/** Opens the page as a new viewer, until a frame is shown and the view of it was taken. */
async function view(browser, errors) {
  const page = await (await browser.newContext()).newPage();
  collectErrors(page, errors);
  await noteFrames(page);
  const taken = page.waitForResponse(reportsView, { timeout: 30_000 });
  await page.goto(address);
  await firstFrame(page);
  await taken;
  return page;
}

function reportsView(response) {
  const body = response.request().postData() ?? "";
  return response.url().endsWith("/api/v1/events") && response.ok() && /"type":\s*"view"/.test(body);
}
