/** A body that any number of readers follow while it comes, each from its beginning. */
export class Growth {
  readonly #chunks: Uint8Array[] = [];
  #waiting: (() => void)[] = [];
  #end: "complete" | "broken" | undefined;
  length = 0;

  get broken() {
    return this.#end === "broken";
  }

  push(chunk: Uint8Array) {
    this.#chunks.push(chunk);
    this.length += chunk.length;
    this.#wake();
  }

  /** That was all; or, if it broke off, nobody is to take it for all. */
  end(how: "complete" | "broken") {
    this.#end = how;
    this.#wake();
  }

  /** The whole, if it is there; else a stream of it. */
  content(): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
    if (this.#end !== "complete") return this.#stream();
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  #stream() {
    let next = 0;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        while (next === this.#chunks.length && this.#end === undefined) {
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        }
        const chunk = this.#chunks[next];
        next += 1;
        if (chunk) controller.enqueue(chunk);
        else if (this.#end === "complete") controller.close();
        else controller.error(new Error("the origin's answer was cut short"));
      },
    });
  }

  #wake() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}
