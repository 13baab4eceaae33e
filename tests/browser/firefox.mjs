// Debian's Firefox ESR, headless, by WebDriver BiDi.

import puppeteer from "puppeteer-core";

/** Launches, runs `use(browser)`, prints what it yields as one line of JSON, and ends. */
export async function withFirefox(use) {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX_BIN ?? "/usr/bin/firefox-esr",
    extraPrefsFirefox: { "media.autoplay.default": 0, "media.volume_scale": "0.0" },
  });
  try {
    console.log(JSON.stringify(await use(browser)));
  } finally {
    await browser.close();
  }
}
