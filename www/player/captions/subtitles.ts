// Subtitles of an HLS stream (RFC 8216 section 4.3.4.1): a playlist of WebVTT segments, of which those
// near the playhead are fetched. And those of an MPD, where they are one file.

import type { Manifest } from "../playback";
import { type Cue, parse } from "./webvtt";

/** What gives the cues of one language. */
export interface Source {
  label: string;
  language: string;
  /** Whether it is meant to show unless the viewer says otherwise. */
  default: boolean;
  /** Cues from a second of `currentTime` on that were not given before; seconds are those of `currentTime`. */
  read(from: number, clock: Clock): Promise<Cue[]>;
  /** Has all cues given once more. */
  rewind(): void;
}

/** How the playlist's times and the player's go together. */
export interface Clock {
  /** What the playlist's clock shows at `currentTime` 0, in ms. */
  originMs: number;
}

/** How far ahead of the playhead segments are fetched, and how long a fetch that failed is left alone. */
const AHEAD_S = 30;
const MAX_SEGMENTS = 20_000;
const ATTRIBUTE = /([A-Z0-9-]+)=("[^"]*"|[^,]*)/g;

/** The renditions of subtitles that a multivariant playlist or an MPD lists. */
export function listed({ url, text }: Manifest): Source[] {
  return text.startsWith("#EXTM3U") ? ofPlaylist(url, text) : ofMpd(url, text);
}

function ofPlaylist(url: string, text: string): Source[] {
  const sources: Source[] = [];
  const groups = new Set<string>();
  for (const [, list = ""] of text.matchAll(/^#EXT-X-MEDIA:(.*)$/gm)) {
    const found = attributes(list);
    if (found["TYPE"] !== "SUBTITLES" || !found["URI"]) continue;
    // Groups are the same subtitles for other variants.
    groups.add(found["GROUP-ID"] ?? "");
    if (groups.size > 1 || found["FORCED"] === "YES") continue;
    const { NAME: label = "", LANGUAGE: language = "" } = found;
    const playlist = new SegmentedFile(new URL(found["URI"], url).href);
    sources.push({
      label: label || language,
      language,
      default: found["DEFAULT"] === "YES",
      read: (from, clock) => playlist.read(from, clock),
      rewind: () => playlist.rewind(),
    });
  }
  return sources;
}

function ofMpd(url: string, text: string): Source[] {
  const mpd = new DOMParser().parseFromString(text, "application/xml");
  const sets = Array.from(mpd.getElementsByTagName("AdaptationSet"));
  return sets.flatMap((set) => {
    const representation = set.getElementsByTagName("Representation")[0];
    const type = representation?.getAttribute("mimeType") ?? set.getAttribute("mimeType");
    const file = representation?.getElementsByTagName("BaseURL")[0]?.textContent?.trim();
    if (type !== "text/vtt" || !file) return [];
    const language = set.getAttribute("lang") ?? "";
    const label = set.getElementsByTagName("Label")[0]?.textContent ?? "";
    const bases = Array.from(mpd.getElementsByTagName("BaseURL")).filter(({ parentElement }) =>
      /^(MPD|Period)$/.test(parentElement?.localName ?? ""),
    );
    const base = bases.reduce((base, { textContent }) => new URL(textContent?.trim() ?? "", base).href, url);
    return [whole(new URL(file, base).href, label || language, language, false)];
  });
}

/** Subtitles in one file whose second 0 is the beginning of the recording. */
export function whole(url: string, label: string, language: string, isDefault: boolean): Source {
  let given = false;
  const read = async () => {
    if (given) return [];
    given = true;
    try {
      return parse(await text(url)).cues;
    } catch (error) {
      given = false;
      throw error;
    }
  };
  return { label, language, default: isDefault, read, rewind: () => (given = false) };
}

interface Segment {
  url: string;
  /** On the playlist's clock, in ms. */
  startMs: number;
  seconds: number;
}

class SegmentedFile {
  private readonly url: string;
  private segments: Segment[] = [];
  private ended = false;
  private readonly taken = new Set<string>();

  constructor(url: string) {
    this.url = url;
  }

  async read(from: number, { originMs }: Clock): Promise<Cue[]> {
    const start = ({ startMs }: Segment) => (startMs - originMs) / 1000;
    const near = (segment: Segment) => start(segment) < from + AHEAD_S && start(segment) + segment.seconds > from;
    const last = this.segments.at(-1);
    const short = !last || start(last) + last.seconds < from + AHEAD_S;
    if (!this.ended && short) this.load(await text(this.url));
    const wanted = this.segments.find((segment) => near(segment) && !this.taken.has(segment.url));
    if (!wanted) return [];
    const { cues, map } = parse(await text(wanted.url));
    this.taken.add(wanted.url);
    const shift = fitting(cues, map, start(wanted), wanted.seconds);
    return cues.map((cue) => ({ ...cue, start: cue.start + shift, end: cue.end + shift }));
  }

  rewind(): void {
    this.taken.clear();
  }

  private load(playlist: string): void {
    if (!playlist.startsWith("#EXTM3U")) throw new Error(`${this.url} is no playlist`);
    const segments: Segment[] = [];
    let [startMs, seconds] = [0, 0];
    for (const line of playlist.split(/\r?\n/)) {
      const [, tag, value = ""] = /^#(EXTINF|EXT-X-PROGRAM-DATE-TIME):(.*)$/.exec(line) ?? [];
      if (tag === "EXTINF") seconds = Number.parseFloat(value) || 0;
      else if (tag) startMs = Date.parse(value) || startMs;
      if (!line || line.startsWith("#")) continue;
      segments.push({ url: new URL(line, this.url).href, startMs, seconds });
      startMs += seconds * 1000;
      if (segments.length === MAX_SEGMENTS) break;
    }
    this.segments = segments;
    this.ended = playlist.includes("#EXT-X-ENDLIST");
  }
}

/**
 * What has to be added to the times of a segment's cues. They may count from the beginning of the
 * stream, of the segment, or as the media do, which may not begin at 0: what puts the first cue
 * nearest to where its segment is, is right.
 */
function fitting(cues: Cue[], map: { local: number; media: number } | undefined, at: number, seconds: number): number {
  const [first] = cues;
  if (!first) return 0;
  const media = map ? map.media - map.local : 0;
  // Packagers of MPEG-2 TS begin at second 10, and some keep that in the map.
  const shifts = [media, 0, media - 10, at];
  const off = (shift: number) => Math.abs(first.start + shift - at);
  const best = shifts.reduce((best, shift) => (off(shift) < off(best) ? shift : best));
  return off(best) <= seconds + 1 ? best : at - first.start;
}

function attributes(list: string): Record<string, string> {
  const pairs = Array.from(list.matchAll(ATTRIBUTE), ([, name = "", value = ""]) => [name, value.replaceAll('"', "")]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

async function text(url: string): Promise<string> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  return answer.text();
}
