import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HistoryLines } from '../../src/lib/store/history-lines.ts';
import { migrate } from '../../src/lib/store/migrate.ts';
import { NOBODY } from '../../src/lib/store/passed-over.ts';
import { openPostgresSchema } from '../../src/lib/store/postgres/schema.ts';
import { runTogether } from '../../src/lib/store/postgres/together.ts';
import { attemptRow, newTxRow, nextColumns } from '../../src/lib/store/rows.ts';
import type { SchemaConnection } from '../../src/lib/store/schema-connection.ts';
import type { CreatePlan, PlannedSource } from '../../src/lib/store/sql/create-transactions.ts';
import { type Operation, writes } from '../../src/lib/store/sql/index.ts';
import type { OutcomeRow } from '../../src/lib/store/sql/record-outcome.ts';
import type { Sql } from '../../src/lib/store/sql/sql.ts';
import { type HistoryRows, historyPlan } from '../../src/lib/store/sql/write-history.ts';
import { packBatch, packResult, unpackBatch, unpackResult } from '../../src/lib/store/sqlite/packed.ts';
import { openSqliteSchema } from '../../src/lib/store/sqlite/schema.ts';
import { runTogether as runOnSqlite } from '../../src/lib/store/sqlite/together.ts';
import type { NextStep } from '../../src/lib/store/store.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { type DatabaseKind, postgres, sqlite, type TestDatabase } from '../helpers/databases.ts';
import { sampleRecord } from '../helpers/sample-transactions.ts';

const SESSION = 1;
/** In the database before the batch: leased to us, leased and cancelled meanwhile, waiting, and one that does not exist. */
const KNOWN = ['leased-1', 'leased-2', 'leased-3', 'cancelled-1', 'cancelled-2', 'waiting', 'unknown'];
const NO_PLAN: CreatePlan = { bodies: [], transactions: [], now: 9 };

function planned(
  id: string,
  next: NextStep,
  sources: readonly PlannedSource[] = [],
): CreatePlan['transactions'][number] {
  const attempts = next.kind === 'due' ? [] : [attemptRow({ number: 1, startedAt: 5, replies: { rcpt: [] } })];
  const blobs = sources.map((source, i) => ({ name: `part ${i}`, source }));
  const isOpen = sources.some(({ kind }) => kind === 'open');
  return { row: newTxRow(sampleRecord(id), nextColumns(next, SESSION), !isOpen, 5), attempts, blobs };
}

const anyNext = fc.constantFrom<NextStep>(
  { kind: 'leased' },
  { kind: 'due', at: 7 },
  { kind: 'final', final: { outcome: 'failed', text: 'it\'s "over"\\' } },
);

const anyEnd = fc.constantFrom<NextStep>(
  { kind: 'due', at: 11 },
  { kind: 'uncertain' },
  { kind: 'final', final: { outcome: 'delivered', text: 'ok' } },
);

const anyCreate = fc
  .record({
    next: anyNext,
    chunks: fc.array(fc.array(fc.uint8Array({ minLength: 1, maxLength: 5000 }), { maxLength: 3 }), { maxLength: 2 }),
    sources: fc.array(fc.nat({ max: 3 }), { maxLength: 3 }),
  })
  .map(({ next, chunks, sources }) => (id: string): Operation<'createTransactions'> => {
    const bodies = chunks.map((pieces) => ({
      kind: 'inline' as const,
      size: pieces.reduce((sum, piece) => sum + piece.length, 0),
      chunks: pieces,
    }));
    const used = sources.map((index): PlannedSource => {
      if (index < bodies.length) return { kind: 'body', index };
      return index === 3 ? { kind: 'reuse', txId: 'waiting', name: 'body' } : { kind: 'open' };
    });
    // The second recipient of a message shares what the first one has.
    const transactions = [planned(id, next, used), planned(`${id} too`, next, used)];
    return { verb: 'createTransactions', args: { bodies, transactions, now: 5 } };
  });

const anyOutcome = fc
  .record({ txId: fc.constantFrom(...KNOWN), next: anyEnd, version: fc.nat({ max: 9 }), spawns: fc.boolean() })
  .map(({ txId, next, version, spawns }) => (id: string): Operation<'recordOutcome'> => {
    const args = {
      txId,
      sessionId: SESSION,
      attempt: attemptRow({ number: 1, startedAt: 5, endedAt: 8, replies: { rcpt: [undefined] } }),
      filterOutput: '{"a":1}',
      next: nextColumns(next, null),
      version,
      spawn: spawns ? { ...NO_PLAN, transactions: [planned(id, { kind: 'due', at: 9 })] } : NO_PLAN,
    };
    return { verb: 'recordOutcome', args };
  });

const anyOther = fc.constantFrom<Operation>(
  { verb: 'cancel', args: { txId: 'leased-1', now: 8 } },
  { verb: 'cancel', args: { txId: 'waiting', now: 8 } },
  { verb: 'makeDue', args: { txId: 'waiting', now: 8 } },
  { verb: 'claimDue', args: { sessionId: SESSION, now: 6, limit: 1, passedOver: NOBODY } },
);

/** Lines of history, of any texts and any number of attempts. */
const anyHistory = fc
  .array(
    fc.record({ tag: fc.string({ unit: 'binary' }), text: fc.string({ unit: 'grapheme' }), tries: fc.nat({ max: 2 }) }),
  )
  .map((lines) => (id: string): Operation<'writeHistory'> => {
    const rows = new HistoryLines();
    for (const [i, { tag, text, tries }] of lines.entries()) {
      const replies = { rcpt: [{ code: 250, text }] };
      const next = nextColumns({ kind: 'final', final: { outcome: 'delivered', text } }, null);
      rows.add({
        row: newTxRow(sampleRecord(`${id} line ${i}`, { tag: tag.replaceAll('\0', '-') }), next, true, 5),
        attempts: Array.from({ length: tries }, (_, n) => attemptRow({ number: n + 1, startedAt: 5, replies })),
        blobs: [],
      });
    }
    return { verb: 'writeHistory', args: rows };
  });

const anyMark = fc
  .record({
    txId: fc.constantFrom(...KNOWN),
    number: fc.integer({ min: 1, max: 2 }),
    sessionId: fc.constantFrom(SESSION, 2),
  })
  .map(({ txId, number, sessionId }): Operation<'markDotSent'> => {
    const args = { txId, sessionId, number, at: 7, hosts: '[{"host":"192.0.2.1","port":25}]', replies: '{"rcpt":[]}' };
    return { verb: 'markDotSent', args };
  });

const anyBatch = fc
  .array(
    fc.oneof(
      anyCreate,
      anyOutcome,
      anyHistory,
      anyMark.map((operation) => () => operation),
      anyOther.map((operation) => () => operation),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((makers) => makers.map((make, i): Operation => make(`new-${i}`)));

interface Part {
  readonly database: DatabaseKind;
  readonly run: (sql: Sql, operations: readonly Operation[]) => Promise<readonly unknown[]>;
}

const parts: readonly Part[] = [
  { database: postgres, run: runTogether },
  { database: sqlite, run: runOnSqlite },
];

/** An open connection to a database that has its schema. */
async function connect({ url: text }: TestDatabase): Promise<SchemaConnection> {
  const url = parseStoreUrl(text);
  await migrate(url, { now: 1, mayCreate: true });
  return url.kind === 'postgres' ? openPostgresSchema(url.url, url.shown) : openSqliteSchema(url.file, false);
}

/** The same with each body in one piece, and history as the transactions it consists of. */
function inOnePiece(operation: Operation): Operation {
  const joined = ({ bodies, ...rest }: CreatePlan): CreatePlan => ({
    ...rest,
    bodies: bodies.map((body) => {
      if (body.kind !== 'inline' || body.size === 0) return body;
      return { ...body, chunks: [new Uint8Array(Buffer.concat(body.chunks))] };
    }),
  });
  if (operation.verb === 'createTransactions') return { ...operation, args: joined(operation.args as CreatePlan) };
  if (operation.verb === 'writeHistory')
    return { verb: 'createTransactions', args: historyPlan(operation.args as HistoryRows) };
  if (operation.verb !== 'recordOutcome') return operation;
  const args = operation.args as OutcomeRow;
  return { ...operation, args: { ...args, spawn: joined(args.spawn) } };
}

describe('a batch on its way to the writer thread', () => {
  it('arrives as it was, its bodies in as few pieces as they may be stored in, whatever batch was in its memory before', () => {
    let memory: ArrayBuffer | undefined;
    fc.assert(
      fc.property(anyBatch, (operations) => {
        const { bytes, ...rest } = structuredClone(packBatch(operations, memory));
        const arrived = unpackBatch({ ...rest, bytes });
        expect(asBytes(arrived)).toEqual(asBytes(operations.map(inOnePiece)));
        memory = bytes.buffer;
        new Uint8Array(memory).fill(0xee);
      }),
    );
  });

  it('comes back with the results it led to', () => {
    const results = [
      { kind: 'done', value: { kind: 'created' } },
      { kind: 'done', value: { kind: 'recorded' } },
      { kind: 'done', value: { kind: 'leaseLost' } },
      { kind: 'done', value: null },
      { kind: 'done', value: 'created' },
      { kind: 'done', value: undefined },
      { kind: 'failed', failure: { message: 'no', code: 'SQLITE_CONSTRAINT', stack: undefined } },
    ] as const;
    expect(unpackResult(structuredClone(packResult({ results, changed: true })))).toEqual({ results, changed: true });
  });
});

/** Chunks as buffers, whatever view of memory they are. */
function asBytes(operations: readonly Operation[]): unknown {
  return operations.map((operation) => {
    if (operation.verb !== 'createTransactions') return operation;
    const args = operation.args as CreatePlan;
    const bodies = args.bodies.map((body) =>
      body.kind === 'inline' ? { ...body, chunks: body.chunks.map((chunk) => Buffer.from(chunk)) } : body,
    );
    return { ...operation, args: { ...args, bodies } };
  });
}

describe.each(parts)('operations that $database.name is given together', ({ database: kind, run }) => {
  let database: TestDatabase;
  let connection: SchemaConnection;
  let sql: Sql;

  beforeAll(async () => {
    database = await kind.create();
    connection = await connect(database);
    sql = connection.sql;
    await writes.openSession(sql, { uri: 'http://one:8000', ttlMs: 1000, yields: false, now: 1 });
    const known = KNOWN.filter((id) => id !== 'unknown').map((id) =>
      planned(id, id === 'waiting' ? { kind: 'due', at: 5 } : { kind: 'leased' }, [{ kind: 'body', index: 0 }]),
    );
    const shared = { kind: 'inline', size: 2, chunks: [Buffer.from('hi')] } as const;
    const named = known.map((tx) => ({ ...tx, blobs: tx.blobs.map((blob) => ({ ...blob, name: 'body' })) }));
    await writes.createTransactions(sql, { bodies: [shared], transactions: named, now: 1 });
    for (const txId of ['cancelled-1', 'cancelled-2']) await writes.cancel(sql, { txId, now: 2 });
  }, 60_000);

  afterAll(async () => {
    await connection.close();
    await database.drop();
  });

  /** Everything in the database but the ids of blobs, which are drawn anew each time. */
  const everything = async (): Promise<unknown> => ({
    transactions: (await sql.all<{ body_blob_id: unknown }>('select * from transactions order by id', [])).map(
      ({ body_blob_id, ...row }) => ({ ...row, hasBody: body_blob_id !== null }),
    ),
    attempts: await sql.all('select * from attempts order by transaction_id, number', []),
    blobs: await sql.all(
      `select r.transaction_id, r.name, b.length, b.total_length, b.reference_count, b.touched_at, c.start_offset, c.content,
          b.content as whole from blob_references r join blobs b on b.id = r.blob_id left join blob_chunks c on c.blob_id = b.id
        order by r.transaction_id, r.name, c.start_offset`,
      [],
    ),
    unreferenced: await sql.all('select length, touched_at from blobs where reference_count = 0 order by length', []),
  });

  /** What a batch answers, and what is in the database then. Nothing of it stays. */
  const tried = async (run: (sql: Sql) => Promise<readonly unknown[]>): Promise<unknown> => {
    await sql.run('begin', []);
    try {
      return { results: await run(sql), left: await everything() };
    } finally {
      await sql.run('rollback', []);
    }
  };

  const oneByOne =
    (operations: readonly Operation[]) =>
    async (on: Sql): Promise<unknown[]> => {
      const results: unknown[] = [];
      for (const { verb, args } of operations) results.push(await writes[verb](on, args as never));
      return results;
    };

  it('do and answer what they would one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(anyBatch, async (operations) => {
        expect(await tried((on) => run(on, operations))).toEqual(await tried(oneByOne(operations)));
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  const onlyPostgres = kind.name === 'postgres';
  // SQLite has no round trips to save: there each runs by itself.
  if (onlyPostgres)
    it('are two statements, however many creates and outcomes there are', async () => {
      const creates = Array.from({ length: 40 }, (_, i): Operation => {
        const body = { kind: 'inline', size: 2, chunks: [Buffer.from('hi')] } as const;
        const tx = planned(`t${i}`, { kind: 'leased' }, [{ kind: 'body', index: 0 }]);
        return { verb: 'createTransactions', args: { bodies: [body], transactions: [tx], now: 5 } };
      });
      const final = nextColumns({ kind: 'final', final: { outcome: 'delivered', text: 'ok' } }, null);
      const outcomes = ['leased-1', 'leased-2', 'leased-3'].map((txId): Operation => {
        const attempt = attemptRow({ number: 1, startedAt: 5, endedAt: 8, replies: { rcpt: [] } });
        const args = { txId, sessionId: SESSION, attempt, filterOutput: '{}', next: final, version: 2, spawn: NO_PLAN };
        return { verb: 'recordOutcome', args };
      });
      // As they come: mixed.
      const operations = creates.flatMap((create, i) => [create, ...outcomes.slice(i, i + 1)]);
      let statements = 0;
      const counting: Sql = {
        ...sql,
        all: (text, params) => {
          statements += 1;
          return sql.all(text, params);
        },
        run: (text, params) => {
          statements += 1;
          return sql.run(text, params);
        },
      };
      await tried(() => run(counting, operations));
      expect(statements).toBe(2);
    });
});
