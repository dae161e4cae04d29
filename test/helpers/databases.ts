/** The databases that everything which touches SQL is tested on: `describe.each(databases)('… on $name', (database) => …)`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import type { Clock, Log } from '../../src/lib/core/deps.ts';
import { systemClock } from '../../src/lib/ops/clock.ts';
import { openStore } from '../../src/lib/store/open.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { FakeClock } from './fake-clock.ts';
import { memoryLog } from './fake-deps.ts';

/** A database that exists for one test or suite. */
export interface TestDatabase {
  /** For `openStore`; the schema is not there yet. */
  readonly url: string;
  drop(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: 'sqlite' | 'postgres';
  create(): Promise<TestDatabase>;
}

let count = 0;

export const sqlite: DatabaseKind = {
  name: 'sqlite',
  create: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'koukan-sqlite-'));
    return {
      url: `sqlite:///${join(folder, 'koukan.sqlite')}`,
      drop: () => rm(folder, { recursive: true, force: true }),
    };
  },
};

export const postgres: DatabaseKind = {
  name: 'postgres',
  create: async () => {
    count += 1;
    // Test files run in processes of their own.
    const name = `test_${process.pid}_${count}`;
    await maintain(`create database ${name}`);
    const url = new URL(inject('postgresUrl'));
    url.pathname = `/${name}`;
    return { url: url.href, drop: () => maintain(`drop database ${name} with (force)`) };
  },
};

export const databases: readonly DatabaseKind[] = [sqlite, postgres];

async function maintain(statement: string): Promise<void> {
  const client = new pg.Client(inject('postgresUrl'));
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Opens a store on a test database, which gets its schema if it has none. */
export function openTestStore(database: TestDatabase, deps: { clock?: Clock; log?: Log } = {}): Promise<Store> {
  const { clock = new FakeClock(1000), log = memoryLog() } = deps;
  return openStore({ url: database.url, clock, waits: systemClock, log, autoMigrate: true });
}
