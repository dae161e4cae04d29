/** Ids of blobs on SQLite, which files are named after: none is given twice, whatever happens in between. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrate } from '../../src/lib/store/migrate.ts';
import type { SchemaConnection } from '../../src/lib/store/schema-connection.ts';
import type { SqlAtOnce } from '../../src/lib/store/sql/sql.ts';
import { beginFileBlob } from '../../src/lib/store/sql/write-blob.ts';
import { BlobIds } from '../../src/lib/store/sqlite/blob-ids.ts';
import { openSqliteSchema } from '../../src/lib/store/sqlite/schema.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { sqlite, type TestDatabase } from '../helpers/databases.ts';

let database: TestDatabase;
let connection: SchemaConnection;
let sql: SqlAtOnce;
let ids: BlobIds;

beforeEach(async () => {
  database = await sqlite.create();
  const url = parseStoreUrl(database.url);
  await migrate(url, { now: 1, mayCreate: true });
  connection = await openSqliteSchema(url.kind === 'sqlite' ? url.file : '', false);
  sql = connection.sql.atOnce as SqlAtOnce;
  ids = new BlobIds();
});

afterEach(async () => {
  await connection.close();
  await database.drop();
});

const noted = (): number | undefined =>
  sql.all<{ seq: number }>("select seq from sqlite_sequence where name = 'blobs'", [])[0]?.seq;

/** Of a small body. */
function insert(): number {
  const id = ids.draw(sql);
  sql.run('insert into blobs (id, length, total_length, reference_count, touched_at) values (?, 0, 0, 0, 0)', [id]);
  return id;
}

const STEPS = ['batch', 'rolled back', 'in a file', 'newest deleted', 'all deleted', 'started again'] as const;

it('none is given twice: not after a rollback, nor beside ids of files, nor when the newest blob is gone, nor after a start', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { minLength: 1, maxLength: 20 }), async (steps) => {
      // Of what was committed: who heard of an id that was rolled back was told that nothing is stored.
      const given: number[] = [];
      for (const step of steps) {
        if (step === 'newest deleted') sql.run('delete from blobs where id = (select max(id) from blobs)', []);
        if (step === 'all deleted') sql.run('delete from blobs', []);
        if (step === 'in a file') given.push(await beginFileBlob(connection.sql, { length: 1, now: 1 }));
        if (step === 'started again') ids = new BlobIds();
        if (step !== 'batch' && step !== 'rolled back') continue;
        sql.run('begin', []);
        ids.begin(sql);
        const some = [insert(), insert()];
        sql.run(step === 'batch' ? 'commit' : 'rollback', []);
        if (step === 'batch') given.push(...some);
      }
      expect(new Set(given).size).toBe(given.length);
      expect(noted() ?? 0).toBeGreaterThanOrEqual(Math.max(0, ...given));
    }),
    { numRuns: 200 },
  );
});

it('one is noted for very many batches', () => {
  const notes = new Set<number | undefined>();
  for (let batch = 0; batch < 50; batch += 1) {
    sql.run('begin', []);
    ids.begin(sql);
    for (let i = 0; i < 10; i += 1) insert();
    sql.run('commit', []);
    notes.add(noted());
  }
  expect(notes.size).toBe(1);
});
