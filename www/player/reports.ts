// Gets a playback's events to the server, under the session's ticket. Loaded beside the first pictures:
// nothing that plays waits for it.

import { hurry, post } from "./events";
import type { Session } from "./session";
import { Ticket } from "./ticket";
import { tokenPath } from "./token";
import { keepUnsent, resend } from "./unsent";

export class Reports {
  private readonly session: Session;
  private readonly video: string;
  private readonly ticket: Ticket;

  /** `url` is that of the video, under the token of the moment. */
  constructor(session: Session, video: string, url: () => string) {
    this.session = session;
    this.video = video;
    this.ticket = new Ticket(session, video, () => tokenPath(url()));
    void resend(session);
  }

  /** There are pictures, which is when the edge gives a ticket. Says whether that went well. */
  async begin(): Promise<boolean> {
    return this.ticket.need().then(() => true, () => false);
  }

  /** Posts a batch; the numbers of the events that are done with. */
  post(batch: string): Promise<number[] | undefined> {
    return post(batch, this.ticket);
  }

  /** Keeps all that is unanswered beyond the life of the page. */
  keep(batch: string): void {
    keepUnsent(this.session, this.video, batch ? this.ticket.in(batch) : undefined);
  }

  /** Hurries a batch out of a page that is going. */
  hurry(batch: string): void {
    hurry(this.ticket.in(batch));
  }
}
