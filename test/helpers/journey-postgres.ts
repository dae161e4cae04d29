/** A PostgreSQL of one's own, which a test may stop and start again. */
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
}

const PASSWORD = 'test';

/** Running; its data stays while it is stopped. It ends with the test. */
export async function privatePostgres(context: TestContext): Promise<PrivatePostgres> {
  const EmbeddedPostgres = await embeddedPostgres();
  const folder = await mkdtemp(path.join(tmpdir(), 'koukan-postgres-'));
  const port = await freePort();
  // Its user, when we are root, must reach the folder.
  await chmod(folder, 0o755);
  const server = new EmbeddedPostgres({
    databaseDir: path.join(folder, 'data'),
    port,
    password: PASSWORD,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--locale=C', '--encoding=UTF8'],
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-k', ''],
    onLog: () => undefined,
    onError: () => undefined,
  });
  context.onTestFinished(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    stop: () => server.stop(),
    start: () => server.start(),
  };
}
