/**
 * The codec of weir-edge-abi, version 2, on the host's side: writes configurations, requests and
 * body checks, reads plans and verdicts. The layout is documented in that crate.
 */

export const ABI_VERSION = 2;

const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "", "PATCH", "DELETE"];
const OTHER_METHOD = 4;
const BODY_KINDS = ["events", "comment", "session"] as const;
const MAX_HEADER = 512;

export type BodyKind = (typeof BODY_KINDS)[number];

export interface EdgeRequest {
  now: number;
  method: string;
  path: string;
  query: string;
  userAgent: string;
  contentType: string;
  mobile: boolean;
  country: string | undefined;
}

export interface EdgeResponse {
  status: number;
  fields: [string, string][];
  body: Uint8Array<ArrayBuffer>;
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

export type Plan = { action: "respond"; response: EdgeResponse } | Serve | Forward;

/** Writes one message into the guest's buffer; throws a RangeError where it does not fit. */
class Writer {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  length = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.u8(ABI_VERSION);
  }

  u8(value: number) {
    this.#view.setUint8(this.length, value);
    this.length += 1;
  }

  u16(value: number) {
    this.#view.setUint16(this.length, value, true);
    this.length += 2;
  }

  u32(value: number) {
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }

  u64(value: number) {
    this.#view.setBigUint64(this.length, BigInt(value), true);
    this.length += 8;
  }

  raw(value: Uint8Array) {
    this.#bytes.set(value, this.length);
    this.length += value.length;
  }

  text(value: string) {
    const bytes = new TextEncoder().encode(value);
    if (bytes.length > 0xffff) throw new RangeError("a text is longer than 64 KiB");
    this.u16(bytes.length);
    this.raw(bytes);
  }

  country(value: string | undefined) {
    this.raw(/^[A-Z]{2}$/.test(value ?? "") ? new TextEncoder().encode(value) : new Uint8Array(2));
  }
}

/** Reads one message; throws a RangeError where it ends too soon or says what cannot be. */
class Reader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array, versioned = true) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (versioned && this.u8() !== ABI_VERSION) throw new RangeError("another ABI version");
  }

  get ended() {
    return this.#at === this.#bytes.length;
  }

  u8() {
    this.#at += 1;
    return this.#view.getUint8(this.#at - 1);
  }

  u16() {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2, true);
  }

  u32() {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  /** A view: valid until the guest is called again. */
  raw(length: number) {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("the message ends within a field");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  text() {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.raw(this.u16()));
  }

  fields() {
    const pairs = new Reader(this.raw(this.u16()), false);
    const fields: [string, string][] = [];
    while (!pairs.ended) fields.push([pairs.text(), pairs.text()]);
    return fields;
  }

  country() {
    const [a = 0, b = 0] = this.raw(2);
    return a === 0 ? undefined : String.fromCharCode(a, b);
  }

  response(): EdgeResponse {
    return { status: this.u16(), fields: this.fields(), body: this.raw(this.u32()).slice() };
  }

  end() {
    if (!this.ended) throw new RangeError("bytes follow the last field");
  }
}

export function writeConfig(buffer: Uint8Array, targetDurationMs: number, partTargetMs: number) {
  const writer = new Writer(buffer);
  writer.u32(targetDurationMs);
  writer.u32(partTargetMs);
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
  return writer.length;
}

export function writeBodyCheck(buffer: Uint8Array, kind: BodyKind, body: Uint8Array) {
  const writer = new Writer(buffer);
  writer.u8(BODY_KINDS.indexOf(kind));
  writer.u32(body.length);
  writer.raw(body);
  return writer.length;
}

export function readPlan(message: Uint8Array): Plan {
  const reader = new Reader(message);
  // The class is for counters, which this host does not keep.
  reader.u8();
  const plan = readAction(reader);
  reader.end();
  return plan;
}

function readAction(reader: Reader): Plan {
  const action = reader.u8();
  switch (action) {
    case 0:
    case 1:
      return { action: "respond", response: reader.response() };
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
        held: reader.u8() === 1,
      };
    case 3:
      return {
        action: "forward",
        target: reader.text(),
        fields: reader.fields(),
        waitMs: reader.u32(),
        maxBody: reader.u32(),
        body: readBodyKind(reader),
        country: reader.country(),
      };
    default:
      throw new RangeError(`${action} is no action`);
  }
}

function readBodyKind(reader: Reader): BodyKind {
  const kind = BODY_KINDS[reader.u8()];
  if (kind === undefined) throw new RangeError("no such kind of body");
  return kind;
}

/** `undefined` accepts the body. */
export function readVerdict(message: Uint8Array): EdgeResponse | undefined {
  const reader = new Reader(message);
  const refusal = reader.u8() === 0 ? undefined : reader.response();
  reader.end();
  return refusal;
}
