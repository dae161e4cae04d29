/**
 * Haraka from a folder of npm packages outside of this repository: once with its queue, and once with queue/smtp_forward, which asks the far end while
 * the client waits (cut-through). Its outbound sockets get TCP_NODELAY, without which every line it sends waits 40 ms for an acknowledgement.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { Daemon } from '../daemon.mjs';
import { freePorts, untilListening } from '../ports.mjs';
import { writeHarakaHome } from './haraka-config.mjs';

const START_MS = 60_000;
/** `npm install --prefix FOLDER Haraka` puts it there. */
const FOLDER =
  process.env.KOUKAN_BENCH_PEERS ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'koukan-bench');
const PACKAGE = path.join(FOLDER, 'node_modules/Haraka');

export const haraka = {
  names: ['haraka-queue', 'haraka-forward'],
  async find() {
    if (!existsSync(PACKAGE)) return { isThere: false, why: `npm install --prefix ${FOLDER} Haraka` };
    const { version } = JSON.parse(await readFile(path.join(PACKAGE, 'package.json'), 'utf8'));
    return { isThere: true, version };
  },
  async start(name, { dir, sinkPort, interrupted }, stops) {
    const [port] = await freePorts(1);
    const home = path.join(dir, name);
    await writeHarakaHome(home, { packageDir: PACKAGE, port, sinkPort, isForwarding: name === 'haraka-forward' });
    const command = [process.execPath, path.join(PACKAGE, 'bin/haraka'), '-c', home];
    const daemon = new Daemon(name, command, { isChatty: true });
    stops.add(() => daemon.stop({ isOrderly: () => true }));
    const ended = AbortSignal.any([interrupted, daemon.ended]);
    await untilListening(port, START_MS, ended);
    const target = { protocol: 'smtp', host: '127.0.0.1', ports: [port] };
    return { target, pids: [daemon.pid], storePids: [], ended };
  },
};
