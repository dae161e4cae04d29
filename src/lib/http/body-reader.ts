/** Reads slices of a body for ranged uploads: forward without reading anything twice, backward by starting again. */
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';

export class BodyReader {
  readonly #body: Body;
  #chunks: AsyncIterator<Buffer> | undefined;
  /** Bytes read ahead; they begin at `#position`. */
  #ahead: Buffer = Buffer.alloc(0);
  #position = 0;

  constructor(body: Body) {
    this.#body = body;
  }

  /** The bytes from `offset`, at most `length` and never fewer unless the body ends. */
  async read(offset: number, length: number): Promise<Buffer> {
    if (this.#body.inMemory !== undefined) return this.#body.inMemory.subarray(offset, offset + length);
    if (offset < this.#position || this.#chunks === undefined) await this.#restart();
    await this.#skip(offset - this.#position);
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0 && (await this.#fill())) {
      const part = this.#ahead.subarray(0, missing);
      parts.push(part);
      missing -= part.length;
      this.#consume(part.length);
    }
    return Buffer.concat(parts);
  }

  async close(): Promise<void> {
    await this.#chunks?.return?.();
    this.#chunks = undefined;
  }

  async #restart(): Promise<void> {
    await this.close();
    this.#chunks = this.#body.chunks()[Symbol.asyncIterator]();
    this.#ahead = Buffer.alloc(0);
    this.#position = 0;
  }

  async #skip(count: number): Promise<void> {
    let left = count;
    while (left > 0 && (await this.#fill())) {
      const step = Math.min(left, this.#ahead.length);
      this.#consume(step);
      left -= step;
    }
  }

  #consume(count: number): void {
    this.#ahead = this.#ahead.subarray(count);
    this.#position += count;
  }

  /** Makes sure that there is something ahead; `false` at the end of the body. */
  async #fill(): Promise<boolean> {
    must(this.#chunks !== undefined, 'reading begins with a restart');
    while (this.#ahead.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      this.#ahead = next.value;
    }
    return true;
  }
}
