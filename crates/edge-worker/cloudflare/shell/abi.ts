/**
 * The codec of weir-edge-abi on the host's side: writes configurations, requests and body checks,
 * reads plans and verdicts. The layout is documented in that crate.
 */
import { Reader, Writer } from "./wire.ts";

const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "", "PATCH", "DELETE"];
const OTHER_METHOD = 4;
const ALGORITHMS = ["HS256", "EdDSA"] as const;
const CLASSES = [
  "playlist",
  "multivariant",
  "init",
  "segment",
  "part",
  "span",
  "api",
  "web",
  "room",
] as const;
const ENCODINGS = ["identity", "gzip", "br"] as const;
const BODY_KINDS = ["events", "comment", "session", "reaction"] as const;
/** By their tokens in CMCD's `ot`; the first is unknown. */
const OBJECT_TYPES = ["", "m", "a", "v", "av", "i", "c", "tt", "k", "o"] as const;
const MAX_HEADER = 512;

export type Class = (typeof CLASSES)[number];
/** By its name in HTTP. */
export type Encoding = (typeof ENCODINGS)[number];
export type BodyKind = (typeof BODY_KINDS)[number];

export interface Key {
  kid: string;
  algorithm: (typeof ALGORITHMS)[number];
  key: Uint8Array;
}

export interface Pathway {
  id: string;
  baseUrl: string;
}

/** A bucket of `burst` that fills by `perMinute`; 0 is no limit. */
export interface Rate {
  perMinute: number;
  burst: number;
}

export interface Config {
  targetDurationMs: number;
  partTargetMs: number;
  /** What this edge is called in session tickets. */
  pop: string;
  audience: string;
  keys: Key[];
  deniedCountries: string[];
  /** Empty: no session tickets. */
  ticketKey: Uint8Array;
  pathways: Pathway[];
  steeringTtlS: number;
  limits: { comments: Rate; events: Rate; sessions: Rate };
}

export interface EdgeRequest {
  now: number;
  method: string;
  path: string;
  query: string;
  userAgent: string;
  contentType: string;
  mobile: boolean;
  country: string | undefined;
  acceptEncoding: string;
  /** What follows `Bearer` in `Authorization`. */
  bearer: string;
  /** What an earlier plan told to remember of this request's token. */
  claims: Uint8Array | undefined;
  /** 16 random bytes. */
  nonce: Uint8Array;
  /** 0 to 100 for each pathway of the configuration. */
  pathwayHealth: Uint8Array;
  cmcd: string;
  device: string;
}

export interface EdgeResponse {
  status: number;
  fields: [string, string][];
  body: Uint8Array<ArrayBuffer>;
}

export interface Position {
  /** `{video}/{rendition}` */
  stream: string;
  msn: number;
  part: number | undefined;
}

export interface Serve {
  action: "serve";
  target: string;
  cacheControl: string;
  fields: [string, string][];
  freshMs: number;
  errorMs: number;
  staleMs: number;
  waitMs: number;
  held: boolean;
  encoding: Encoding;
  position: Position | undefined;
}

export interface Forward {
  action: "forward";
  target: string;
  fields: [string, string][];
  waitMs: number;
  maxBody: number;
  body: BodyKind;
  country: string | undefined;
}

export interface Join {
  action: "join";
  /** The video. */
  room: string;
  /** Number of the newest message that the client has. */
  after: number | undefined;
}

export interface Respond {
  action: "respond" | "deny";
  response: EdgeResponse;
}

export interface Limit extends Rate {
  bucket: number;
}

export interface Cmcd {
  objectType: (typeof OBJECT_TYPES)[number];
  startup: boolean;
  starved: boolean;
  bitrateKbps: number | undefined;
  throughputKbps: number | undefined;
  bufferMs: number | undefined;
}

export type Action = Respond | Serve | Forward | Join;

export interface Plan {
  class: Class;
  action: Action;
  /** The claims of the request's token, verified now. */
  remember: Uint8Array | undefined;
  limit: Limit | undefined;
  cmcd: Cmcd | undefined;
}

export function writeConfig(buffer: Uint8Array, config: Config) {
  const writer = new Writer(buffer);
  writer.u32(config.targetDurationMs);
  writer.u32(config.partTargetMs);
  writer.text(config.pop);
  writer.text(config.audience);
  writer.list(config.keys, ({ kid, algorithm, key }) => {
    writer.text(kid);
    writer.u8(ALGORITHMS.indexOf(algorithm));
    writer.bytes(key);
  });
  writer.list(config.deniedCountries, (country) => writer.country(country));
  writer.bytes(config.ticketKey);
  writer.list(config.pathways, ({ id, baseUrl }) => {
    writer.text(id);
    writer.text(baseUrl);
  });
  writer.u32(config.steeringTtlS);
  const { comments, events, sessions } = config.limits;
  for (const { perMinute, burst } of [comments, events, sessions]) {
    writer.u32(perMinute);
    writer.u32(burst);
  }
  return writer.length;
}

export function writeRequest(buffer: Uint8Array, request: EdgeRequest) {
  const writer = new Writer(buffer);
  const method = METHODS.indexOf(request.method);
  writer.u64(request.now);
  writer.u8(method < 0 ? OTHER_METHOD : method);
  writer.text(request.path);
  writer.text(request.query);
  writer.text(request.userAgent.slice(0, MAX_HEADER));
  writer.text(request.contentType.slice(0, MAX_HEADER));
  writer.u8(request.mobile ? 1 : 0);
  writer.country(request.country);
  writer.text(request.acceptEncoding.slice(0, MAX_HEADER));
  writer.text(request.bearer);
  writer.bytes(request.claims ?? new Uint8Array());
  writer.raw(request.nonce);
  writer.bytes(request.pathwayHealth);
  writer.text(request.cmcd.slice(0, MAX_HEADER));
  writer.text(request.device.slice(0, MAX_HEADER));
  // Nobody but viewers comes this way.
  writer.u8(0);
  return writer.length;
}

export function writeBodyCheck(buffer: Uint8Array, kind: BodyKind, body: Uint8Array) {
  const writer = new Writer(buffer);
  writer.u8(BODY_KINDS.indexOf(kind));
  writer.bytes(body);
  return writer.length;
}

export function readPlan(message: Uint8Array): Plan {
  const reader = new Reader(message);
  const cls = reader.word(CLASSES, "class");
  const action = readAction(reader);
  const extras = reader.flags(7);
  const plan: Plan = {
    class: cls,
    action,
    remember: extras & 1 ? reader.bytes() : undefined,
    limit: extras & 2 ? { bucket: reader.u8(), perMinute: reader.u32(), burst: reader.u32() } : undefined,
    cmcd: extras & 4 ? readCmcd(reader) : undefined,
  };
  reader.end();
  return plan;
}

function readCmcd(reader: Reader): Cmcd {
  const objectType = reader.word(OBJECT_TYPES, "object type");
  const flags = reader.flags(31);
  const known = (flag: number, value: number) => (flags & flag ? value : undefined);
  return {
    objectType,
    startup: (flags & 1) !== 0,
    starved: (flags & 2) !== 0,
    bitrateKbps: known(4, reader.u32()),
    throughputKbps: known(8, reader.u32()),
    bufferMs: known(16, reader.u32()),
  };
}

function readAction(reader: Reader): Action {
  const action = reader.u8();
  switch (action) {
    case 0:
      return { action: "respond", response: readResponse(reader) };
    case 1:
      return { action: "deny", response: readResponse(reader) };
    case 2:
      return {
        action: "serve",
        target: reader.text(),
        cacheControl: reader.text(),
        fields: reader.fields(),
        freshMs: reader.u32(),
        errorMs: reader.u32(),
        staleMs: reader.u32(),
        waitMs: reader.u32(),
        held: reader.flag(),
        encoding: reader.word(ENCODINGS, "encoding"),
        position: readPosition(reader),
      };
    case 3:
      return {
        action: "forward",
        target: reader.text(),
        fields: reader.fields(),
        waitMs: reader.u32(),
        maxBody: reader.u32(),
        body: reader.word(BODY_KINDS, "kind of body"),
        country: reader.country(),
      };
    case 4:
      return { action: "join", room: reader.text(), after: reader.flag() ? reader.u64() : undefined };
    default:
      throw new RangeError(`${action} is no action`);
  }
}

function readPosition(reader: Reader): Position | undefined {
  const kind = reader.u8();
  if (kind === 0) return undefined;
  if (kind > 2) throw new RangeError(`${kind} is no kind of position`);
  return { stream: reader.text(), msn: reader.u64(), part: kind === 2 ? reader.u32() : undefined };
}

function readResponse(reader: Reader): EdgeResponse {
  return { status: reader.u16(), fields: reader.fields(), body: reader.bytes() };
}

/** `undefined` accepts the body. */
export function readVerdict(message: Uint8Array): EdgeResponse | undefined {
  const reader = new Reader(message);
  const refusal = reader.flag() ? readResponse(reader) : undefined;
  reader.end();
  return refusal;
}
