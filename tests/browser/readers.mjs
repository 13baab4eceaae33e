// Reads playlists with hls-parser and a manifest with mpd-parser.
// Input: {playlists: [url], manifest: url}. Output: {hls, dash}: lists of what they refuse.

import HLS from "hls-parser";
import { parse } from "mpd-parser";

import { input } from "./chromium.mjs";

const { playlists, manifest } = input();

const hls = [];
for (const url of playlists) {
  try {
    const playlist = HLS.parse(await text(url));
    const listed = playlist.isMasterPlaylist ? playlist.variants : playlist.segments;
    if (listed.length === 0) hls.push(`${url}: nothing is listed`);
  } catch (error) {
    hls.push(`${url}: ${error.message}`);
  }
}

const dash = [];
try {
  const { playlists } = parse(await text(manifest), { manifestUri: manifest });
  if (playlists.length === 0) dash.push("no playlists");
  for (const { attributes, segments } of playlists) {
    if (segments.length === 0) dash.push(`${attributes.NAME}: no segments`);
  }
} catch (error) {
  dash.push(error.message);
}
console.log(JSON.stringify({ hls, dash }));

async function text(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} ${url}`);
  return answer.text();
}
