/** Ctrl-C and its like end a benchmark in order: what was started is stopped. */

/** `exitCode` is that of a program that the signal has ended. */
export class InterruptedError extends Error {
  constructor(signal, number) {
    super(`interrupted (${signal})`);
    this.exitCode = 128 + number;
  }
}

/** Aborts at the first signal; a second one ends the program at once. */
export function untilInterrupted() {
  const controller = new AbortController();
  for (const [signal, number] of [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ]) {
    process.once(signal, () => controller.abort(new InterruptedError(signal, number)));
  }
  return controller.signal;
}
