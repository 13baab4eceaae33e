// Plays a DASH manifest with dash.js or Shaka, from a page of another origin.
// Input: {player: "dashjs" | "shaka", manifest, seconds}. Output: {startupMs, playedSeconds, stalls,
// frames, latencyMs, live, heights, partial, fatal}; `partial` counts the segments that began to
// come more than half a second before they were whole.

import { input } from "./chromium.mjs";
import { firstFrame, whatWasShown } from "./frames.mjs";
import { withLibrary } from "./library.mjs";

const { player, manifest, seconds } = input();
const file = {
  dashjs: "dashjs/dist/modern/umd/dash.all.min.js",
  shaka: "shaka-player/dist/shaka-player.compiled.js",
};
const library = new URL(`node_modules/${file[player]}`, import.meta.url);

await withLibrary(library, async (page) => {
  await page.evaluate({ dashjs: withDashJs, shaka: withShaka }[player], manifest);
  await firstFrame(page);
  await page.waitForTimeout(seconds * 1000);
  const seen = await whatWasShown(page);
  const told = await page.evaluate(() => ({ ...window.told(), fatal: window.fatal }));
  const partial = await page.evaluate(
    () =>
      performance
        .getEntriesByType("resource")
        .filter(({ name, responseStart, responseEnd }) => /\/dash-\d+\.m4s$/.test(name) && responseEnd - responseStart > 500).length,
  );
  return { ...seen, ...told, partial };
});

function withDashJs(source) {
  const { MediaPlayer } = window.dashjs;
  window.fatal = [];
  const player = MediaPlayer().create();
  player.on(MediaPlayer.events.ERROR, ({ error }) => window.fatal.push(`${error.code}: ${error.message}`));
  player.initialize(document.querySelector("video"), source, true);
  window.told = () => ({
    live: player.isDynamic(),
    latencyMs: player.isDynamic() ? player.getCurrentLiveLatency() * 1000 : null,
    heights: player.getRepresentationsByType("video").map(({ height }) => height),
  });
}

async function withShaka(source) {
  window.fatal = [];
  const { shaka } = window;
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  await player.attach(document.querySelector("video"));
  player.addEventListener("error", ({ detail }) => window.fatal.push(`${detail.code}: ${detail.data}`));
  player.configure("streaming.lowLatencyMode", true);
  window.told = () => ({
    live: player.isLive(),
    latencyMs: player.isLive() ? player.getStats().liveLatency * 1000 : null,
    heights: [...new Set(player.getVariantTracks().map(({ height }) => height))],
  });
  try {
    await player.load(source);
    await document.querySelector("video").play();
  } catch (error) {
    window.fatal.push(`${error.code ?? error}: ${error.data ?? ""}`);
  }
}
