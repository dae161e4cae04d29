/** A listener that cannot be opened is a mistake in the configuration: said with the line that names the address. */
import type { HostPort } from '../core/envelope.ts';
import { exitCodes } from '../core/errors.ts';
import { listenProblem } from '../core/listen-problem.ts';
import { InvalidConfigError } from './invalid-config.ts';
import type { ConfigPath, ConfigSource } from './source.ts';

/** Thrown by whoever listens: which setting named the address, and what the system said. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly path: ConfigPath;
  constructor(path: ConfigPath, { host, port }: HostPort, cause: unknown) {
    super(listenProblem(host, port, cause), { cause });
    this.path = path;
  }
}

/** Runs a start-up and turns a `ListenError` into `file:line:col: …`. */
export async function listening(source: ConfigSource, start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    const mistake = { file: source.file, ...source.position(error.path), message: error.message };
    throw new InvalidConfigError([mistake], listenExitCode(error.cause));
  }
}

/** A port that is in use may be free in a moment (EX_UNAVAILABLE: a supervisor tries again); an address that is not ours stays wrong. */
export function listenExitCode(cause: unknown): number {
  return (cause as NodeJS.ErrnoException).code === 'EADDRINUSE' ? exitCodes.unavailable : exitCodes.config;
}

/** Opens a listener whose address a setting named. */
export async function listenAt<T>(path: ConfigPath, address: HostPort, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    throw new ListenError(path, address, error);
  }
}
