// Reads playlists with hls-parser, what they list with mp4box, and a manifest with mpd-parser.
// Input: {playlists: [url], manifest: url}. Output: {hls, dash, mp4}: lists of what they refuse.

import HLS from "hls-parser";
import { createFile } from "mp4box";
import { parse } from "mpd-parser";

import { input } from "./chromium.mjs";

const { playlists, manifest } = input();

const hls = [];
const mp4 = [];
for (const url of playlists) {
  try {
    const playlist = HLS.parse(await text(url));
    const listed = playlist.isMasterPlaylist ? playlist.variants : playlist.segments;
    if (listed.length === 0) hls.push(`${url}: nothing is listed`);
    if (!playlist.isMasterPlaylist && !playlist.isIFrame) await readMedia(url, playlist.segments);
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
console.log(JSON.stringify({ hls, dash, mp4 }));

/** Whole segments, each behind its initialisation segment: boxes, sizes, lengths, keyframes. */
async function readMedia(url, segments) {
  const inits = new Map();
  for (const { uri, map, duration, gap } of segments) {
    if (!uri || gap) continue;
    if (!inits.has(map.uri)) inits.set(map.uri, await bytes(new URL(map.uri, url)));
    const wrong = faults(inits.get(map.uri), await bytes(new URL(uri, url)), duration);
    mp4.push(...wrong.map((what) => `${new URL(uri, url)}: ${what}`));
  }
}

function faults(init, segment, seconds) {
  const wrong = [];
  const file = createFile();
  let track;
  file.onError = (module, message) => wrong.push(`${module}: ${message}`);
  file.onReady = ({ tracks }) => ([track] = tracks);
  let at = 0;
  for (const part of [init, segment]) {
    file.appendBuffer(Object.assign(part.slice(0), { fileStart: at }));
    at += part.byteLength;
  }
  file.flush();
  if (!track) return [...wrong, "no track"];
  const unread = (box) => (box.has_unparsed_data ? [box.type] : (box.boxes ?? []).flatMap(unread));
  const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);
  if (sum(file.boxes.map(({ size }) => size)) !== at) wrong.push("boxes are not all there is");
  for (const type of file.boxes.flatMap(unread)) wrong.push(`${type} has more in it than mp4box knows`);
  const samples = file.getTrackSamplesInfo(track.id);
  const told = sum(samples.map(({ duration }) => duration)) / track.timescale;
  if (Math.abs(told - seconds) > 0.001) wrong.push(`${told} s of samples, ${seconds} s listed`);
  if (!samples[0]?.is_sync) wrong.push("it does not begin with a keyframe");
  return wrong;
}

async function bytes(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} ${url}`);
  return answer.arrayBuffer();
}

async function text(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} ${url}`);
  return answer.text();
}
