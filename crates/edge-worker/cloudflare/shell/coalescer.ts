/**
 * Shares answers where there is no Workers Cache: one object per stream asks the origin once,
 * however many wait for it, and hands the answer to all of them. It keeps no answer for longer than
 * that is fresh, and stores nothing.
 */
import { DurableObject } from "cloudflare:workers";
import { HOW, LENGTH, type Order, originFailed, STORE } from "./answers.ts";
import type { Env } from "./env.ts";
import { Growth } from "./growth.ts";
import { take } from "./source.ts";

/** Of a request to the object: the order, as JSON; and which data centre asks. */
export const ORDER = "weir-order";
export const COLO = "weir-colo";

const MAX_BODY = 32 * 1024 * 1024;
const MAX_KEPT = 64 * 1024 * 1024;
/** How long an old answer stands in before the origin is asked again. */
const STAND_IN_MS = 1000;

interface Landing {
  status: number;
  headers: Headers;
  body: Growth;
  standsIn: boolean;
}

interface Flight {
  landing: Promise<Landing>;
  landed: Landing | undefined;
  freshUntil: number;
  staleUntil: number;
  /** Data centres that were told to store the answer. */
  colos: Set<string>;
}

export class Coalescer extends DurableObject<Env> {
  readonly #flights = new Map<string, Flight>();

  override async fetch(request: Request) {
    const order: Order = JSON.parse(request.headers.get(ORDER) ?? "");
    const colo = request.headers.get(COLO) ?? "";
    const key = `${order.encoding} ${order.target}`;
    const known = this.#flights.get(key);
    const shared = isUsable(known) ? known : undefined;
    const flight = shared ?? this.#fly(key, order, known);
    const how = !shared ? "fwd=miss" : shared.landed ? "hit" : "fwd=miss; collapsed";
    try {
      const { status, headers, body, standsIn } = await flight.landing;
      const fields = new Headers(headers);
      fields.set(HOW, standsIn ? "hit; detail=stale" : how);
      if (!flight.colos.has(colo) && !standsIn) fields.set(STORE, "1");
      flight.colos.add(colo);
      return new Response(body.content(), { status, headers: fields, encodeBody: "manual" });
    } catch (error) {
      return originFailed(error, order.held);
    }
  }

  /** Begins a flight. Nobody's going away ends it: it belongs to the object. */
  #fly(key: string, order: Order, known: Flight | undefined): Flight {
    const landing = take(this.env, order, this.ctx, read).then(
      (landing) => (landing.status < 500 ? landing : (standIn(known) ?? landing)),
      (error) => standIn(known) ?? Promise.reject(error),
    );
    const flight: Flight = {
      landing,
      landed: undefined,
      freshUntil: Infinity,
      staleUntil: 0,
      colos: new Set(),
    };
    this.#flights.set(key, flight);
    const landed = landing.then(
      (landing) => {
        const now = Date.now();
        flight.landed = landing;
        flight.freshUntil = now + lifetime(order, landing);
        flight.staleUntil = landing.standsIn ? (known?.staleUntil ?? 0) : now + staleness(order, landing);
        this.#forget();
      },
      () => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      },
    );
    this.ctx.waitUntil(landed);
    return flight;
  }

  /** Forgets what is over, and then the oldest, until what is kept fits. */
  #forget() {
    const now = Date.now();
    let kept = 0;
    for (const [key, { landed, freshUntil, staleUntil }] of this.#flights) {
      if (Math.max(freshUntil, staleUntil) <= now || landed?.body.broken) this.#flights.delete(key);
      else kept += landed?.body.length ?? 0;
    }
    for (const [key, { landed }] of this.#flights) {
      if (kept <= MAX_KEPT) break;
      kept -= landed?.body.length ?? 0;
      this.#flights.delete(key);
    }
  }
}

function isUsable(flight: Flight | undefined) {
  return flight !== undefined && Date.now() < flight.freshUntil && !flight.landed?.body.broken;
}

function standIn(known: Flight | undefined): Landing | undefined {
  const usable = known?.landed && !known.landed.body.broken && Date.now() < known.staleUntil;
  return usable ? { ...known.landed!, standsIn: true } : undefined;
}

function lifetime(order: Order, landing: Landing) {
  if (landing.standsIn) return STAND_IN_MS;
  return landing.status < 400 ? order.freshMs : order.errorMs;
}

function staleness(order: Order, { status }: Landing) {
  return status < 400 ? order.freshMs + order.staleMs : 0;
}

/**
 * Of what is complete the origin tells the length: that is read whole. All else is handed on as it
 * grows.
 */
async function read(answer: Response): Promise<Landing> {
  const body = new Growth();
  const { status, headers } = answer;
  const growing = fill(body, answer);
  if (headers.has(LENGTH) || !answer.body) {
    await growing;
    headers.set(LENGTH, String(body.length));
  } else {
    growing.catch(console.warn);
  }
  return { status, headers, body, standsIn: false };
}

async function fill(body: Growth, answer: Response) {
  try {
    for await (const chunk of answer.body ?? []) {
      if (body.length + chunk.length > MAX_BODY) throw new Error("the origin's answer is too long");
      body.push(chunk);
    }
    const announced = answer.headers.get(LENGTH);
    if (announced !== null && Number(announced) !== body.length) throw new Error("the origin's answer was cut short");
    body.end("complete");
  } catch (error) {
    body.end("broken");
    throw error;
  }
}
