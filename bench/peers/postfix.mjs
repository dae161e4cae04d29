/**
 * Postfix as the distribution has it, in a home of its own: once with its queue, and once as a before-queue proxy, which answers what the far end says
 * (cut-through). It is tuned as a relay: no input delay, connections kept, no DNS, no address mappings.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePorts, untilListening } from '../ports.mjs';
import { mainConfig, masterConfig } from './postfix-config.mjs';

const run = promisify(execFile);
const START_MS = 30_000;
/** Where distributions put what only root runs. */
const PATHS = { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };

/** One server for both names, from the first one that is asked for until the end. */
let started;

export const postfix = {
  names: ['postfix-queue', 'postfix-proxy'],
  async find() {
    if (process.getuid?.() !== 0) return { isThere: false, why: 'it has to be started by root' };
    try {
      const { stdout } = await run('postconf', ['-h', 'mail_version'], { env: { ...process.env, ...PATHS } });
      return { isThere: true, version: stdout.trim() };
    } catch (error) {
      return { isThere: false, why: error.code === 'ENOENT' ? 'not found' : error.message };
    }
  },
  async start(name, context, stops) {
    started ??= startServer(context, stops);
    const { ports, pid } = await started;
    const target = { protocol: 'smtp', host: '127.0.0.1', ports: [ports[name]] };
    return { target, pids: [pid], storePids: [], ended: context.interrupted };
  },
};

async function startServer({ dir, sinkPort, interrupted }, stops) {
  const home = path.join(dir, 'postfix');
  const [queue, proxy] = await freePorts(2);
  const etc = await writeHome(home, { queue, proxy, sinkPort });
  const control = (verb) => run('postfix', ['-c', etc, verb], { env: { ...process.env, ...PATHS } });
  stops.add(() => control('stop'));
  await control('start');
  for (const port of [queue, proxy]) await untilListening(port, START_MS, interrupted);
  const pid = Number(await readFile(path.join(home, 'spool/pid/master.pid'), 'latin1'));
  return { ports: { 'postfix-queue': queue, 'postfix-proxy': proxy }, pid };
}

/** Its programs run as users of their own, who must reach the directories. */
async function writeHome(home, settings) {
  const etc = path.join(home, 'etc');
  for (const name of ['etc', 'spool', 'data']) await mkdir(path.join(home, name), { recursive: true });
  await chmod(path.dirname(home), 0o755);
  const { stdout: uid } = await run('id', ['-u', 'postfix']);
  await chown(path.join(home, 'data'), Number(uid), 0);
  await writeFile(path.join(etc, 'main.cf'), mainConfig(home, settings));
  await writeFile(path.join(etc, 'master.cf'), masterConfig(settings));
  return etc;
}
