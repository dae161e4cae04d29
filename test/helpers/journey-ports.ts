/** Ports for programs that have to be told theirs: below the range from which the system takes ports for connections, so that none is lost. */
import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 11_000;
const PER_WORKER = 500;
const WORKERS = 40;

/** Test files that run at the same time have different worker ids. */
const base = FIRST + (Number(process.env.VITEST_POOL_ID ?? 0) % WORKERS) * PER_WORKER;
let next = process.pid % PER_WORKER;

/** Answers a port that nobody listens on; never the same one twice in a row. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PER_WORKER; tries += 1) {
    const port = base + (next % PER_WORKER);
    next += 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${base} on`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
