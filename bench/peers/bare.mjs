/** Our own bare relay on the libraries that Koukan stands on (bench/bare): what they leave to gain. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon } from '../daemon.mjs';
import { freePorts, untilListening } from '../ports.mjs';

const RELAY = fileURLToPath(new URL('../bare/relay.mjs', import.meta.url));
const START_MS = 30_000;

const kinds = {
  'bare-cut': { front: 'smtp', isDurable: false },
  'bare-store': { front: 'smtp', isDurable: true },
  'bare-rest': { front: 'rest', isDurable: true },
};

export const bare = {
  names: Object.keys(kinds),
  find: () => Promise.resolve({ isThere: true }),
  async start(name, { dir, sinkPort, nodeOptions, interrupted }, stops) {
    const { front, isDurable } = kinds[name];
    const [port] = await freePorts(1);
    const store = isDurable ? path.join(dir, `${name}.sqlite`) : 'none';
    const args = ['--front', front, '--store', store, '--port', String(port), '--sink-port', String(sinkPort)];
    const daemon = new Daemon(name, [process.execPath, ...nodeOptions, RELAY, ...args]);
    // It knows no orderly end.
    stops.add(() => daemon.stop({ isOrderly: () => true }));
    const ended = AbortSignal.any([interrupted, daemon.ended]);
    await untilListening(port, START_MS, ended);
    const target = { protocol: front, host: '127.0.0.1', ports: [port], path: '/messages' };
    return { target, pids: [daemon.pid], storePids: [], ended };
  },
};
