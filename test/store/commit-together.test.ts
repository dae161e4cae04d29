/** A batch of PostgreSQL that leaves in one go: its commit is on the way before anybody knows whether what it commits has worked. */
import { describe, expect, it } from 'vitest';
import { ConnectionTrouble } from '../../src/lib/store/postgres/connection.ts';
import { commitTogether } from '../../src/lib/store/postgres/together.ts';
import { newTxRow, nextColumns } from '../../src/lib/store/rows.ts';
import type { Operation } from '../../src/lib/store/sql/index.ts';
import type { Sql } from '../../src/lib/store/sql/sql.ts';
import { sampleRecord } from '../helpers/sample-transactions.ts';

function create(id: string): Operation<'createTransactions'> {
  const row = newTxRow(sampleRecord(id), nextColumns({ kind: 'due', at: 7 }, 1), true, 5);
  return { verb: 'createTransactions', args: { bodies: [], transactions: [{ row, attempts: [], blobs: [] }], now: 5 } };
}

const refresh: Operation = { verb: 'refreshSession', args: { sessionId: 1, uri: 'http://one:8000', now: 1 } };

/** A connection that answers nothing before it has been sent all, and then each statement that begins so with its error. */
function lateConnection(errors: Readonly<Record<string, Error>> = {}): { readonly sql: Sql; readonly sent: string[] } {
  const sent: string[] = [];
  const run = async (text: string): Promise<number> => {
    const word = text.split(/\s/)[0] ?? '';
    sent.push(word);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(sent.at(-1)).toBe('commit');
    const error = errors[word];
    if (error !== undefined) throw error;
    return 1;
  };
  return { sql: { locks: 'rows', run, all: async () => [] }, sent };
}

describe('a batch that needs no answer before its end', () => {
  it('leaves with its transaction at once', async () => {
    const { sql, sent } = lateConnection();
    const created = { kind: 'created' };
    expect(await commitTogether(sql, 'begin', [create('a'), create('b')])).toEqual([created, created]);
    expect(sent).toEqual(['begin', 'with', 'commit']);
  });

  it('says why it failed, not that its commit did too', async () => {
    const wrong = new Error('duplicate key');
    const { sql } = lateConnection({ with: wrong, commit: new ConnectionTrouble('the commit became a rollback') });
    await expect(commitTogether(sql, 'begin', [create('a')])).rejects.toBe(wrong);
  });

  it('is taken for trouble when it was committed although something had failed', async () => {
    const { sql } = lateConnection({ with: new Error('not sent') });
    await expect(commitTogether(sql, 'begin', [create('a')])).rejects.toThrow(ConnectionTrouble);
  });

  it('is refused when the beginning of its transaction was: without one nothing is written', async () => {
    const cancelled = new Error('canceling statement due to user request');
    const { sql } = lateConnection({
      begin: cancelled,
      with: new Error('cannot execute INSERT in a read-only transaction'),
    });
    await expect(commitTogether(sql, 'begin', [create('a')])).rejects.toBe(cancelled);
  });

  it('is none when something in it runs by itself', () => {
    const { sql, sent } = lateConnection();
    expect(commitTogether(sql, 'begin', [create('a'), refresh])).toBeUndefined();
    expect(sent).toEqual([]);
  });
});
