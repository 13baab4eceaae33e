// One SourceBuffer: bodies are appended in the order in which they were asked for, each as it
// comes in, and everything else that touches the buffer waits its turn.

/** A body on its way into the buffer. */
export interface Incoming {
  readonly id: number;
  readonly chunks: Uint8Array<ArrayBuffer>[];
  bytes: number;
  firstBytes: number;
  firstAt: number;
  lastAt: number;
  done: boolean;
  /** Whether the player has seen its head and let it pass, so that bytes of it may be appended. */
  begun: boolean;
  /** Whether the player has seen its head and waits to learn more. */
  held: boolean;
}

/** What a sink tells the player. */
export interface SinkEvents {
  /** Answers whether the body may be appended now. */
  head(id: number, head: Uint8Array): boolean;
  completed(body: Incoming): void;
  full(): void;
  broken(): void;
}

type Task =
  | { readonly do: "offset"; readonly seconds: number }
  | { readonly do: "type"; readonly mime: string }
  | { readonly do: "remove"; readonly start: number; readonly end: number }
  | { readonly do: "reset" };

/** How much of a body the player wants to see before it is appended. */
const HEAD = 2048;

export class Sink {
  private buffer: SourceBuffer | undefined;
  private readonly bodies: Incoming[] = [];
  private readonly tasks: Task[] = [];
  private readonly events: SinkEvents;
  private pumping = false;

  constructor(events: SinkEvents) {
    this.events = events;
  }

  attach(buffer: SourceBuffer): void {
    this.buffer = buffer;
    buffer.addEventListener("updateend", () => this.pump());
    buffer.addEventListener("error", () => buffer === this.buffer && this.events.broken());
    this.pump();
  }

  detach(): void {
    this.buffer = undefined;
    this.bodies.length = 0;
    this.tasks.length = 0;
  }

  get idle(): boolean {
    return !this.buffer?.updating && this.tasks.length === 0;
  }

  expect(id: number): Incoming {
    const body: Incoming = {
      id,
      chunks: [],
      bytes: 0,
      firstBytes: 0,
      firstAt: 0,
      lastAt: 0,
      done: false,
      begun: false,
      held: false,
    };
    this.bodies.push(body);
    return body;
  }

  /** Takes in bytes of a body. */
  receive(body: Incoming, chunk: Uint8Array<ArrayBuffer>): void {
    body.lastAt = performance.now();
    if (body.bytes === 0) {
      body.firstAt = body.lastAt;
      body.firstBytes = chunk.byteLength;
    }
    body.bytes += chunk.byteLength;
    body.chunks.push(chunk);
    this.pump();
  }

  finish(body: Incoming): void {
    body.done = true;
    this.pump();
  }

  /** Forgets a body. What was appended of it is taken out of the buffer's parser. */
  drop(id: number): void {
    const index = this.bodies.findIndex((body) => body.id === id);
    const [body] = index < 0 ? [] : this.bodies.splice(index, 1);
    if (body?.begun) this.tasks.push({ do: "reset" });
    this.pumpSoon();
  }

  /** Has the head of a body that is held shown again. */
  release(id: number): void {
    const body = this.bodies.find((body) => body.id === id);
    if (body) body.held = false;
    this.pumpSoon();
  }

  offset(seconds: number): void {
    this.tasks.push({ do: "offset", seconds });
    this.pumpSoon();
  }

  changeType(mime: string): void {
    this.tasks.push({ do: "type", mime });
    this.pumpSoon();
  }

  remove(start: number, end: number): void {
    this.tasks.push({ do: "remove", start, end });
    this.pumpSoon();
  }

  /** For what the player asks for: it must not be called back from within its own call. */
  private pumpSoon(): void {
    queueMicrotask(() => this.pump());
  }

  private pump(): void {
    // The player answers a head with an offset at once: that call must not begin a second loop.
    if (this.pumping) return;
    this.pumping = true;
    try {
      while (this.buffer && !this.buffer.updating && this.step(this.buffer)) {}
    } catch (error) {
      if (error instanceof DOMException && error.name === "QuotaExceededError") {
        this.events.full();
        setTimeout(() => this.pump(), 500);
      } else {
        this.events.broken();
      }
    } finally {
      this.pumping = false;
    }
  }

  /** Does one thing; says whether there may be another. */
  private step(buffer: SourceBuffer): boolean {
    const task = this.tasks.shift();
    if (task) {
      switch (task.do) {
        case "offset":
          buffer.timestampOffset = task.seconds;
          return true;
        case "type":
          buffer.changeType(task.mime);
          return true;
        case "remove":
          buffer.remove(task.start, task.end);
          return true;
        case "reset":
          buffer.abort();
          return true;
      }
    }
    const body = this.bodies[0];
    if (!body) return false;
    if (!body.begun) {
      if (body.bytes < HEAD && !body.done) return false;
      if (body.held) return false;
      body.begun = this.events.head(body.id, headOf(body));
      body.held = !body.begun;
      return body.begun;
    }
    const chunk = body.chunks[0];
    if (chunk) {
      buffer.appendBuffer(chunk);
      body.chunks.shift();
      return true;
    }
    if (!body.done) return false;
    this.bodies.shift();
    this.events.completed(body);
    return true;
  }
}

function headOf(body: Incoming): Uint8Array {
  const head = new Uint8Array(Math.min(HEAD, body.bytes));
  let filled = 0;
  for (const chunk of body.chunks) {
    if (filled === head.length) break;
    const piece = chunk.subarray(0, head.length - filled);
    head.set(piece, filled);
    filled += piece.length;
  }
  return head;
}
