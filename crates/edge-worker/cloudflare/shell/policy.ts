/**
 * The operator's policy: what `weir pop --edge-policy` reads as TOML, here as JSON and with the same
 * names. Key files cannot be named: a secret has no folder.
 */
import type { Config, Key, Rate } from "./abi.ts";
import type { Env } from "./env.ts";
import { DEFAULT_POP } from "./origin.ts";
import { ticketKey } from "./signature.ts";

/** What Weir's packager writes in its standard profile. */
const TARGET_DURATION_MS = 4000;
const PART_TARGET_MS = 350;
const STEERING_TTL_S = 300;

export interface Policy {
  config: Config;
  /** The request header that tells the device class, if any is believed. */
  deviceHeader: string | undefined;
}

let read: { text: string; policy: Policy } | undefined;

/** Read once; a policy that is none fails every request, and says why in the log. */
export function policyOf(env: Env): Policy {
  const text = env.POLICY || "{}";
  if (read?.text !== text) read = { text, policy: parse(text, env.POP ?? DEFAULT_POP) };
  return read.policy;
}

/** To be done before the policy is used: making its key of session tickets takes a promise. */
export async function prepare(env: Env) {
  const { config } = policyOf(env);
  if (config.ticketKey.length > 0 || !env.EDGE_SECRET) return;
  config.ticketKey = await ticketKey(env.EDGE_SECRET);
}

function parse(text: string, pop: string): Policy {
  const policy = new Entries("the policy", JSON.parse(text));
  const limits = policy.entries("limits");
  const config: Config = {
    targetDurationMs: TARGET_DURATION_MS,
    partTargetMs: PART_TARGET_MS,
    pop,
    audience: policy.text("audience") ?? "",
    keys: policy.list("keys").map(readKey),
    deniedCountries: policy.texts("denied_countries"),
    ticketKey: base64url(policy.text("ticket_key") ?? ""),
    pathways: policy.list("pathways").map((pathway) => {
      const [id, baseUrl] = [pathway.needed("id"), pathway.needed("base_url")];
      pathway.end();
      return { id, baseUrl };
    }),
    steeringTtlS: policy.number("steering_ttl_s") ?? STEERING_TTL_S,
    limits: {
      comments: readRate(limits.entries("comments")),
      events: readRate(limits.entries("events")),
      sessions: readRate(limits.entries("sessions")),
    },
  };
  limits.end();
  const deviceHeader = policy.text("device_header");
  // Cloudflare itself tells the country.
  policy.text("country_header");
  policy.end();
  return { config, deviceHeader };
}

function readKey(entry: Entries): Key {
  const kid = entry.needed("kid");
  const algorithm = entry.needed("algorithm");
  if (algorithm !== "HS256" && algorithm !== "EdDSA") {
    throw new TypeError(`key ${kid}: algorithm is HS256 or EdDSA`);
  }
  const key = base64url(entry.needed(algorithm === "HS256" ? "secret" : "public_key"));
  entry.end();
  return { kid, algorithm, key };
}

function readRate(entry: Entries): Rate {
  const rate = { perMinute: entry.number("per_minute") ?? 0, burst: entry.number("burst") ?? 0 };
  entry.end();
  return rate;
}

function base64url(text: string) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** The entries of a JSON object, each of which is to be asked for. */
class Entries {
  readonly #what: string;
  readonly #entries: Map<string, unknown>;

  constructor(what: string, value: unknown) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject) throw new TypeError(`${what} is no object`);
    this.#what = what;
    this.#entries = new Map(Object.entries(value));
  }

  text(name: string) {
    return this.#take(name, (value) => typeof value === "string");
  }

  needed(name: string) {
    const value = this.text(name);
    if (value === undefined) throw new TypeError(`${this.#what}: ${name} is missing`);
    return value;
  }

  number(name: string) {
    return this.#take(name, (value): value is number => Number.isInteger(value));
  }

  texts(name: string) {
    const isTexts = (value: unknown): value is string[] =>
      Array.isArray(value) && value.every((one) => typeof one === "string");
    return this.#take(name, isTexts) ?? [];
  }

  entries(name: string) {
    return new Entries(name, this.#take(name, (value) => value !== undefined) ?? {});
  }

  list(name: string) {
    const values = this.#take(name, (value): value is unknown[] => Array.isArray(value)) ?? [];
    return values.map((value) => new Entries(`one of ${name}`, value));
  }

  /** Refuses what nobody asked for: it is a mistake. */
  end() {
    const [unknown] = this.#entries.keys();
    if (unknown !== undefined) throw new TypeError(`${this.#what} has no ${unknown}`);
  }

  #take<T>(name: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.#entries.get(name);
    this.#entries.delete(name);
    if (value === undefined) return undefined;
    if (!is(value)) throw new TypeError(`${this.#what}: ${name} is of another type`);
    return value;
  }
}
