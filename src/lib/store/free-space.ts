/**
 * How much room an SQLite store has, so that new messages are refused while there is still some: what makes room again (an outcome, a collection)
 * is a commit, and a disk that is full to the last block has none for it.
 *
 *     plenty ── less than `storeFreeBytes` ──▶ scarce ── an eighth more than that ──▶ plenty
 *
 * A SQLite file never becomes smaller: what was collected is room inside of it, for rows, and not for the files of large bodies. Nobody waits for a
 * look at all this: a message is judged by the last one, less what has been taken since.
 */
import { statfs } from 'node:fs/promises';
import type { Clock, Log } from '../core/deps.ts';
import { StoreUnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { NewTransaction } from './store.ts';

export interface FreeBytes {
  /** On the disk; `undefined` when nobody can say. */
  readonly disk: number | undefined;
  /** Within the database file. */
  readonly inFile: number;
}

/** Never rejects. */
export type LookAtSpace = () => Promise<FreeBytes>;

/** It is over when there is so much more than where it began: not to begin again with the next message. */
const OVER_AT = 1.125;

/** What the pages of one write take, roughly, without its bytes. */
const PAGES_BYTES = 16 * 1024;

export interface FreeSpaceOptions {
  readonly look: LookAtSpace;
  /** What has been taken and may not be on the disk yet. */
  readonly underWayBytes: () => number;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly log: Log;
}

export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** For new messages: at the last look, now, and of that what is on the disk. */
  #roomThen = Number.POSITIVE_INFINITY;
  #room = Number.POSITIVE_INFINITY;
  #diskRoom = Number.POSITIVE_INFINITY;
  /** Since the last look began. */
  #taken = 0;
  #isScarce = false;
  #isClosed = false;
  #forget: () => void = () => undefined;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
  }

  /** Nothing new is taken. */
  get isScarce(): boolean {
    return this.#isScarce;
  }

  /** Takes room for what comes with these transactions, or answers why not. */
  takeFor(transactions: readonly NewTransaction[]): StoreUnavailableError | undefined {
    let rowBytes = 0;
    let fileBytes = 0;
    let counted: unknown;
    for (const { blobs } of transactions) {
      for (const { source } of blobs) {
        // What goes to several recipients is stored once.
        if (source.kind !== 'body' || source.body === counted) continue;
        counted = source.body;
        if (source.body.size > limits.bodyInRowBytes) fileBytes += source.body.size;
        else rowBytes += source.body.size;
      }
    }
    return this.take(rowBytes, fileBytes);
  }

  /** The same for so many bytes of something new, in the database and in files beside it. */
  take(rowBytes: number, fileBytes = 0): StoreUnavailableError | undefined {
    const isLongAgo = this.#options.clock.monotonicMs() - this.#lookedAt >= limits.storeFreeLookMs;
    if (isLongAgo || this.#room < this.#roomThen / 2) void this.look();
    const neededBytes = rowBytes + fileBytes + PAGES_BYTES;
    if (this.#isScarce || neededBytes > this.#room) return scarce();
    if (fileBytes > 0 && neededBytes > this.#diskRoom) return scarce();
    this.#room -= neededBytes;
    this.#diskRoom -= neededBytes;
    this.#taken += neededBytes;
    return undefined;
  }

  /** Looks now; whoever asks meanwhile gets the same look. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    this.#isClosed = true;
    this.#forget();
  }

  async #look(): Promise<void> {
    this.#forget();
    this.#taken = 0;
    this.#lookedAt = this.#options.clock.monotonicMs();
    const { disk = Number.POSITIVE_INFINITY, inFile } = await this.#options.look();
    if (this.#isClosed) return;
    // What was taken meanwhile may be on the disk already or not, and counts here and there: a little too much until the next look.
    const kept = limits.storeFreeBytes + this.#options.underWayBytes() + this.#taken;
    this.#room = Math.max(0, disk + inFile - kept);
    this.#diskRoom = disk - kept;
    this.#roomThen = this.#room;
    this.#judge(disk, inFile);
  }

  #judge(disk: number, inFile: number): void {
    const { log, clock } = this.#options;
    const wasScarce = this.#isScarce;
    this.#isScarce = disk + inFile < limits.storeFreeBytes * (wasScarce ? OVER_AT : 1);
    const fields = { disk_bytes: disk, in_file_bytes: inFile, kept_free_bytes: limits.storeFreeBytes };
    if (this.#isScarce && !wasScarce)
      log.warn(fields, 'the disk of the store is nearly full, new messages are refused');
    if (!this.#isScarce && wasScarce) log.info(fields, 'the disk of the store has room again, new messages are taken');
    // Also when nobody comes: who asks whether we are ready, and the first who comes then, are to hear that it is over.
    if (this.#isScarce) this.#forget = clock.after(limits.storeFreeLookMs, () => void this.look());
  }
}

function scarce(): StoreUnavailableError {
  return new StoreUnavailableError('too little space is left on the disk of the store', { isFull: true });
}

/** Of the file systems of these paths the one with the least; some cannot be asked, or say nothing of their size. */
export async function freeBytesAt(paths: readonly string[]): Promise<number | undefined> {
  const known = (await Promise.all(paths.map(freeBytesOf))).filter((free) => free !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

async function freeBytesOf(path: string): Promise<number | undefined> {
  try {
    const { blocks, bavail, bsize } = await statfs(path);
    return blocks === 0 ? undefined : bavail * bsize;
  } catch {
    // Not there yet, or not to be asked: the disk says by itself when it is full.
    return undefined;
  }
}
