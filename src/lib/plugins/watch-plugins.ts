/**
 * Keeps what a plugin leaves behind (a promise rejected with nobody listening, an exception in a timer of its own) from ending the process.
 * The same in the program's own code is a bug, and ends it as ever: nothing that was promised is lost by that.
 */
import { exitCodes } from '../core/errors.ts';
import { type PluginPart, pluginAtWork } from './plugin-part.ts';

/** Hears of faults of plugins from now on, until the returned function is called. */
export function watchPlugins(onFault: (part: PluginPart, error: unknown) => void): () => void {
  const onRejection = (reason: unknown): void => {
    const part = pluginAtWork();
    // Thrown from here it is an uncaught exception, as it would be without a listener.
    if (part === undefined) throw reason;
    onFault(part, reason);
  };
  const onException = (error: unknown): void => {
    const part = pluginAtWork();
    if (part !== undefined) onFault(part, error);
    else endProcess(error);
  };
  process.on('unhandledRejection', onRejection).on('uncaughtException', onException);
  return () => {
    process.off('unhandledRejection', onRejection).off('uncaughtException', onException);
  };
}

/** As the runtime does without a listener, with the exit code of a bug. */
function endProcess(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(exitCodes.software);
}
