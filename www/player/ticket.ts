// Session tickets: the edge signs that a session began to watch a video, and the session's events
// count in the ticket's name. One is asked for when there are pictures, and again before it ends.

import type { Session } from "./session";

/** How long one is used: an hour less than it is good for. */
const USED_MS = 23 * 3600_000;
const LIFETIME_MS = 24 * 3600_000;
/** One that is refused so soon would be refused again; an edge that gives none is asked after so long. */
const FRESH_MS = 60_000;
/** A clock that is right to two seconds is believed, as in `clock.rs`. */
const BELIEVED_MS = 2000;

interface Answer {
  ticket: string;
  /** Unix ms. */
  expires_at: number;
}

export interface KeptTicket {
  ticket: string;
  /** When it came, by the viewer's clock. */
  at: number;
  /** How far the edge's clock is ahead of the viewer's, in ms. */
  skew: number;
}

export class Ticket {
  private readonly session: Session;
  private readonly video: string;
  private readonly path: () => string;
  private kept: KeptTicket | undefined;
  private asking: Promise<void> | undefined;
  /** Until when the edge is not asked, since it gives none. */
  private noneUntil = 0;

  /** `path` stands before the API's: that of the video's playback token. */
  constructor(session: Session, video: string, path: () => string) {
    this.session = session;
    this.video = video;
    this.path = path;
    this.kept = session.ticket(video);
  }

  /** The ticket, if there is one already. */
  get text(): string | undefined {
    return this.kept?.ticket;
  }

  /** How far the edge's clock is ahead of the viewer's, in ms, as far as that matters. */
  get skew(): number {
    const skew = this.kept?.skew ?? 0;
    return Math.abs(skew) > BELIEVED_MS ? skew : 0;
  }

  /**
   * Sees to it that there is a ticket, unless the edge gives none. Fails if it may give one later.
   */
  async need(): Promise<void> {
    const now = Date.now();
    if (!this.video || now < this.noneUntil || (this.kept && now < this.kept.at + USED_MS)) return;
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    return this.asking;
  }

  /** Notes that it was refused; whether another one may help. */
  refused(): boolean {
    const fresh = !this.kept || Date.now() < this.kept.at + FRESH_MS;
    if (!fresh) this.keep(undefined);
    return !fresh;
  }

  /** `batch` with the ticket in it. */
  in(batch: string): string {
    return this.kept ? `{"ticket":"${this.kept.ticket}",${batch.slice(1)}` : batch;
  }

  private async ask(): Promise<void> {
    const url = `${this.path()}/api/v1/videos/${this.video}/sessions?session=${this.session.id}`;
    const answer = await fetch(url, { method: "POST" });
    if (answer.status === 429) throw new Error("too many tickets");
    if (!answer.ok) return void (this.noneUntil = Date.now() + FRESH_MS);
    const { ticket, expires_at } = (await answer.json()) as Answer;
    const at = Date.now();
    this.keep({ ticket, at, skew: expires_at - LIFETIME_MS - at });
  }

  private keep(kept: KeptTicket | undefined): void {
    this.kept = kept;
    this.session.keepTicket(this.video, kept);
  }
}
