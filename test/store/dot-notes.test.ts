/** What the delivery journal is to note survives a database that fails: a crash after that still leaves somebody who knows. */
import { expect, it } from 'vitest';
import { DotNotes } from '../../src/lib/store/dot-notes.ts';
import { GroupCommit } from '../../src/lib/store/group-commit.ts';
import type { Operation } from '../../src/lib/store/sql/index.ts';
import { StoreUnavailableError } from '../../src/lib/store/store.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';

const note = (txId: string, number = 1) => ({ txId, sessionId: 1, number, at: 1, hosts: null, replies: '{}' });
const refresh = { sessionId: 1, uri: 'http://one', now: 1 };

/** A database that fails when it is told to, and what it has committed. */
function start() {
  const database = { isDown: false, failsFor: undefined as string | undefined, committed: [] as Operation[] };
  const log = memoryLog();
  const group = new GroupCommit(async (operations) => {
    const isAbout = operations.some(({ args }) => (args as { txId?: string }).txId === database.failsFor);
    if (database.isDown || (database.failsFor !== undefined && isAbout))
      throw new StoreUnavailableError('made to fail');
    database.committed.push(...operations);
    return { results: operations.map(() => ({ kind: 'done', value: true })), changed: true };
  }, new FakeClock());
  const marks = (): readonly string[] =>
    database.committed.flatMap(({ verb, args }) =>
      verb === 'markDotSent' ? [`${(args as { txId: string }).txId} ${(args as { number: number }).number}`] : [],
    );
  const outcome = async (): Promise<void> => void (await group.write('refreshSession', refresh));
  return { database, group, notes: new DotNotes(group, log), marks, outcome, log };
}

it('a note is not written when the outcome is recorded before the next commit', async () => {
  const { notes, marks, outcome } = start();
  notes.add(note('a'));
  await notes.unlessRecorded('a', outcome());
  await outcome();
  expect(marks()).toEqual([]);
});

it('a note is written after all when the outcome cannot be recorded', async () => {
  const { database, notes, marks, outcome } = start();
  notes.add(note('a'));
  database.isDown = true;
  await expect(notes.unlessRecorded('a', outcome())).rejects.toThrow('made to fail');
  database.isDown = false;
  await outcome();
  expect(marks()).toEqual(['a 1']);
});

it('a note whose own commit fails is in the next one', async () => {
  const { database, notes, marks, outcome } = start();
  notes.add(note('a'));
  database.isDown = true;
  await expect(outcome()).rejects.toThrow('made to fail');
  database.isDown = false;
  await outcome();
  await outcome();
  expect(marks()).toEqual(['a 1']);
});

it('a note of a later attempt is not replaced by that of an earlier one', async () => {
  const { database, notes, marks, outcome } = start();
  notes.add(note('a', 1));
  database.isDown = true;
  const recorded = notes.unlessRecorded('a', outcome());
  notes.add(note('a', 2));
  await expect(recorded).rejects.toThrow('made to fail');
  database.isDown = false;
  await outcome();
  expect(marks()).toEqual(['a 2']);
});

it('a note that is the trouble itself stops nobody else for long, and is given up', async () => {
  const { database, notes, marks, outcome, log } = start();
  database.failsFor = 'locked';
  notes.add(note('locked'));
  await expect(outcome()).rejects.toThrow('made to fail');
  for (let i = 0; i < 3; i += 1) await outcome();
  database.failsFor = undefined;
  await outcome();
  await outcome();
  expect(marks()).toEqual([]);
  expect(log.lines.map(({ text }) => text)).toEqual(['the delivery journal has a note less']);
});
