// A video's room as a page follows it: live through a WebSocket, over HTTP what that misses or while
// there is none. The frames are described in docs/rooms.md.

import { type Comment, type Reaction, Refused, listComments, roomUrl } from "./api";

export type Notice = "live" | "away" | "slate" | "ended";

/** What the page does with what comes. */
export interface Listener {
  /** Further comments, by number; none comes twice. `total` is how many there are. */
  comments(comments: Comment[], total: number): void;
  reactions(counts: Partial<Record<Reaction, number>>): void;
  notice(notice: Notice): void;
  /** How many watch; undefined while nobody knows. */
  viewers(viewers: number | undefined): void;
}

type Frame =
  | { type: "hello"; seq: number; viewers: number }
  | { type: "messages"; messages: Comment[] }
  | { type: "hole"; after: number }
  | { type: "reactions"; counts: Partial<Record<Reaction, number>> }
  | { type: "notice"; notice: Notice }
  | { type: "viewers"; viewers: number };

/** Without a socket, comments are asked for so often. */
const POLL_MS = 2000;
/** First pause before another attempt; it doubles up to the longest. Up to half of it is left to chance. */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 20_000;
/** A socket that says nothing for so long is tried again. */
const HELLO_MS = 8000;
/** A page of comments may be so old, as it is shared. */
const SHARED_MS = 1100;
/** How often a hole is looked into before it is left. */
const LOOKS = 3;
const PAGE = 100;
/** Who missed more than this sees the newest page of it. */
const MOST_MISSED = 300;
const ACKNOWLEDGE_MS = 2000;
const ACKNOWLEDGE_MESSAGES = 50;
/** Close code of a server that goes down, RFC 6455 section 7.4.1. */
const GOING_AWAY = 1001;

export class Room {
  private readonly video: string;
  private readonly listener: Listener;
  private socket: WebSocket | undefined;
  /** Greeted, that is: until then, HTTP is asked. */
  private live = false;
  private failures = 0;
  private reconnecting: ReturnType<typeof setTimeout> | undefined;
  private readonly polling: ReturnType<typeof setInterval>;
  /** Turned away for good: the page has no playback token that lets it in. */
  private barred = false;
  /** Number of the newest comment that the page has. */
  private last: number | undefined;
  private acknowledged = 0;
  private acknowledging: ReturnType<typeof setTimeout> | undefined;
  /** What came while a hole is being filled. */
  private held: Comment[] = [];
  private filling: Promise<void> | undefined;

  constructor(video: string, listener: Listener) {
    this.video = video;
    this.listener = listener;
    this.polling = setInterval(() => this.poll(), POLL_MS);
    void this.refresh().finally(() => this.connect());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden" || this.live) return;
      this.poll();
      if (this.reconnecting !== undefined) this.connect();
    });
  }

  /** Asks over HTTP for what the page lacks, unless a socket brings it. */
  async posted(): Promise<void> {
    if (!this.live) await this.refresh();
  }

  private poll(): void {
    if (!this.live && document.visibilityState !== "hidden") void this.refresh();
  }

  private connect(): void {
    clearTimeout(this.reconnecting);
    this.reconnecting = undefined;
    if (this.barred) return;
    const socket = new WebSocket(roomUrl(this.video, this.last));
    this.socket = socket;
    const hello = setTimeout(() => socket.close(), HELLO_MS);
    socket.addEventListener("message", ({ data }) => {
      clearTimeout(hello);
      if (this.socket === socket) this.take(JSON.parse(String(data)) as Frame);
    });
    socket.addEventListener("close", ({ code }) => {
      clearTimeout(hello);
      if (this.socket === socket) this.lost(code);
    });
  }

  private lost(code: number): void {
    this.socket = undefined;
    // A server that goes down has others beside it, or is back in a moment.
    if (this.live && code === GOING_AWAY) this.failures = 0;
    this.live = false;
    this.listener.viewers(undefined);
    const pause = Math.min(MIN_PAUSE_MS * 2 ** this.failures, MAX_PAUSE_MS);
    this.failures += 1;
    this.reconnecting = setTimeout(() => this.connect(), pause * (0.5 + Math.random() / 2));
  }

  private take(frame: Frame): void {
    switch (frame.type) {
      case "hello":
        // A store that has lost comments greets again, and begins its numbers anew.
        if (this.live && this.last !== undefined) this.last = Math.min(this.last, frame.seq);
        if (frame.seq === 0) this.last ??= 0;
        this.live = true;
        this.failures = 0;
        this.acknowledged = this.last ?? 0;
        this.listener.viewers(frame.viewers);
        break;
      case "messages":
        this.held.push(...frame.messages);
        if (this.filling === undefined) this.release();
        break;
      case "hole":
        void this.refresh();
        break;
      case "reactions":
        this.listener.reactions(frame.counts);
        break;
      case "notice":
        this.listener.notice(frame.notice);
        break;
      case "viewers":
        this.listener.viewers(frame.viewers);
        break;
    }
  }

  /** Shows what was held back, if it follows what the page has; else the hole is filled first. */
  private release(): void {
    const first = this.held.find(({ seq }) => this.last === undefined || seq > this.last);
    if (first && this.last !== undefined && first.seq > this.last + 1) void this.refresh();
    else this.show(this.held.splice(0));
  }

  private show(comments: Comment[]): void {
    const fresh = comments.filter(({ seq }) => this.last === undefined || seq > this.last);
    this.last = fresh.at(-1)?.seq ?? this.last;
    if (fresh.length > 0) this.listener.comments(fresh, this.last ?? 0);
    this.acknowledge();
  }

  private acknowledge(): void {
    const due = (this.last ?? 0) - this.acknowledged;
    if (due <= 0 || !this.live) return;
    if (due >= ACKNOWLEDGE_MESSAGES) this.sendAcknowledgement();
    else this.acknowledging ??= setTimeout(() => this.sendAcknowledgement(), ACKNOWLEDGE_MS);
  }

  private sendAcknowledgement(): void {
    clearTimeout(this.acknowledging);
    this.acknowledging = undefined;
    if (!this.live || this.socket?.readyState !== WebSocket.OPEN) return;
    this.acknowledged = this.last ?? 0;
    this.socket.send(JSON.stringify({ acknowledge: this.acknowledged }));
  }

  /** Reads over HTTP what follows the newest that the page has. One at a time. */
  private refresh(): Promise<void> {
    this.filling ??= this.fill()
      .catch((error: unknown) => {
        if (error instanceof Refused && error.status === 403) this.bar();
      })
      .finally(() => {
        this.filling = undefined;
        this.show(this.held.splice(0));
      });
    return this.filling;
  }

  /** A browser does not tell why a socket was refused, so that what is read over HTTP has to. */
  private bar(): void {
    this.barred = true;
    clearInterval(this.polling);
  }

  private async fill(): Promise<void> {
    for (let look = 0; look < LOOKS; look += 1) {
      let comments: Comment[];
      do {
        let page = await listComments(this.video, this.last, PAGE);
        if (this.last !== undefined && page.total - this.last > MOST_MISSED) {
          this.last = page.total - PAGE;
          page = await listComments(this.video, this.last, PAGE);
        }
        comments = page.comments;
        // An empty video's next page begins at its first comment.
        if (page.total === 0) this.last ??= 0;
        if (comments.length === 0) this.listener.comments([], page.total);
        this.show(comments);
      } while (comments.length === PAGE);
      const next = this.held.find(({ seq }) => seq > (this.last ?? 0));
      if (!next || next.seq === (this.last ?? 0) + 1) return;
      // The page was older than what has come since.
      await new Promise((resolve) => setTimeout(resolve, SHARED_MS));
    }
  }
}
