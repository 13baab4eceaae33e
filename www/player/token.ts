// Playback tokens: they stand in the path of every URL of a protected video, `/t/TOKEN/v/…`, and end.
// Before one does, the page is asked for a new one, and every URL from then on carries it.

/** Gives the video's URL under a new token. */
export type Renew = () => Promise<string>;

const TOKEN = /^\/t\/([^/]+)\//;
/** So long before its end a token is renewed, or a quarter of its life if that is less. */
const LEAD_MS = 60_000;
const RETRY_MS = 5000;
/** The longest that a browser's timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The token of the moment. */
export class Renewal {
  readonly #origin: string;
  readonly #renew: Renew;
  #token: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #askedAt = -Infinity;
  #stopped = false;

  /** `renew` may be the address of the new URL. */
  constructor(url: string, renew: Renew | string) {
    this.#origin = new URL(url).origin;
    this.#renew = typeof renew === "string" ? fetched(renew) : renew;
    this.#take(url);
  }

  /** `url` with the token of the moment in the place of any older one. */
  current(url: string): string {
    const current = new URL(url);
    if (current.origin !== this.#origin || this.#token === undefined) return url;
    current.pathname = current.pathname.replace(TOKEN, `/t/${this.#token}/`);
    return current.href;
  }

  /** Asks for a new token, unless it just did: the one of the moment ends, or was refused. */
  async now(): Promise<void> {
    if (this.#asking || this.#stopped || performance.now() < this.#askedAt + RETRY_MS) return;
    this.#asking = true;
    this.#askedAt = performance.now();
    clearTimeout(this.#timer);
    try {
      const url = new URL(await this.#renew(), this.#origin).href;
      if (!this.#take(url)) throw new Error("the new URL has no token");
    } catch (error) {
      console.warn("weir-player: no new token", error);
      this.#later(RETRY_MS);
    } finally {
      this.#asking = false;
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Whether `url` has a token; one that tells its end is renewed before. */
  #take(url: string): boolean {
    const token = TOKEN.exec(new URL(url).pathname)?.[1];
    if (token === undefined) return false;
    this.#token = token;
    const left = (endOf(token) ?? Infinity) - Date.now();
    if (left !== Infinity) this.#later(left - Math.min(LEAD_MS, left / 4));
    return true;
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const wait = Math.min(Math.max(ms, RETRY_MS), MAX_TIMER_MS);
    this.#timer = setTimeout(() => void this.now(), wait);
  }
}

/** What stands before the path of a URL under a token: `/t/TOKEN`, or nothing. */
export function tokenPath(url: string): string {
  const token = TOKEN.exec(new URL(url).pathname)?.[1];
  return token === undefined ? "" : `/t/${token}`;
}

/** When a token ends, in Unix ms: its claim `exp` (RFC 7519 section 4.1.4). */
export function endOf(token: string): number | undefined {
  try {
    const payload = token.split(".")[1] ?? "";
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    const exp = (claims as { exp?: unknown } | null)?.exp;
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** Fetches the new URL as text from `tokenUrl`, with the page's cookies. */
export function fetched(tokenUrl: string): Renew {
  return async () => {
    const answer = await fetch(tokenUrl, { cache: "no-store", credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${tokenUrl} answers ${answer.status}`);
    return (await answer.text()).trim();
  };
}
