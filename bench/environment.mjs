/** Everything one scenario needs: directory, database, daemons. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeConfigs } from './configs.mjs';
import { Daemon } from './daemon.mjs';
import { openDatabase } from './databases.mjs';
import { freePorts, untilListening } from './ports.mjs';

const START_MS = 30_000;

/** The command lines of each shape. */
const commands = {
  serve: (files) => [['serve', files.router, files.gateway]],
  split: (files) => [
    ['router', files.router],
    ['gateway', files.gateway],
  ],
};

/** `stops` collects how to stop what was started, also when this rejects. */
export async function startEnvironment(scenario, { store, sinkPort, nodeOptions, interrupted }, stops) {
  const dir = await mkdtemp(path.join(tmpdir(), 'koukan-bench-'));
  stops.add(() => rm(dir, { recursive: true, force: true }));
  const { url, pids, commits } = await openDatabase[store](dir, stops);
  const [smtp, gateway, router] = await freePorts(3);
  const { smtpTag, shape, protocol } = scenario;
  const files = await writeConfigs(dir, { ports: { smtp, gateway, router }, sinkPort, storageUrl: url, smtpTag });
  const daemons = commands[shape](files).map((args) => new Daemon(args, nodeOptions));
  for (const daemon of daemons) stops.add(() => daemon.stop());
  const ended = AbortSignal.any([interrupted, ...daemons.map((daemon) => daemon.ended)]);
  for (const port of [router, gateway, smtp]) await untilListening(port, START_MS, ended);
  const target =
    protocol === 'smtp'
      ? { protocol, host: '127.0.0.1', ports: [smtp] }
      : { protocol, host: '127.0.0.1', ports: [router], path: '/senders/bench/transactions' };
  return { target, pids: daemons.map(({ pid }) => pid), storePids: pids, commits, ended };
}
