/** How messages of weir-edge-abi are written and read: little-endian, without padding. */

/** Begins every message; host and guest refuse each other if theirs differ. */
export const ABI_VERSION = 3;

/** Writes one message into the guest's buffer; throws a RangeError where it does not fit. */
export class Writer {
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

  bytes(value: Uint8Array) {
    this.u32(value.length);
    this.raw(value);
  }

  country(value: string | undefined) {
    this.raw(/^[A-Z]{2}$/.test(value ?? "") ? new TextEncoder().encode(value) : new Uint8Array(2));
  }

  /** How many there are, in one byte, and each of them. */
  list<T>(values: readonly T[], write: (value: T) => void) {
    if (values.length > 0xff) throw new RangeError("a list has more than 255 entries");
    this.u8(values.length);
    for (const value of values) write(value);
  }
}

/** Reads one message; throws a RangeError where it ends too soon or says what cannot be. */
export class Reader {
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

  /** A number beyond what JavaScript counts exactly is as good as the last that it does. */
  u64() {
    this.#at += 8;
    return Math.min(Number(this.#view.getBigUint64(this.#at - 8, true)), Number.MAX_SAFE_INTEGER);
  }

  flag() {
    const value = this.u8();
    if (value > 1) throw new RangeError(`${value} is neither yes nor no`);
    return value === 1;
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

  /** A copy. */
  bytes() {
    return this.raw(this.u32()).slice() as Uint8Array<ArrayBuffer>;
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

  /** A byte of which only the bits of `known` may be set. */
  flags(known: number) {
    const value = this.u8();
    if (value & ~known) throw new RangeError(`${value} has unknown flags`);
    return value;
  }

  /** One of `words`, by its number. */
  word<W extends string>(words: readonly W[], what: string): W {
    const value = this.u8();
    const word = words[value];
    if (word === undefined) throw new RangeError(`${value} is no ${what}`);
    return word;
  }

  end() {
    if (!this.ended) throw new RangeError("bytes follow the last field");
  }
}
