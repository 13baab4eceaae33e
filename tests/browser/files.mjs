// A server that knows nothing but files, and a page that plays one of them with `<weir-player>`, as its
// package for npm is.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
  ".m3u8": "application/vnd.apple.mpegurl",
  ".mpd": "application/dash+xml",
  ".mp4": "video/mp4",
  ".m4s": "video/mp4",
  ".vtt": "text/vtt",
};

/**
 * Serves while `use(address)` runs: `/page?source=…` plays that, `/player/` is the folder of our package,
 * `/media/` that of the media, and `/moved/` leads there.
 */
export async function withFiles(player, media, use) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://files");
    if (pathname === "/page") {
      response.writeHead(200, { "content-type": "text/html" });
      return response.end(page(searchParams.get("source")));
    }
    const moved = pathname.match(/^\/moved\/(.*)$/);
    if (moved) {
      response.writeHead(302, { location: `/media/${moved[1]}` });
      return response.end();
    }
    const [, folder, name] = pathname.match(/^\/(player|media)\/(.*)$/) ?? [];
    send(request, response, folder && join(folder === "player" ? player : media, normalize(`/${name}`)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function page(source) {
  return `<!doctype html><link rel="icon" href="data:,"><style>weir-player { display: block; width: 320px; height: 180px }</style>
    <script type="module" src="/player/index.js"></script>
    <weir-player src="${source.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}" muted autoplay></weir-player>
    <script type="module">
      window.player = document.querySelector("weir-player");
      window.video = player.video;
      window.messages = [];
      player.addEventListener("weir-error", ({ detail }) => messages.push(detail.message));
    </script>`;
}

function send(request, response, path) {
  const size = path && statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined || size === "") return response.writeHead(404).end();
  const type = TYPES[extname(path)] ?? "application/octet-stream";
  const headers = { "content-type": type, "cache-control": "no-store", "accept-ranges": "bytes" };
  const range = request.headers.range?.match(/^bytes=(\d+)-(\d*)$/);
  const first = Number(range?.[1] ?? 0);
  const last = Math.min(Number(range?.[2] || size - 1), size - 1);
  if (first > last && range) return response.writeHead(416).end();
  headers["content-length"] = last - first + 1;
  if (range) headers["content-range"] = `bytes ${first}-${last}/${size}`;
  response.writeHead(range ? 206 : 200, headers);
  const file = createReadStream(path, { start: first, end: last });
  file.on("error", () => response.destroy());
  file.pipe(response);
}
