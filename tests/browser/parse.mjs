// Reads a video's playlists with hls-parser, which knows the low-latency tags.
// Input: {multivariant}. Output: {variants, playlists}, the latter by rendition.

import HLS from "hls-parser";

import { input } from "./chromium.mjs";

const { multivariant } = input();

const main = HLS.parse(await text(multivariant));
const uris = new Map();
for (const variant of main.variants) {
  uris.set(renditionOf(variant.uri), variant.uri);
  for (const audio of variant.audio) {
    uris.set(renditionOf(audio.uri), audio.uri);
  }
}

const playlists = {};
for (const [rendition, uri] of uris) {
  const playlist = HLS.parse(await text(new URL(uri, multivariant)));
  const whole = playlist.segments.filter(({ uri }) => uri);
  const parts = playlist.segments.flatMap(({ parts }) => parts);
  playlists[rendition] = {
    version: playlist.version,
    targetDuration: playlist.targetDuration,
    partTargetDuration: playlist.partTargetDuration,
    canBlockReload: playlist.lowLatencyCompatibility?.canBlockReload ?? false,
    partHoldBack: playlist.lowLatencyCompatibility?.partHoldBack ?? null,
    segments: whole.length,
    initialised: whole.every(({ map }) => map?.uri),
    dated: whole.every(({ programDateTime }) => programDateTime),
    parts: parts.filter(({ hint }) => !hint).length,
    longestPart: Math.max(0, ...parts.filter(({ hint }) => !hint).map(({ duration }) => duration)),
    hints: parts.filter(({ hint }) => hint).length,
    reports: playlist.renditionReports.map(({ uri }) => uri),
  };
}
const variants = main.variants.map(({ bandwidth, averageBandwidth, codecs, resolution, frameRate }) => ({
  bandwidth,
  averageBandwidth,
  codecs,
  resolution,
  frameRate,
}));
console.log(JSON.stringify({ variants, playlists }));

function renditionOf(uri) {
  return uri.split("/").at(-2);
}

async function text(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} ${url}`);
  return answer.text();
}
