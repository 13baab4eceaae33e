// Who reports: a random session id per tab, and what it has reported and not heard back about.
// Storage may be missing or forbidden; then the session lasts as long as the page.

import { keep, kept } from "./store";

const SESSION = "weir.session";
/** Most events that the server takes at once. */
const BATCH = 100;
/** Time between two attempts to send what earlier pages left. */
const RESEND_MS = 30_000;

type Post = (batch: string) => Promise<number[] | undefined>;

export interface Progress {
  nextSeq: number;
  viewed: boolean;
}

export class Session {
  readonly id: string;
  /** Tells the pages of a session apart: each keeps what it has not heard back about. */
  private readonly page = Date.now().toString(36);
  private resending = false;

  private constructor(id: string) {
    this.id = id;
  }

  private static current: Promise<Session> | undefined;

  /** The session of this page: the tab's, unless another page holds it (a duplicated tab does). */
  static open(): Promise<Session> {
    return (this.current ??= (async () => {
      const kept = read(sessionStorage, SESSION);
      const id = kept && (await hold(kept)) ? kept : randomId();
      if (id !== kept) {
        await hold(id);
        clear(sessionStorage, "weir.progress.");
        write(sessionStorage, SESSION, id);
      }
      return new Session(id);
    })());
  }

  progress(video: string): Progress {
    const kept = read(sessionStorage, `weir.progress.${video}`);
    return kept ? (JSON.parse(kept) as Progress) : { nextSeq: 1, viewed: false };
  }

  keep(video: string, progress: Progress): void {
    write(sessionStorage, `weir.progress.${video}`, JSON.stringify(progress));
  }

  /** Keeps what is unanswered, in the form of a batch of any length, beyond the life of this page. */
  unsent(video: string, batch: string | undefined): void {
    void keep(`${this.id}.${this.page}.${video}`, batch);
  }

  /** Sends what other pages left unanswered, until it is answered. Sending twice counts once. */
  async resend(post: Post): Promise<void> {
    if (this.resending) return;
    this.resending = true;
    const own = `${this.id}.${this.page}.`;
    for (;;) {
      const left = (await kept()).filter(([key]) => !key.startsWith(own));
      let answered = true;
      for (const [key, batch] of left) {
        if (await sendAll(batch, post)) await keep(key, undefined);
        else answered = false;
      }
      if (answered) break;
      await new Promise((resolve) => setTimeout(resolve, RESEND_MS));
    }
    this.resending = false;
  }
}

/** Whether all of a batch of any length was answered. */
async function sendAll(batch: string, post: Post): Promise<boolean> {
  const { session, events } = JSON.parse(batch) as { session: string; events: unknown[] };
  for (let at = 0; at < events.length; at += BATCH) {
    const some = JSON.stringify({ session, events: events.slice(at, at + BATCH) });
    if (!(await post(some))) return false;
  }
  return true;
}

function randomId(): string {
  const bytes = Array.from(crypto.getRandomValues(new Uint8Array(16)));
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Takes the Web Lock that goes with a session id; it is released with the page. */
function hold(id: string): Promise<boolean> {
  return new Promise((resolve) => {
    // Without locks (an insecure origin) every page is a session of its own.
    if (!("locks" in navigator)) return resolve(false);
    void navigator.locks.request(`${SESSION}.${id}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock ? new Promise(() => {}) : undefined;
    });
  });
}

function read(storage: Storage, key: string): string | null {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

function write(storage: Storage, key: string, value: string | undefined): void {
  try {
    if (value === undefined) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    // Full or forbidden: the page still plays.
  }
}

function keys(storage: Storage, prefix: string): string[] {
  try {
    return Object.keys(storage).filter((key) => key.startsWith(prefix));
  } catch {
    return [];
  }
}

function clear(storage: Storage, prefix: string): void {
  for (const key of keys(storage, prefix)) write(storage, key, undefined);
}
