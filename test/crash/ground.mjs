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

let nextPort = 20_000 + (process.pid % 500) * 20;

/** Below the range from which the system takes ports for connections: while a program is away, nobody else may take its port. */
export async function freePort() {
  for (;;) {
    const port = nextPort;
    nextPort += 1;
    if (await isFree(port)) return port;
  }
}

function isFree(port) {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

const started = new Set();
/** A PostgreSQL of our own is ended by its library when we are interrupted, within this time. */
const INTERRUPTED_MS = 3000;

function endAll() {
  for (const child of started) child.kill('SIGKILL');
}

// Whoever interrupts a run leaves no daemons behind.
process.on('exit', endAll);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    endAll();
    setTimeout(() => process.exit(1), INTERRUPTED_MS);
  });
}

/** `koukan …args`; what it has to complain of goes to `stderr`, a file or our own. */
export function koukan(folder, args, stderr = 'inherit') {
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder, stdio: ['ignore', 'ignore', stderr] });
  started.add(child);
  child.once('exit', () => started.delete(child));
  return child;
}

/** Resolves when a daemon that was sent a signal is gone. */
export async function end(server, signal) {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill(signal);
  await gone;
}
