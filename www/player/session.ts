// Who reports: a random session id per tab, and how far its reports have come.
// Storage may be missing or forbidden; then the session lasts as long as the page.

import type { KeptTicket } from "./ticket";

const SESSION = "weir.session";
/** What an id is written with, as the edge's own. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const ID = /^[a-z2-7]{26}$/;

export interface Progress {
  nextSeq: number;
  viewed: boolean;
}

export class Session {
  readonly id: string;

  private constructor(id: string) {
    this.id = id;
  }

  private static current: Promise<Session> | undefined;

  /** The session of this page: the tab's, unless another page holds it (a duplicated tab does). */
  static open(): Promise<Session> {
    return (this.current ??= (async () => {
      const kept = read(sessionStorage, SESSION);
      const id = kept && ID.test(kept) && (await hold(kept)) ? kept : randomId();
      if (id !== kept) {
        await hold(id);
        clear(sessionStorage, "weir.progress.");
        clear(sessionStorage, "weir.ticket.");
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

  ticket(video: string): KeptTicket | undefined {
    const kept = read(sessionStorage, `weir.ticket.${video}`);
    return kept ? (JSON.parse(kept) as KeptTicket) : undefined;
  }

  keepTicket(video: string, ticket: KeptTicket | undefined): void {
    write(sessionStorage, `weir.ticket.${video}`, ticket && JSON.stringify(ticket));
  }
}

function randomId(): string {
  const bytes = Array.from(crypto.getRandomValues(new Uint8Array(26)));
  return bytes.map((byte) => ALPHABET[byte % 32]).join("");
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
