// Thumbnails along the bar of time: a WebVTT file whose cues name images, or with `#xywh=` (Media
// Fragments 1.0 section 4.2.2) pieces of them.

import { type Cue, parse } from "../captions/webvtt";

/** What a thumbnail may take, in CSS pixels. */
const WIDTH = 168;
const HEIGHT = 96;
const XYWH = /^#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/;

export class Storyboard {
  private readonly base: string;
  private readonly cues: Cue[];

  private constructor(base: string, cues: Cue[]) {
    this.base = base;
    this.cues = cues;
  }

  static async load(url: string): Promise<Storyboard> {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
    return new Storyboard(answer.url, parse(await answer.text()).cues);
  }

  /** Puts the picture of a time into an element; says whether there is one. */
  show(element: HTMLElement, seconds: number): boolean {
    const cue = this.cues.find(({ start, end }) => start <= seconds && seconds < end);
    const image = cue && locate(cue.text.trim(), this.base);
    if (!image) return false;
    const piece = XYWH.exec(image.hash)?.slice(1).map(Number);
    const [x = 0, y = 0, w = WIDTH, h = HEIGHT] = piece ?? [];
    if (w === 0 || h === 0) return false;
    const scale = Math.min(WIDTH / w, HEIGHT / h);
    image.hash = "";
    const { style } = element;
    style.width = `${w}px`;
    style.height = `${h}px`;
    style.zoom = String(scale);
    style.backgroundImage = `url(${JSON.stringify(image.href)})`;
    style.backgroundPosition = `${-x}px ${-y}px`;
    return true;
  }
}

/** The image that a cue names, if it is one that can be fetched. */
function locate(reference: string, base: string): URL | undefined {
  try {
    const url = new URL(reference, base);
    return /^https?:$/.test(url.protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}
