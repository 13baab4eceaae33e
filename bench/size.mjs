// `cargo xtask bench size`: what a page has to fetch before it can play, ours beside its peers', all
// compressed in the same way. Prints a table and writes target/bench/size.json; with `--check` prints
// ours alone, with its ceilings, for `tests/tests/size.rs`.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** The most that ours may weigh in Brotli, in kB of 1000 bytes: what it does, and a little. The goals are 45 and 65. */
const CEILINGS = { engine: 46, all: 73 };

const repo = new URL("../", import.meta.url);
const built = new URL("www/dist-player/", repo);
const installed = new URL("tests/browser/node_modules/", repo);

const engine = "HLS, LL-HLS, ABR";
const all = "with DASH, captions, controls";

/** Files from npm, each what its package's page says to include, minified. */
const peers = {
  [engine]: {
    "hls.js light": ["hls.js/dist/hls.light.min.js"],
    "hls.js": ["hls.js/dist/hls.min.js"],
    Shaka: ["shaka-player/dist/shaka-player.compiled-es2021.js"],
    "dash.js": ["dashjs/dist/modern/umd/dash.all.min.js"],
  },
  [all]: {
    "Shaka with its controls": ["shaka-player/dist/shaka-player.ui-es2021.js", "shaka-player/dist/controls.css"],
  },
};

const weights = {
  "brotli 11": (bytes) =>
    brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_LGWIN]: 24,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }).length,
  "gzip 9": (bytes) => gzipSync(bytes, { level: 9 }).length,
};

const files = ours();
if (process.argv.includes("--check")) check();
else publish();

/** Names of the package's files for each case. */
function ours() {
  const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", built), "utf8"));
  const needed = (name, seen = new Set()) => {
    const { file, imports = [] } = manifest[name];
    if (!seen.has(file)) {
      seen.add(file);
      for (const name of imports) needed(name, seen);
    }
    return seen;
  };
  const later = (...names) => names.flatMap((name) => [...needed(`player/${name}.ts`)]);
  const first = later("index");
  // DASH comes with a module of its own in place of the first one.
  const features = later("index", "controls/controls", "captions/captions");
  return {
    [engine]: [...first, "weir_player_bg.wasm"],
    [all]: [...new Set([...features, "weir_player_dash_bg.wasm"])],
  };
}

/** Kilobytes of files, each compressed on its own, as they are sent. */
function kilobytes(folder, names, weigh) {
  return names.reduce((sum, name) => sum + weigh(readFileSync(new URL(name, folder))), 0) / 1000;
}

function check() {
  const weigh = weights["brotli 11"];
  const weighed = { engine: kilobytes(built, files[engine], weigh), all: kilobytes(built, files[all], weigh) };
  console.log(JSON.stringify({ ...weighed, ceilings: CEILINGS, files: files[all] }));
}

function publish() {
  const rows = [];
  for (const [metric, weigh] of Object.entries(weights)) {
    for (const [name, names] of Object.entries(files)) {
      const beside = Object.entries(peers[name]).map(([peer, names]) => [peer, kilobytes(installed, names, weigh)]);
      rows.push({ case: name, metric, unit: "kB", ours: kilobytes(built, names, weigh), peers: Object.fromEntries(beside) });
    }
  }
  const out = new URL("target/bench/", repo);
  mkdirSync(out, { recursive: true });
  writeFileSync(new URL("size.json", out), JSON.stringify({ rows }, null, 2));

  console.log("| case | metric | unit | weir | peers |\n| --- | --- | --- | --- | --- |");
  for (const { case: name, metric, unit, ours, peers } of rows) {
    const beside = Object.entries(peers).map(([peer, size]) => `${peer} ${size.toFixed(1)}`);
    console.log(`| ${name} | ${metric} | ${unit} | ${ours.toFixed(1)} | ${beside.join(", ")} |`);
  }
  console.log("\n| file of ours | brotli 11, kB |\n| --- | --- |");
  for (const file of files[all]) console.log(`| ${file} | ${kilobytes(built, [file], weights["brotli 11"]).toFixed(1)} |`);
}
