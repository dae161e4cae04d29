/**
 * A file that grows as it is uploaded. It bears its name only once it is complete and on the disk; until then it ends in `.part`, so that
 * who watches the directory never sees half a message.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { RangeProblem, RequestProblem, type UploadAsk, type UploadProgress } from '../http/service.ts';

export class ReceivedFile {
  readonly path: string;
  #length = 0;
  #total: number | undefined;
  #isFinalized = false;
  #isDiscarded = false;
  /** One upload at a time; the next waits for it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  get length(): number {
    return this.#length;
  }

  get isFinalized(): boolean {
    return this.#isFinalized;
  }

  /** Adds the bytes of an upload; throws `RangeProblem` when they do not follow on what is there. What arrived stays, whatever fails. */
  append(ask: UploadAsk): Promise<UploadProgress> {
    const done = this.#turn.then(() => this.#append(ask));
    this.#turn = done.catch(() => undefined); // its own caller hears of it
    return done;
  }

  /** Removes what was written, once no upload is at work. */
  async discard(): Promise<void> {
    this.#isDiscarded = true;
    await this.#turn;
    await Promise.all([rm(this.path, { force: true }), rm(this.#partPath, { force: true })]);
  }

  get #partPath(): string {
    return `${this.path}.part`;
  }

  async #append(ask: UploadAsk): Promise<UploadProgress> {
    if (this.#isDiscarded) throw new RequestProblem(409, 'the transaction is over');
    this.#mustFit(ask);
    if (ask.total !== undefined) this.#total = ask.total;
    if (this.#isFinalized) {
      for await (const _ of ask.bytes); // a repeated upload: the bytes are known
      return this.#progress();
    }
    const file = await open(this.#partPath, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      await this.#write(file, ask);
      if (ask.whole) this.#total = this.#length;
      if (this.#length === this.#total) await this.#finalize(file);
    } finally {
      await file.close();
    }
    return this.#progress();
  }

  /** The overlap with what is stored already is skipped: so a plain repetition works after a broken connection. */
  async #write(file: FileHandle, ask: UploadAsk): Promise<void> {
    let at = ask.offset;
    for await (const chunk of ask.bytes) {
      const fresh = chunk.subarray(Math.max(0, this.#length - at));
      at += chunk.length;
      if (this.#total !== undefined && at > this.#total) throw new RangeProblem(this.#progress());
      if (fresh.length === 0) continue;
      await this.#store(file, fresh);
    }
  }

  /** At its place in the file, not at the end: what a failed write left there is written over. */
  async #store(file: FileHandle, bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, this.#length);
      done += bytesWritten;
      this.#length += bytesWritten;
    }
  }

  #mustFit({ offset, total }: UploadAsk): void {
    const contradicts = total !== undefined && this.#total !== undefined && total !== this.#total;
    if (offset > this.#length || contradicts || (total !== undefined && total < this.#length)) {
      throw new RangeProblem(this.#progress());
    }
  }

  async #finalize(file: FileHandle): Promise<void> {
    await file.truncate(this.#length);
    await file.sync();
    await rename(this.#partPath, this.path);
    this.#isFinalized = true;
  }

  #progress(): UploadProgress {
    return { length: this.#length, ...(this.#total !== undefined && { total: this.#total }) };
  }
}
