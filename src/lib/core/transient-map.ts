/**
 * A map of what comes and goes: sessions, conversations, messages in work. When a `Map` or `Set` of the language has seen as many deletions as it has
 * room for, it gets a new table, and the old one goes on pointing to the new one. Once one of these tables has grown old, the collector of young
 * objects takes all that follow it for alive, and with them whoever was in them: nearly everything that is long gone waits for a collection of the
 * whole heap. Here the tables hold places, which are emptied, and what was in them is free at once.
 */

interface Place<V> {
  value: V | undefined;
}

export class TransientMap<K extends string | number, V extends object> {
  readonly #places = new Map<K, Place<V>>();

  get size(): number {
    return this.#places.size;
  }

  has(key: K): boolean {
    return this.#places.has(key);
  }

  get(key: K): V | undefined {
    return this.#places.get(key)?.value;
  }

  /** A key that is there keeps its turn in the order of values. */
  set(key: K, value: V): void {
    const place = this.#places.get(key);
    if (place === undefined) this.#places.set(key, { value });
    else place.value = value;
  }

  /** Answers whether there was something. */
  delete(key: K): boolean {
    const place = this.#places.get(key);
    if (place === undefined) return false;
    place.value = undefined;
    return this.#places.delete(key);
  }

  /** In the order in which their keys came; safe against deletions meanwhile. */
  *values(): Generator<V, undefined> {
    for (const { value } of this.#places.values()) if (value !== undefined) yield value;
  }
}
