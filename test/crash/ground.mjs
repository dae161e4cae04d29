/** What both kinds of crash test stand on: numbers from a seed, free ports, and daemons that are started and killed. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';

const BIN = path.resolve(import.meta.dirname, '../../bin/koukan.js');

/** A small generator of numbers in [0, 1): the same seed, the same kills. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `koukan …args`; what it has to complain of goes to our standard error. */
export function koukan(folder, ...args) {
  return spawn(process.execPath, [BIN, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Resolves when a daemon that was sent a signal is gone. */
export async function end(server, signal) {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill(signal);
  await gone;
}
