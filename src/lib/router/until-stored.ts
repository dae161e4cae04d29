/** A write that has to succeed: while the store is away it is tried again, with growing pauses, until the process gives up waiting. */
import type { Deps } from '../core/deps.ts';

export interface UntilStored {
  readonly deps: Deps;
  /** Aborts when the router gives up waiting for its store. */
  readonly abandon: AbortSignal;
  readonly tx: string;
  /** What is to be written, for the log: `an outcome`. */
  readonly what: string;
}

const PAUSE_MS = 1000;
/** Not longer: when the store is back, everybody waits for what was to be written. */
const PAUSE_MAX_MS = 5000;

/** Runs `write`, given the number of the try, until it does not reject; answers `undefined` when it was given up. */
export function untilStored<T>(ask: UntilStored, write: (tries: number) => Promise<T>): Promise<T | undefined> {
  // Nearly always the first try is the only one, so nothing is made for others before they are needed.
  return write(1).catch((error: unknown) => again(ask, write, error));
}

async function again<T>(
  ask: UntilStored,
  write: (tries: number) => Promise<T>,
  first: unknown,
): Promise<T | undefined> {
  const { deps, abandon, tx, what } = ask;
  let error = first;
  for (let tries = 2, pauseMs = PAUSE_MS; ; tries += 1, pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    deps.log.error({ tx, error }, `${what} could not be recorded, trying again`);
    if (abandon.aborted) return undefined;
    await deps.clock.sleep(pauseMs, abandon);
    try {
      return await write(tries);
    } catch (failure) {
      error = failure;
    }
  }
}
