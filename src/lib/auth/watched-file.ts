/**
 * A small file of secrets that is read again when it has changed, so that a token is given out or taken back without a restart. It is looked
 * at when it is used, at most once a second: there is no watcher to close, and an unused file costs nothing.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Clock, Log } from '../core/deps.ts';
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

export interface WatchDeps {
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

export class WatchedFile<T> {
  readonly #file: string;
  readonly #parse: (text: string) => T;
  readonly #deps: WatchDeps;
  #value: T;
  #stamp: string;
  #lookedAt: number;

  /** Reads the file; throws `UserError` when it cannot be read, and whatever `parse` throws. */
  constructor(file: string, parse: (text: string) => T, deps: WatchDeps) {
    this.#file = file;
    this.#parse = parse;
    this.#deps = deps;
    this.#stamp = stampOf(file);
    this.#value = parse(readSecretFile(file));
    this.#lookedAt = deps.clock.now();
  }

  /** What the file says now. One that has become unreadable or wrong is complained of, and what it said before still holds. */
  get current(): T {
    const now = this.#deps.clock.now();
    if (Math.abs(now - this.#lookedAt) < limits.secretFileLookMs) return this.#value;
    this.#lookedAt = now;
    const stamp = stampOf(this.#file);
    if (stamp !== this.#stamp) this.#reload(stamp);
    return this.#value;
  }

  #reload(stamp: string): void {
    const { log } = this.#deps;
    this.#stamp = stamp;
    try {
      this.#value = this.#parse(readSecretFile(this.#file));
      log.info({ file: this.#file }, 'a file of secrets has changed and was read again');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.warn(
        { file: this.#file, why },
        'a file of secrets has changed and cannot be used; what it said before holds',
      );
    }
  }
}

/** The text of a file of secrets; throws `UserError`. */
export function readSecretFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new UserError(`${file}: cannot be read (${code})`, exitCodes.noInput);
  }
}

/** Differs whenever the file has been written or replaced. */
function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? 'absent' : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}
