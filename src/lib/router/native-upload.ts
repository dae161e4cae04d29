/**
 * Uploads to a stored transaction, piece by piece: each is committed before the next is read, and the parts of one message are bounded
 * together. A slow upload is a sign of life of its client.
 */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { RangeProblem, RequestProblem, type UploadAsk, type UploadProgress } from '../http/service.ts';
import type { AppendResult, BlobPiece, Store } from '../store/store.ts';
import { inPieces } from './pieces.ts';
import type { Work } from './work.ts';

export interface UploadEnv {
  readonly store: Store;
  readonly clock: Clock;
  /** What is in work here. */
  readonly find: (id: string) => Work | undefined;
  /** Uploads are stored in pieces of this many bytes. */
  readonly chunkSize: number;
  /** All input of a transaction is stored; it may be in work here. */
  readonly onInput: (work: Work | undefined) => Promise<void>;
}

export interface UploadTarget {
  readonly id: string;
  readonly name: string;
  /** How much there is of each blob; kept up to date here. */
  readonly lengths: Map<string, number>;
}

export class NativeUploads {
  readonly #env: UploadEnv;

  constructor(env: UploadEnv) {
    this.#env = env;
  }

  /** Throws `RangeProblem` where the range does not continue what is there, and `RequestProblem` 404 or 413. */
  async take({ id, name, lengths }: UploadTarget, ask: UploadAsk): Promise<UploadProgress> {
    let progress: UploadProgress = { length: 0 };
    const heard = { ...ask, bytes: this.#listeningTo(ask.bytes, id) };
    for await (const piece of inPieces(heard, this.#env.chunkSize)) {
      checkTotal(lengths, name, piece);
      progress = await this.#append(id, name, piece);
      lengths.set(name, progress.length);
    }
    return progress;
  }

  /** A slow upload is a sign of life, long before a piece of it is complete. */
  async *#listeningTo(bytes: AsyncIterable<Buffer>, id: string): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) {
      this.#heard(this.#env.find(id));
      yield chunk;
    }
  }

  async #append(id: string, name: string, piece: BlobPiece): Promise<UploadProgress> {
    const { store, clock, find, onInput } = this.#env;
    const result = progressOf(await store.append(id, name, piece, clock.now()));
    const work = find(id);
    this.#heard(work);
    if (result.status.finalized) work?.finalizeBlob(name);
    if (result.inputDone) await onInput(work);
    const { length, total } = result.status;
    return { length, ...(total !== undefined && { total }) };
  }

  #heard(work: Work | undefined): void {
    if (work !== undefined) work.lastHeardAt = this.#env.clock.monotonicMs();
  }
}

function checkTotal(lengths: ReadonlyMap<string, number>, name: string, { offset, bytes }: BlobPiece): void {
  const others = [...lengths].reduce((sum, [each, length]) => (each === name ? sum : sum + length), 0);
  if (others + offset + bytes.length <= limits.messageBytes) return;
  throw new RequestProblem(413, `all parts of a message together are larger than ${limits.messageBytes} bytes`);
}

function progressOf(result: AppendResult): Extract<AppendResult, { kind: 'stored' }> {
  switch (result.kind) {
    case 'stored':
      return result;
    case 'unknownTransaction':
      throw new RequestProblem(404, 'unknown transaction');
    case 'unknownBlob':
      throw new RequestProblem(404, 'unknown blob');
    case 'range': {
      const { length, total } = result.status;
      throw new RangeProblem({ length, ...(total !== undefined && { total }) });
    }
  }
}
