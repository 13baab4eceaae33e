// Pages of another origin than the video's, each with a player from npm.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { frameNoter } from "./frames.mjs";

const libraries = {
  hlsjs: "hls.js/dist/hls.min.js",
  shaka: "shaka-player/dist/shaka-player.compiled.js",
  dashjs: "dashjs/dist/modern/umd/dash.all.min.js",
};

/**
 * Serves while `use(addressOf)` runs. `addressOf([{player, source, limit}, …])` is a page that plays these
 * side by side, each in a frame.
 */
export async function withTheatre(use) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://theatre");
    const [type, body] = answer(pathname.slice(1), searchParams);
    response.writeHead(body ? 200 : 404, { "content-type": type });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  try {
    return await use((plays) => `http://127.0.0.1:${port}/theatre?plays=${encodeURIComponent(JSON.stringify(plays))}`);
  } finally {
    server.close();
  }
}

/** Which of the list of plays a frame has; -1 for the page around them. */
export function placeOf(frame) {
  return Number(new URL(frame.url()).searchParams.get("at") ?? -1);
}

function answer(name, query) {
  const script = (file) => ["text/javascript", readFileSync(new URL(file, import.meta.url))];
  if (name === "players.js") return script(name);
  if (name in libraries) return script(`node_modules/${libraries[name]}`);
  if (name === "play") return ["text/html", playing(Object.fromEntries(query))];
  if (name === "theatre") return ["text/html", theatre(JSON.parse(query.get("plays")))];
  return ["text/plain", undefined];
}

function theatre(plays) {
  const frame = (play, at) => `<iframe allow="autoplay" width="320" height="180" src="/play?${new URLSearchParams({ at, ...play })}"></iframe>`;
  return `<!doctype html><body style="margin:0;font-size:0">${plays.map(frame).join("")}`;
}

function playing({ player, source, limit }) {
  const play = `players[${JSON.stringify(player)}](document.querySelector("video"), ${JSON.stringify(source)}, ${Number(limit) || null})`;
  return `<!doctype html><body style="margin:0"><video muted width="320" height="180"></video>
    <script>${frameNoter()}</script><script src="/${player}"></script><script src="/players.js"></script>
    <script>Promise.resolve(${play}).then((player) => (window.player = player));</script>`;
}
