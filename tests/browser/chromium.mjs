// Debian's Chromium, headless, with all that the scripts here have in common.

import { chromium } from "playwright-core";

/** How long anything may take that takes a moment, on a machine that has much else to do. */
export const PATIENCE_MS = 60_000;

/** Launches, runs `use(browser)`, prints what it yields as one line of JSON, and ends. */
export async function withChromium(use, args = []) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? "/usr/bin/chromium",
    args: ["--autoplay-policy=no-user-gesture-required", "--mute-audio", ...args],
  });
  browser.on("context", (context) => context.setDefaultTimeout(PATIENCE_MS));
  try {
    console.log(JSON.stringify(await use(browser)));
  } finally {
    await browser.close();
  }
}

/** What the test passed on the command line. */
export function input() {
  return JSON.parse(process.argv[2]);
}

/** Collects what goes wrong in a page: exceptions nobody caught and what it logs as errors. */
export function collectErrors(page, errors) {
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") {
      errors.push(`${message.text()} (${message.location().url})`);
    }
  });
}
