/** The hashes that the signatures of one message need of its body, all in the same pass and in memory that does not grow. */
import { createHash } from 'node:crypto';
import { type BodyCanonicalization, bodyHash } from './body-hash.ts';
import { WireLines } from './wire-lines.ts';

export interface BodyHashAsk {
  readonly canonicalization: BodyCanonicalization;
  /** Only the first bytes of the canonical body (`l=`); absent: all. */
  readonly length?: number;
}

export interface HashedBody {
  /** Base64 of the SHA-256. */
  readonly digest: string;
  /** Size of the whole canonical body. */
  readonly canonicalBytes: number;
}

export class BodyHashes {
  readonly #canonical = new Map<
    BodyCanonicalization,
    { readonly cuts: CutHashes; readonly hash: ReturnType<typeof bodyHash> }
  >();
  /** Absent where every line is known to end as it will on the wire. */
  readonly #lines: WireLines | undefined;

  /** `hasOnlyCrlf` as in `Body`. */
  constructor(asks: readonly BodyHashAsk[], hasOnlyCrlf = false) {
    this.#lines = hasOnlyCrlf ? undefined : new WireLines((bytes) => this.#hash(bytes));
    for (const how of new Set(asks.map(({ canonicalization }) => canonicalization))) {
      const lengths = asks.filter(({ canonicalization }) => canonicalization === how).map(({ length }) => length);
      const cuts = new CutHashes(lengths);
      this.#canonical.set(how, { cuts, hash: bodyHash(how, cuts) });
    }
  }

  /** Nobody needs the body. */
  get isEmpty(): boolean {
    return this.#canonical.size === 0;
  }

  update(chunk: Buffer): void {
    if (this.#lines === undefined) this.#hash(chunk);
    else this.#lines.update(chunk);
  }

  /** To be called once; answers for what was asked when it was made. */
  finish(): (ask: BodyHashAsk) => HashedBody | undefined {
    this.#lines?.end();
    for (const { hash } of this.#canonical.values()) hash.digest();
    return ({ canonicalization, length }) => this.#canonical.get(canonicalization)?.cuts.of(length);
  }

  #hash(bytes: Buffer): void {
    for (const { hash } of this.#canonical.values()) hash.update(bytes);
  }
}

/** Several hashes over the beginnings of the same bytes. */
class CutHashes {
  readonly #cuts: ReadonlyMap<number, ReturnType<typeof createHash>>;
  readonly #digests = new Map<number, string>();
  #bytes = 0;

  constructor(lengths: readonly (number | undefined)[]) {
    this.#cuts = new Map([...new Set(lengths)].map((length) => [length ?? Infinity, createHash('sha256')]));
  }

  update(bytes: Buffer): void {
    for (const [length, hash] of this.#cuts) {
      const left = length - this.#bytes;
      if (left > 0) hash.update(left < bytes.length ? bytes.subarray(0, left) : bytes);
    }
    this.#bytes += bytes.length;
  }

  digest(): string {
    for (const [length, hash] of this.#cuts) this.#digests.set(length, hash.digest('base64'));
    return this.#digests.get(Infinity) ?? '';
  }

  of(length: number | undefined): HashedBody | undefined {
    const digest = this.#digests.get(length ?? Infinity);
    return digest === undefined ? undefined : { digest, canonicalBytes: this.#bytes };
  }
}
