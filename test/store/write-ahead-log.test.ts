/** The write-ahead log of SQLite is copied into the file beside the writer: by a thread that may die, past readers that stay. */
import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { openWriter, type SqliteDatabase, sqliteSql } from '../../src/lib/store/sqlite/connection.ts';
import { keep } from '../../src/lib/store/sqlite/kept.ts';
import { type LogSizes, WriteAheadLog } from '../../src/lib/store/sqlite/write-ahead-log.ts';
import { SqliteWriter } from '../../src/lib/store/sqlite/writer.ts';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { openTestStore, sqlite, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const PAGE_BYTES = 4096;
const SIZES: LogSizes = { worthCopyingPages: 20, waitPages: 100, maxPages: 200 };

let database: TestDatabase;
let store: Store;
let file: string;

beforeEach(async () => {
  database = await sqlite.create();
  file = database.url.slice('sqlite:///'.length);
  store = await openTestStore(database);
});

afterEach(async () => {
  await store.close();
  await database.drop();
});

/** A connection of somebody else. */
function visitor(): SqliteDatabase {
  return keep(new Database(file, { readonly: true }));
}

function loggedPages(): number {
  const db = visitor();
  const { log } = keep(db.prepare('pragma wal_checkpoint(NOOP)')).get() as { log: number };
  db.close();
  return log;
}

describe('the write-ahead log of SQLite', () => {
  let count = 0;

  async function storeMebibytes(mebibytes: number): Promise<void> {
    for (let i = 0; i < mebibytes; i += 1) {
      const body = memoryBody(Buffer.alloc(131_072, i));
      const ids = Array.from({ length: 8 }, (_, j) => `t${count + j}`);
      count += ids.length;
      await Promise.all(ids.map((id) => store.create([sampleTransaction(id, { body })], 1000)));
    }
  }

  it('keeps what a reader may need who stays, and is short again when he has gone', async () => {
    await storeMebibytes(1);
    const reader = visitor();
    reader.exec('begin');
    keep(reader.prepare('select count(*) from transactions')).get();
    await storeMebibytes(40);
    expect(loggedPages()).toBeGreaterThan((39 * 1024 * 1024) / PAGE_BYTES);
    expect(keep(reader.prepare('select count(*) from transactions')).pluck().get()).toBe(8);
    reader.close();
    await storeMebibytes(40);
    expect(loggedPages()).toBeLessThan((32 * 1024 * 1024) / PAGE_BYTES);
  });

  it('is as short when messages are uploaded in pieces', async () => {
    const open = { name: 'body', source: { kind: 'open' } } as const;
    await store.create([{ ...sampleTransaction('upload'), blobs: [open] }], 1000);
    const bytes = Buffer.alloc(1024 * 1024, 'x');
    for (let i = 0; i < 64; i += 1) await store.append('upload', 'body', { offset: i * bytes.length, bytes }, 1000);
    expect(loggedPages()).toBeLessThan((32 * 1024 * 1024) / PAGE_BYTES);
  });

  it('is gone when the store is closed', async () => {
    await storeMebibytes(20);
    await store.close();
    expect(await readdir(dirname(file))).toEqual([basename(file)]);
  });
});

describe('the version of SQLite', () => {
  it('is not one that may damage the file when a copy meets a log that is begun anew (3.51.2 and before)', () => {
    const db = visitor();
    const version = keep(db.prepare('select sqlite_version()')).pluck().get() as string;
    db.close();
    const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
    expect((major * 1000 + minor) * 1000 + patch).toBeGreaterThanOrEqual(3_051_003);
  });
});

describe('a log that has its largest size', () => {
  it('takes nothing more, as a full disk does, until whoever reads has gone', async () => {
    const writer = new SqliteWriter(file, undefined, SIZES);
    const session = { uri: 'http://one', ttlMs: 1000, yields: false, now: 1 };
    const commit = () => writer.commit([{ verb: 'openSession', args: session }]);
    try {
      await commit();
      const reader = visitor();
      reader.exec('begin');
      keep(reader.prepare('select * from transactions')).get();
      for (let i = 0; i < 300; i += 1) await commit().catch(() => undefined);
      const refusal: unknown = await commit().catch((reason: unknown) => reason);
      expect(refusal).toBeInstanceOf(StoreUnavailableError);
      expect(refusal).toMatchObject({ isFull: true });
      reader.close();
      await expect.poll(() => commit().then(() => 'committed', String)).toBe('committed');
    } finally {
      await writer.close();
    }
  });
});

describe('the thread that copies the log', () => {
  it.each([
    ['may die', 'data:text/javascript,process.exit(3)'],
    ['may not even start, when there are as many threads as there may be', 'http://no.such.thread'],
  ])(
    '%s: what it has not copied stays in the log, the writer goes on, and the next copy starts another',
    async (_, code) => {
      const db = openWriter(file, true);
      const sql = sqliteSql(db);
      const ended: (() => void)[] = [];
      const owner = { sql: () => sql, inDoubt: () => undefined, copied: () => ended.shift()?.() };
      const log = new WriteAheadLog(file, owner, SIZES, new URL(code));
      try {
        log.opened(sql, false);
        for (let i = 0; i < 2; i += 1) {
          const over = new Promise<void>((resolve) => {
            ended.push(resolve);
          });
          log.logged(SIZES.waitPages);
          await over;
          expect(log.mustWait).toBe(false);
        }
        expect(log.isInDoubt).toBe(false);
      } finally {
        await log.close();
        db.close();
      }
    },
  );
});

/** A thread that gives these answers, one to each batch; the copy of the log is in doubt from the first on. */
function answering(answers: readonly object[]): URL {
  const code = `import { parentPort } from 'node:worker_threads';
    const answers = ${JSON.stringify(answers)};
    parentPort.postMessage({ kind: 'in doubt' });
    parentPort.on('message', ({ kind, batch }) => {
      if (kind === 'close') parentPort.close();
      else parentPort.postMessage({ ...answers.shift(), memory: batch.bytes.buffer });
    });`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

describe('a copy in doubt', () => {
  const written = { kind: 'committed', result: { results: [], changed: true } };
  const onlyRead = { kind: 'committed', result: { results: [], changed: false } };
  const failed = { kind: 'unavailable', message: 'SQLITE_IOERR_FSYNC', isFull: false };
  const noRoom = { kind: 'log is full', message: 'its log has the largest size' };

  it.each([
    ['after a batch that was written', [written], true],
    ['not after one that failed: the log might turn out to have it', [written, failed], false],
    ['nor when batches have only read since, which write over nothing', [failed, onlyRead], false],
    ['but when one was written since', [failed, onlyRead, written], true],
    ['and when the log is so long that none is tried any more', [written, noRoom, noRoom], true],
  ] as const)('has the log read anew %s', async (_, answers, expected) => {
    const writer = new SqliteWriter(file, answering(answers));
    try {
      for (const _answer of answers) await writer.commit([]).catch(() => undefined);
      expect(writer.mustStartAgain).toBe(expected);
    } finally {
      await writer.close();
    }
  });
});

describe('the writer', () => {
  it('that cannot start, because there are as many threads as there may be, is storage that is away', async () => {
    const writer = new SqliteWriter(file, new URL('http://no.such.thread'));
    await expect(writer.commit([])).rejects.toThrow(StoreUnavailableError);
  });
});
