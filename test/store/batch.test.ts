import { describe, expect, it } from 'vitest';
import { type BatchConnection, type FailureKind, runBatch } from '../../src/lib/store/batch.ts';
import type { Operation } from '../../src/lib/store/sql/index.ts';

const REFRESH: Operation = { verb: 'refreshSession', args: { sessionId: 1, uri: 'http://one:8000', now: 1 } };

/** A connection that writes down its statements, and on which the first statement that matches fails. */
function recordingConnection(failing?: {
  readonly match: string;
  readonly kind: FailureKind;
}): BatchConnection & { readonly statements: string[] } {
  const statements: string[] = [];
  const run = async (text: string): Promise<number> => {
    statements.push(text.split(' ')[0] === 'update' ? 'update' : text);
    if (failing !== undefined && text.startsWith(failing.match)) throw new Error('made to fail');
    return 1;
  };
  return {
    statements,
    begin: 'begin',
    failureKind: () => failing?.kind ?? 'operation',
    sql: { locks: 'database', run, all: async () => [] },
  };
}

describe('a batch', () => {
  it('is one transaction without savepoints while nothing fails', async () => {
    const connection = recordingConnection();
    const { results, changed } = await runBatch(connection, [REFRESH, REFRESH]);
    expect(results).toEqual([
      { kind: 'done', value: true },
      { kind: 'done', value: true },
    ]);
    expect(changed).toBe(true);
    expect(connection.statements).toEqual(['begin', 'update', 'update', 'commit']);
  });

  it('is rolled back and run again behind savepoints when an operation is wrong', async () => {
    const connection = recordingConnection({ match: 'update', kind: 'operation' });
    const { results, changed } = await runBatch(connection, [REFRESH]);
    expect(results).toMatchObject([{ kind: 'failed', failure: { message: 'made to fail' } }]);
    expect(changed).toBe(false);
    expect(connection.statements).toEqual([
      'begin',
      'update',
      'rollback',
      'begin',
      'savepoint operation',
      'update',
      'rollback to savepoint operation',
      'release savepoint operation',
      'commit',
    ]);
  });

  it.each(['commit', 'update', 'begin'])('promises nothing when the database is in trouble at %s', async (match) => {
    const connection = recordingConnection({ match, kind: 'unavailable' });
    await expect(runBatch(connection, [REFRESH])).rejects.toThrow('made to fail');
    expect(connection.statements.filter((text) => text === 'begin')).toHaveLength(1);
  });
});
