/** What PostgreSQL may have committed although it did not say so, and what it has certainly not. */
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mayBeCommitted } from '../../src/lib/store/postgres/connection.ts';
import { PostgresEngine } from '../../src/lib/store/postgres/engine.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { openTestStore, postgres, type TestDatabase } from '../helpers/databases.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const failure = (severity: string): pg.DatabaseError => {
  const error = new pg.DatabaseError('could not fdatasync the log', 1, 'error');
  error.severity = severity;
  error.code = '58030';
  return error;
};

describe('a write that PostgreSQL does not answer', () => {
  let database: TestDatabase;
  let store: Store;
  let other: pg.Client;

  beforeEach(async () => {
    database = await postgres.create();
    store = await openTestStore(database);
    other = new pg.Client(database.url);
    await other.connect();
  });

  afterEach(async () => {
    await store.close();
    await other.end();
    await database.drop();
  });

  it('is in doubt when its connection ends', async () => {
    await store.create([sampleTransaction('a')], 1000);
    await other.query('begin');
    await other.query("select id from transactions where id = 'a' for update");
    const cancelled = store.cancel('a', 1000);
    const refusal = expect(cancelled).rejects.toMatchObject({ name: 'StoreUnavailableError', isInDoubt: true });
    const waits = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'";
    for (let ended = 0; ended === 0; ) ended = (await other.query(waits)).rowCount ?? 0;
    await refusal;
    await other.query('rollback');
  });

  it('was not made when nobody listens', async () => {
    const engine = new PostgresEngine('postgresql://postgres@127.0.0.1:1/nowhere', memoryLog());
    await expect(engine.commit([])).rejects.toMatchObject({ name: 'StoreUnavailableError', isInDoubt: false });
    await engine.close();
  });

  // It finds the commit in its log when it starts again.
  it.each(['PANIC', 'FATAL'])('is in doubt when the server ends with %s', (severity) => {
    expect(mayBeCommitted(failure(severity))).toBe(true);
  });

  it('was not made when the statement failed', () => {
    expect(mayBeCommitted(failure('ERROR'))).toBe(false);
  });
});
