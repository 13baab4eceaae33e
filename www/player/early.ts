// What is asked for while the module is on its way: the source itself, and the playlists that it will
// most likely want next. A guess that is wrong costs one small answer.

/** The share of an estimate, and the bits per second without one, that are begun with: as in
    `abr/params.rs`. */
const SHARE = 0.6;
const MODEST = 1.5e6;

const VARIANT = /#EXT-X-STREAM-INF:(.*)\r?\n(?:#.*\r?\n)*([^#\s]\S*)/g;

export class Early {
  private readonly answers = new Map<string, Promise<Response>>();
  private readonly signal: AbortSignal;

  /** Asks for `url`; `bitsPerSecond` is an estimate of an earlier visit, or 0. */
  constructor(url: string, bitsPerSecond: number, signal: AbortSignal) {
    this.signal = signal;
    void this.ask(url)
      .then(async (answer) => {
        const text = answer.ok ? await answer.clone().text() : "";
        // Once the module has taken the answer it asks for itself.
        if (!this.answers.has(url)) return;
        const budget = bitsPerSecond * SHARE || MODEST;
        for (const next of likely(text, budget)) void this.ask(new URL(next, answer.url).href).catch(() => {});
      })
      .catch(() => {});
  }

  /** The answer to this URL, if it was asked for; it is given once. */
  take(url: string): Promise<Response> | undefined {
    const answer = this.answers.get(url);
    this.answers.delete(url);
    return answer;
  }

  private ask(url: string): Promise<Response> {
    const answer = fetch(url, { signal: this.signal });
    this.answers.set(url, answer);
    return answer;
  }
}

/** The media playlists that are likely to be begun with. */
function likely(text: string, budget: number): string[] {
  const variants = [...text.matchAll(VARIANT)].map(([, attributes = "", uri = ""]) => {
    const [, bits] = /AVERAGE-BANDWIDTH=(\d+)/.exec(attributes) ?? /BANDWIDTH=(\d+)/.exec(attributes) ?? [];
    return { uri, bits: Number(bits), group: /AUDIO="([^"]*)"/.exec(attributes)?.[1] };
  });
  variants.sort((a, b) => a.bits - b.bits);
  const chosen = variants.findLast(({ bits }) => bits <= budget) ?? variants[0];
  if (!chosen) return [];
  const sounds = text.match(/^#EXT-X-MEDIA:.*TYPE=AUDIO.*/gm) ?? [];
  const ofGroup = sounds.filter((sound) => sound.includes(`GROUP-ID="${chosen.group}"`));
  const sound = ofGroup.find((sound) => sound.includes("DEFAULT=YES")) ?? ofGroup[0];
  const uri = sound && /[:,]URI="([^"]*)"/.exec(sound)?.[1];
  return uri ? [chosen.uri, uri] : [chosen.uri];
}
