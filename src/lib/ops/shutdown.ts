/**
 * How a daemon ends: the first SIGTERM or SIGINT asks for an orderly stop, bounded by a deadline; a second one means now. Installed once,
 * by the command that runs the daemon.
 *
 *   running ──signal──▶ stopping ──deadline──▶ hurrying ──grace──▶ exit 1
 *                           │ done                 │ done
 *                           └────────▶ exit 0 ◀────┘                 any second signal: exit 1
 */
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';

export interface ShutdownOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long the orderly stop may take before it is told to hurry. */
  readonly deadlineMs: number;
  /** How long it may take then, to give back what it holds, before the process ends anyway; default `limits.stopGraceMs`. */
  readonly graceMs?: number;
  /** Ends the process; a test's may only record. */
  readonly exit?: (code: number) => void;
}

/**
 * `stop` closes what the daemon opened and resolves when nothing is left; its signal aborts at the deadline. The process exits 0, or 1
 * when `stop` failed, did not end even in a hurry, or a second signal arrived. Returns a function that uninstalls the handlers.
 */
export function onShutdown(stop: (deadline: AbortSignal) => Promise<void>, options: ShutdownOptions): () => void {
  const { log, exit = (code) => process.exit(code) } = options;
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      log.warn({ signal }, 'second signal, ending at once');
      exit(1);
      return;
    }
    stopping = true;
    log.info({ signal, deadlineMs: options.deadlineMs }, 'stopping');
    void orderly(stop, options).then(exit);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return () => {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  };
}

/**
 * For `onShutdown` before anything runs, so that a signal during the start ends in order too: waits for the start, then stops what it made.
 * A start that failed has nothing to stop; why is for whoever awaits it.
 */
export function stopOnceStarted<T>(
  starting: Promise<T>,
  stop: (started: T, deadline: AbortSignal) => Promise<unknown>,
): (deadline: AbortSignal) => Promise<void> {
  return async (deadline) => {
    const [start] = await Promise.allSettled([starting]);
    if (start.status === 'fulfilled') await stop(start.value, deadline);
  };
}

async function orderly(stop: (deadline: AbortSignal) => Promise<void>, options: ShutdownOptions): Promise<number> {
  const { log } = options;
  const deadline = new AbortController();
  const done = new AbortController();
  try {
    return await Promise.race([stop(deadline.signal).then(() => 0), tooLate(deadline, done.signal, options)]);
  } catch (error) {
    log.error({ error }, 'the orderly stop failed');
    return 1;
  } finally {
    done.abort();
  }
}

/** Aborts `deadline` when it is there; resolves with an exit code when nothing more is waited for. */
async function tooLate(deadline: AbortController, done: AbortSignal, options: ShutdownOptions): Promise<number> {
  const { clock, log, deadlineMs, graceMs = limits.stopGraceMs } = options;
  await clock.sleep(deadlineMs, done);
  if (done.aborted) return 0;
  log.warn({}, 'deadline passed, stopping what is left');
  deadline.abort();
  await clock.sleep(graceMs, done);
  if (!done.aborted) log.error({ graceMs }, 'the stop did not end, ending with work left');
  return 1;
}
