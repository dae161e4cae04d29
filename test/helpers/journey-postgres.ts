/** A PostgreSQL of one's own, which a test may stop and start again. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'vitest';
import { freePort } from './journey-ports.ts';
import { embeddedPostgres } from './postgres.ts';

export interface PrivatePostgres {
  readonly url: string;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends all of its processes the hard way, if they have not ended by themselves; `start` starts it again. Linux only, as are the next two. */
  kill(): Promise<void>;
  /** Its processes stand still, and its connections stay. */
  pause(): void;
  resume(): void;
}

export interface PostgresAsk {
  /** Syncs what it commits; without, tests are faster. */
  readonly isDurable?: boolean;
  /** Of its processes. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where its files are; must be empty. */
  readonly folder?: string;
  /** Besides those that every test needs. */
  readonly initdbFlags?: readonly string[];
}

const PASSWORD = 'test';
const FAST = ['-c', 'fsync=off'];
/** After a crash one sync for all, not one for each file. */
const DURABLE = ['-c', 'fsync=on', '-c', 'recovery_init_sync_method=syncfs'];

/** Running; its data stays while it is stopped. It ends with the test. */
export async function privatePostgres(context: TestContext, ask: PostgresAsk = {}): Promise<PrivatePostgres> {
  const EmbeddedPostgres = await embeddedPostgres();
  const folder = ask.folder ?? (await mkdtemp(path.join(tmpdir(), 'koukan-postgres-')));
  const port = await freePort();
  // Its user, when we are root, must reach the folder.
  await chmod(folder, 0o755);
  const server = new EmbeddedPostgres({
    databaseDir: path.join(folder, 'data'),
    port,
    password: PASSWORD,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--locale=C', '--encoding=UTF8', ...(ask.initdbFlags ?? [])],
    postgresFlags: [...(ask.isDurable ? DURABLE : FAST), '-c', 'listen_addresses=127.0.0.1', '-k', ''],
    onLog: () => undefined,
    onError: () => undefined,
  });
  context.onTestFinished(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  await server.initialise();
  const start = async (): Promise<void> => {
    // It hands on the environment of this process.
    const before = { ...process.env };
    Object.assign(process.env, ask.env);
    await server.start();
    process.env = before;
  };
  await start();
  const signal = (name: NodeJS.Signals): void => {
    for (const pid of processesOf(path.join(folder, 'data'))) send(pid, name);
  };
  return {
    url: `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    stop: () => server.stop(),
    start,
    kill: async () => {
      const pids = processesOf(path.join(folder, 'data'));
      // It has to be told before its process is gone, or it waits for that for ever.
      const stopped = pids.length === 0 ? undefined : server.stop();
      for (const pid of pids) send(pid, 'SIGKILL');
      await stopped;
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
  };
}

/** The server and its children; none when it has ended. */
function processesOf(dataFolder: string): readonly number[] {
  const file = path.join(dataFolder, 'postmaster.pid');
  const server = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
  if (server === 0 || parentOf(server) === undefined) return [];
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === server);
  return [server, ...children];
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
