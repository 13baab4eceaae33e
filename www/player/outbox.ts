// Events of a playback that the Wasm module has no part in: numbered, kept until they are answered,
// and sent in batches, as `outbox.rs` does for the others.

import { hurry, post } from "./events";
import type { Session } from "./session";
import { Ticket } from "./ticket";
import { keepUnsent } from "./unsent";

interface Event {
  seq: number;
  video: string;
  type: string;
  time: number;
  value?: number;
}

/** As many as the server takes at once. */
const BATCH = 100;
/** Most events kept while nobody answers. */
const KEPT = 1000;
/** How long an event waits for company; a view should be counted soon. */
const LINGER_MS = 5000;
const VIEW_LINGER_MS = 500;

export class Outbox {
  private readonly session: Session;
  private readonly video: string;
  private events: Event[] = [];
  private nextSeq: number;
  private viewed: boolean;
  private timer: number | undefined;
  private readonly ticket: Ticket;

  /** `path` is that of the video's playback token. */
  constructor(session: Session, video: string, path: () => string) {
    this.ticket = new Ticket(session, video, path);
    this.session = session;
    this.video = video;
    ({ nextSeq: this.nextSeq, viewed: this.viewed } = session.progress(video));
  }

  /** A view, unless this session has been counted already. */
  view(): void {
    if (this.viewed) return;
    this.viewed = true;
    this.push("view");
    this.ticket.need().then(() => this.keepAll(), () => {});
  }

  push(type: string, value?: number): void {
    const event = { seq: this.nextSeq, video: this.video, type, time: Date.now() };
    this.events.push(value === undefined ? event : { ...event, value: Math.round(value) });
    this.events.splice(0, this.events.length - KEPT);
    this.nextSeq += 1;
    this.session.keep(this.video, { nextSeq: this.nextSeq, viewed: this.viewed });
    this.sendIn(type === "view" ? VIEW_LINGER_MS : LINGER_MS);
  }

  /** Hurries out what is left, of a page or a playback that goes. */
  farewell(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.events.length === 0) return;
    this.keepAll();
    hurry(this.ticket.in(this.batch(BATCH)));
  }

  private sendIn(ms: number): void {
    this.timer ??= window.setTimeout(() => void this.send(), ms);
  }

  private async send(): Promise<void> {
    this.keepAll();
    await this.ticket.need().catch(() => {});
    const seqs = await post(this.batch(BATCH), this.ticket);
    this.timer = undefined;
    if (seqs) {
      this.events = this.events.filter(({ seq }) => !seqs.includes(seq));
      this.keepAll();
    }
    if (this.events.length > 0) this.sendIn(LINGER_MS);
  }

  private keepAll(): void {
    const kept = this.events.length > 0 ? this.ticket.in(this.batch(KEPT)) : undefined;
    keepUnsent(this.session, this.video, kept);
  }

  private batch(most: number): string {
    const { skew } = this.ticket;
    const events = this.events.slice(0, most).map((event) => ({ ...event, time: event.time + skew }));
    return JSON.stringify({ session: this.session.id, events });
  }
}
