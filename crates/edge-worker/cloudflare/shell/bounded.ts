/** A Map that forgets its oldest entries when it holds more than `most`. */
export class Bounded<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: K) {
    return this.#entries.get(key);
  }

  set(key: K, value: V) {
    // Written anew, it is the youngest.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#most) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
  }
}
