/**
 * How a daemon ends: the first SIGTERM or SIGINT asks for an orderly stop, bounded by a deadline; a second one means now. Installed once,
 * by the command that runs the daemon.
 */
import type { Clock, Log } from '../core/deps.ts';

export interface ShutdownOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long the orderly stop may take before the process ends anyway. */
  readonly deadlineMs: number;
  /** Ends the process; a test's may only record. */
  readonly exit?: (code: number) => void;
}

/**
 * `stop` closes what the daemon opened and resolves when nothing is left; its signal aborts at the deadline. The process exits 0, or 1
 * when `stop` failed or a second signal arrived. Returns a function that uninstalls the handlers.
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

async function orderly(stop: (deadline: AbortSignal) => Promise<void>, options: ShutdownOptions): Promise<number> {
  const { clock, log, deadlineMs } = options;
  const deadline = new AbortController();
  const done = new AbortController();
  const late = clock.sleep(deadlineMs, done.signal).then(() => {
    if (done.signal.aborted) return;
    log.warn({}, 'deadline passed, ending with work left');
    deadline.abort();
  });
  try {
    await Promise.race([stop(deadline.signal), late]);
    return 0;
  } catch (error) {
    log.error({ error }, 'the orderly stop failed');
    return 1;
  } finally {
    done.abort();
  }
}
