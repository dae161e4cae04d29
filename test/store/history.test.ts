/** Lines of history on their way into commits: how many go at once, how long they wait, and what becomes of them when none is possible. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { GroupCommit } from '../../src/lib/store/group-commit.ts';
import { History } from '../../src/lib/store/history.ts';
import { attemptRow, newTxRow, nextColumns } from '../../src/lib/store/rows.ts';
import type { CreatePlan, PlannedTransaction } from '../../src/lib/store/sql/create-transactions.ts';
import type { Operation } from '../../src/lib/store/sql/index.ts';
import type { HistoryRows } from '../../src/lib/store/sql/write-history.ts';
import { StoreUnavailableError } from '../../src/lib/store/store.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleRecord } from '../helpers/sample-transactions.ts';

function line(id: string, text = 'ok'): PlannedTransaction {
  const next = nextColumns({ kind: 'final', final: { outcome: 'delivered', text } }, null);
  const attempt = attemptRow({ number: 1, startedAt: 5, endedAt: 7, replies: { rcpt: [{ code: 250, text }] } });
  return { row: newTxRow(sampleRecord(id), next, true, 1000), attempts: [attempt], blobs: [] };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

function linesIn({ verb, args }: Operation): readonly PlannedTransaction[] {
  if (verb === 'writeHistory') return [...(args as HistoryRows)];
  return verb === 'createTransactions' ? (args as CreatePlan).transactions : [];
}

/** `batches` are the lines of each; `isDown` refuses all, and `refused` each batch with that line in it as wrong. */
function historyOf(database: { isDown?: boolean; refused?: string } = {}) {
  const batches: PlannedTransaction[][] = [];
  const clock = new FakeClock(1000);
  const log = memoryLog();
  const group = new GroupCommit(async (operations) => {
    batches.push(operations.flatMap(linesIn));
    if (database.isDown === true) throw new StoreUnavailableError('out of order');
    const results = operations.map((operation) => {
      const isRefused = linesIn(operation).some(({ row }) => row.id === database.refused);
      if (!isRefused) return { kind: 'done' as const, value: undefined };
      return { kind: 'failed' as const, failure: { message: 'wrong', code: undefined, stack: undefined } };
    });
    return { results, changed: true };
  }, clock);
  const history = new History(group, clock, log);
  const ids = (): string[][] => batches.map((batch) => batch.map(({ row }) => row.id));
  return { history, group, clock, log, batches, ids };
}

describe('lines of history', () => {
  it('are written as they were added, in their order, by one batch for all of a pause', async () => {
    const { history, clock, batches } = historyOf();
    const lines = numbered(100).map((id) => line(id, id === '7' ? 'Grüße, 你好 📨' : 'ok'));
    for (const each of lines) history.add(each);
    expect(history.backlog).toBe(100);
    await clock.advance(limits.storeHistoryPauseMs);
    await settle();
    expect(batches).toEqual([lines]);
    expect(history.backlog).toBe(0);
  });

  it('go in batches one after the other when there are more than share one, without another pause', async () => {
    const { history, clock, ids } = historyOf();
    const added = numbered(limits.storeBatchOperations * 3 + 5);
    for (const id of added) history.add(line(id));
    await clock.advance(limits.storeHistoryPauseMs);
    await settle();
    expect(ids().map(({ length }) => length)).toEqual([512, 512, 512, 5]);
    expect(ids().flat()).toEqual(added);
  });

  it('are written whatever the size of one', async () => {
    const { history, batches } = historyOf();
    const lines = [line('a'), line('large', 'x'.repeat(3 * limits.blobWriteBytes)), line('b')];
    for (const each of lines) history.add(each);
    await history.flush();
    history.add(line('after'));
    await history.flush();
    expect(batches.flat()).toEqual([...lines, line('after')]);
  });

  it('are written without the one that is wrong', async () => {
    const database = { refused: '3' };
    const { history, log, ids } = historyOf(database);
    for (const id of numbered(6)) history.add(line(id));
    await expect(history.flush()).rejects.toThrow('wrong');
    expect(ids().at(-1)).toEqual(numbered(6));
    expect(history.backlog).toBe(0);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
  });

  it('are all written at the end but for the one that is wrong, however many batches come after it', async () => {
    const { history, ids } = historyOf({ refused: '5' });
    for (const id of numbered(4 * limits.storeBatchOperations)) history.add(line(id));
    await expect(history.flush()).rejects.toThrow('wrong');
    expect(new Set(ids().flat()).size).toBe(4 * limits.storeBatchOperations);
    expect(history.backlog).toBe(0);
  });

  it('are dropped, the oldest first, when the database takes none for long', async () => {
    const database = { isDown: true };
    const { history, clock, log, ids } = historyOf(database);
    for (let round = 0; round < 30; round += 1) {
      for (const id of numbered(1000)) history.add(line(`${round} ${id}`));
      await clock.advance(limits.storeHistoryPauseMs);
      await settle();
      expect(history.backlog).toBeLessThanOrEqual(limits.storeHistoryBacklog);
    }
    expect(log.lines.some(({ text }) => text.startsWith('history rows dropped'))).toBe(true);
    database.isDown = false;
    const failed = ids().length;
    await history.flush();
    const written = ids().slice(failed).flat();
    expect(written).toContain('29 999');
    expect(written).not.toContain('0 0');
    expect(written.length).toBeGreaterThan(limits.storeHistoryBacklog / 2);
  });
});
