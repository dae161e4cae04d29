/**
 * The bodies of one create that are written to files before it. As long as it is under way nobody refers to them, and yet they are no garbage; when
 * it has come to nothing for certain, they are removed at once: a disk that is full must not stay so because of what it had no room for.
 */
import type { Body } from '../core/body.ts';
import type { BodyFiles } from './body-files.ts';
import type { GroupCommit } from './group-commit.ts';
import type { PlannedBody } from './sql/create-transactions.ts';
import { StoreUnavailableError } from './store.ts';

export class FiledBodies {
  /** When the create began: none of the rows is older. */
  readonly since: number;
  #sizeBytes = 0;
  readonly #files: BodyFiles;
  readonly #writer: GroupCommit;
  readonly #blobIds: number[] = [];

  constructor(files: BodyFiles, writer: GroupCommit, now: number) {
    this.since = now;
    this.#files = files;
    this.#writer = writer;
    files.underWay.add(this);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(body: Body): Promise<PlannedBody> {
    this.#sizeBytes += body.size;
    const blobId = await this.#writer.writePiece('beginFileBlob', { length: body.size, now: this.since });
    this.#blobIds.push(blobId);
    await this.#files.write(blobId, body);
    return { kind: 'written', blobId };
  }

  /** The create was made, or nobody knows: what is not referred to after all is garbage from now on. */
  end(): void {
    this.#files.underWay.delete(this);
  }

  /** The create was not made, for this reason. */
  async refused(error: unknown): Promise<void> {
    if (isCertain(error)) await this.undo();
    else this.end();
  }

  /** The create was never tried, or certainly not made. */
  async undo(): Promise<void> {
    this.end();
    await this.#files.discard(this.#blobIds);
  }
}

/**
 * Whether nothing was committed that refers to the files. After a commit that failed nobody knows, but for want of space: then the end of it, which
 * makes it one, was not written.
 */
function isCertain(error: unknown): boolean {
  return !(error instanceof StoreUnavailableError) || error.isFull;
}
