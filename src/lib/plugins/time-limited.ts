/** Waits for code of a plugin, but not for ever: it may hang, or not listen to the end of its transaction. */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { PluginFault } from './plugin-fault.ts';
import type { PluginPart } from './plugin-part.ts';

/** `undefined` when `signal` aborts first. Throws what the work throws, and `PluginFault` when it takes too long. */
export async function timeLimited<T>(
  part: PluginPart,
  clock: Clock,
  signal: AbortSignal,
  work: () => Promise<T>,
  limitMs: number = limits.pluginPhaseMs,
): Promise<T | undefined> {
  const done = new AbortController();
  const tooLate = async (): Promise<undefined> => {
    await clock.sleep(limitMs, done.signal);
    if (done.signal.aborted) return undefined;
    throw new PluginFault(part, `did not answer within ${limitMs / 1000} seconds`);
  };
  const closed = new Promise<undefined>((resolve) => {
    const end = (): void => resolve(undefined);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([work(), tooLate(), closed]);
  } finally {
    done.abort();
  }
}
