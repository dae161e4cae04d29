/** TCP ports of 127.0.0.1: finding free ones, and waiting until somebody listens. */
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 20;

/** `count` different ports that nobody listens on now. */
export async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, () => listen()));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listen() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

/** Resolves when the port takes connections; rejects after `timeoutMs`, or with the reason of `signal`. */
export async function untilListening(port, timeoutMs, signal) {
  const tries = Math.ceil(timeoutMs / LOOK_AGAIN_MS);
  for (let i = 0; i < tries; i += 1) {
    signal.throwIfAborted();
    if (await takesConnections(port)) return;
    await sleep(LOOK_AGAIN_MS);
  }
  throw new Error(`nobody listens on port ${port} after ${timeoutMs} ms`);
}

function takesConnections(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
