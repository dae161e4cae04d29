/** A session ends while a lease is still being given to it: possible when the answer to a commit was lost, and the commit is not over. */
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { must } from '../../src/lib/core/errors.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const postgres = databases.find(({ name }) => name === 'postgres');
must(postgres !== undefined, 'PostgreSQL is tested');

describe('the end of a session on PostgreSQL', () => {
  let database: TestDatabase;
  let store: Store;
  let other: pg.Client;

  beforeEach(async () => {
    database = await postgres.create();
    store = await openTestStore(database);
    await store.openSession('http://one:8000', 1000);
    other = new pg.Client(database.url);
    await other.connect();
  });

  afterEach(async () => {
    await other.end();
    await store.close();
    await database.drop();
  });

  const waitsForLock = async (): Promise<boolean> => {
    const { rows } = await other.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  };

  it('waits for a lease that is on its way, and releases it', async () => {
    await store.create([sampleTransaction('tx', { next: { kind: 'due', at: 9000 } })], 1000);
    await other.query('begin');
    await other.query("update transactions set lease_session_id = $1, next_attempt_at = null where id = 'tx'", [
      Number(store.sessionId),
    ]);
    const closed = store.closeSession();
    await expect.poll(waitsForLock, { timeout: 5000 }).toBe(true);
    await other.query('commit');
    await closed;
    expect(await store.load('tx')).not.toHaveProperty('lease');
    expect(await store.nextDueAt()).toBe(1000);
  });
});
