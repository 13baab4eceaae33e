// WebVTT files (W3C WebVTT section 4): cues and their settings. Styles and regions are left out, as
// what shows the cues has its own.

export interface Cue {
  /** Seconds of the file's own clock. */
  start: number;
  end: number;
  /** What comes after the times, such as `align:start`. */
  settings: string;
  /** Cue text with its tags. */
  text: string;
}

export interface WebVtt {
  cues: Cue[];
  /** `X-TIMESTAMP-MAP` (RFC 8216 section 3.5): this second of the file is this one of the media. */
  map: { local: number; media: number } | undefined;
}

/** Files beyond these are cut off: nobody reads as much. */
const MAX_CHARACTERS = 8_000_000;
const MAX_CUES = 20_000;

const TIMES = /^(\S+)[ \t]+-->[ \t]+(\S+)[ \t]*(.*)$/;
const TIME = /^(?:(\d{2,5}):)?([0-5]\d):([0-5]\d)[.,](\d{3})$/;
const MPEGTS_HZ = 90_000;

/** Reads a file; throws if it is none. A cue that is malformed is left out. */
export function parse(file: string): WebVtt {
  const text = file.slice(0, MAX_CHARACTERS).replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  if (!/^WEBVTT([ \t\n]|$)/.test(text)) throw new Error("this is no WebVTT");
  const [head = "", ...blocks] = text.split(/\n{2,}/);
  const cues: Cue[] = [];
  for (const block of blocks) {
    const cue = read(block);
    if (cue) cues.push(cue);
    if (cues.length === MAX_CUES) break;
  }
  return { cues, map: timestampMap(head) };
}

function read(block: string): Cue | undefined {
  const lines = block.split("\n").filter((line, index) => line || index > 0);
  // An identifier may come before the times.
  const at = lines.slice(0, 2).findIndex((line) => line.includes("-->"));
  const [, from, to, settings = ""] = TIMES.exec(lines[at] ?? "") ?? [];
  const [start, end] = [seconds(from), seconds(to)];
  if (start === undefined || end === undefined || end <= start) return undefined;
  return { start, end, settings, text: lines.slice(at + 1).join("\n").trimEnd() };
}

function seconds(time = ""): number | undefined {
  const [whole, h = "0", m, s, ms] = TIME.exec(time) ?? [];
  if (whole === undefined) return undefined;
  return Number(h) * 3600 + Number(m) * 60 + Number(s) + Number(ms) / 1000;
}

function timestampMap(head: string): WebVtt["map"] {
  const line = /^X-TIMESTAMP-MAP=(.*)$/m.exec(head)?.[1] ?? "";
  const local = seconds(/LOCAL:([\d:.]+)/.exec(line)?.[1]);
  const ticks = /MPEGTS:(\d{1,16})/.exec(line)?.[1];
  if (local === undefined || ticks === undefined) return undefined;
  return { local, media: Number(ticks) / MPEGTS_HZ };
}
