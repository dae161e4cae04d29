/**
 * Memory that begins at a page of the machine, as disks want it that are written without the system's cache: a few pieces of the same size, taken in
 * turns. The memory of WebAssembly is the only one of Node's that is sure to begin at a page; nothing else of WebAssembly is used.
 */

declare const WebAssembly: {
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
};

const WASM_PAGE_BYTES = 65_536;

export class AlignedMemory {
  readonly #idle: Buffer[] = [];
  readonly #waiting: ((piece: Buffer) => void)[] = [];

  /** `pieceBytes` is a multiple of 64 KB. Throws a `RangeError` where the machine has no room for it. */
  constructor(pieces: number, pieceBytes: number) {
    const pages = (pieces * pieceBytes) / WASM_PAGE_BYTES;
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
    for (let i = 0; i < pieces; i += 1) this.#idle.push(Buffer.from(buffer, i * pieceBytes, pieceBytes));
  }

  /** A piece with whatever is in it; who finds none waits for one, in turn. */
  async take(): Promise<Buffer> {
    return this.#idle.pop() ?? new Promise<Buffer>((resolve) => this.#waiting.push(resolve));
  }

  /** Nobody looks at the piece any longer. */
  give(piece: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(piece);
    else next(piece);
  }
}
