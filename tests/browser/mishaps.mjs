// What happens to people on the watch page: media that the browser cannot decode, a network that goes
// away, a tab that is closed before its events are answered. Nothing of it may take a reload.
// Input: {page}. A case that fails throws; the output is {passed: [case, …]}.

import assert from "node:assert/strict";

import { PATIENCE_MS, input, withChromium } from "./chromium.mjs";

const cases = { undecodable, offline, closed };

const given = input();

await withChromium(async (browser) => {
  for (const [name, play] of Object.entries(cases)) {
    const context = await browser.newContext();
    try {
      await play(context);
    } catch (error) {
      error.message = `${name}: ${error.message}`;
      throw error;
    }
    await context.close();
  }
  return { passed: Object.keys(cases) };
});

/** A piece of the picture comes damaged: the MediaSource is made anew, and it plays on. */
async function undecodable(context) {
  const page = await watch(context);
  const source = await page.evaluate(() => document.querySelector("weir-player").video.src);
  let damaged = 0;
  await page.route(/\/(source|480p|240p)\/[^/]*\.m4s/, async (route) => {
    if (damaged > 0) return route.continue();
    damaged += 1;
    const response = await route.fetch();
    await route.fulfill({ response, body: damage(await response.body()) });
  });
  await until(page, ([player, before]) => player.video.src !== before, source);
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await plays(page, 4);
  assert.equal(damaged, 1);
}

/** The network goes away until nothing is left to play, and comes back. */
async function offline(context) {
  const page = await watch(context);
  await context.setOffline(true);
  await until(page, ([player]) => player.video.readyState < 3 && player.playback.snapshot.phase === "trouble");
  await context.setOffline(false);
  await plays(page, 4);
  await until(page, ([player]) => player.playback.snapshot.phase === "ready" && player.latencyMs < 15_000);
}

/** What a tab could not report before it was closed, another one does. */
async function closed(context) {
  const page = await context.newPage();
  await page.route("**/api/v1/events", (route) => route.abort());
  await begin(page);
  const told = (batch) => batch.includes('"view"') && batch.includes('"ticket"');
  const batches = await keeps(page, (batches) => batches.some(told));
  const { session } = JSON.parse(batches.find((batch) => batch.includes('"view"')));
  await page.close();

  const next = await context.newPage();
  const reports = next.waitForResponse(
    (response) => response.ok() && (response.request().postData() ?? "").includes(session),
  );
  await next.goto(given.page);
  const report = JSON.parse((await reports).request().postData());
  assert.ok(report.events.some(({ type }) => type === "view"));
  const { results } = await (await reports).json();
  assert.ok(results.every(({ status }) => status === "accepted"), JSON.stringify(results));
  await keeps(next, (batches) => !batches.some((batch) => batch.includes(session)));
}

/** Waits until what is kept in the browser is as wanted. */
async function keeps(page, wanted) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const batches = await page.evaluate(kept);
    if (wanted(batches)) return batches;
    assert.ok(Date.now() < deadline, `kept are ${batches}`);
    await page.waitForTimeout(200);
  }
}

/** Batches that wait for an answer. Runs in the page. */
async function kept() {
  const asked = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const database = await asked(indexedDB.open("weir"));
  if (!database.objectStoreNames.contains("unsent")) return [];
  const batches = await asked(database.transaction("unsent").objectStore("unsent").getAll());
  database.close();
  return batches;
}

/** A fragment that claims more samples than there are. */
function damage(body) {
  const damaged = Buffer.from(body);
  const run = damaged.indexOf("trun");
  assert.ok(run > 0, "a fragment has a trun");
  damaged.fill(0xff, run + 8, run + 12);
  return damaged;
}

async function watch(context) {
  const page = await context.newPage();
  await begin(page);
  return page;
}

async function begin(page) {
  await page.goto(given.page);
  await page.evaluate(() => (window.since = "the page was opened"));
  await plays(page, 2);
}

/** Waits until so many more seconds were played, in the page that was opened at first. */
async function plays(page, seconds) {
  const before = await page.evaluate(() => document.querySelector("weir-player").stats().playedSeconds);
  await until(page, ([player, least]) => player.stats().playedSeconds > least, before + seconds);
  assert.ok(await page.evaluate(() => "since" in window), "the page was loaded again");
}

async function until(page, holds, given) {
  return page.waitForFunction(holds, [await page.$("weir-player"), given]);
}
