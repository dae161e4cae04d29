/** The hanging GET: it answers at once when there is something new, and otherwise waits no longer than it was told. */
import { expect, test } from 'vitest';
import { awaitChange } from '../../src/lib/conversation/await-change.ts';
import { LiveTransaction } from '../../src/lib/core/live.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';

const isOpen = (): boolean => false;

function hanging({ ifNoneMatch = '0', waitMs = 30_000, isEnded = isOpen } = {}) {
  const live = new LiveTransaction('t1');
  const clock = new FakeClock();
  const client = new AbortController();
  const state: { changed: boolean | undefined } = { changed: undefined };
  const done = awaitChange(live, { ifNoneMatch, waitMs }, isEnded, clock, client.signal).then((changed) => {
    state.changed = changed;
  });
  return { live, clock, client, state, done };
}

test('without a version nothing is waited for', async () => {
  const live = new LiveTransaction('t1');
  expect(await awaitChange(live, undefined, isOpen, new FakeClock(), new AbortController().signal)).toBe(true);
});

test('another version than the current one is answered at once', async () => {
  for (const ifNoneMatch of ['1', '', '*', '00']) {
    const { state, done } = hanging({ ifNoneMatch });
    await done;
    expect(state.changed).toBe(true);
  }
});

test('a change is answered when it comes, and leaves no timer', async () => {
  const { live, state, clock, done } = hanging();
  await settle();
  expect(state.changed).toBeUndefined();
  live.apply({ type: 'touch' });
  await done;
  expect(state.changed).toBe(true);
  await settle();
  expect(clock.sleeping).toBe(0);
});

test('no change is answered when the time is up', async () => {
  const { state, clock, done } = hanging();
  await clock.advance(29_999);
  expect(state.changed).toBeUndefined();
  await clock.advance(1);
  await done;
  expect(state.changed).toBe(false);
});

test('a client that goes away is not waited for', async () => {
  const { state, clock, client, done } = hanging();
  client.abort();
  await done;
  expect(state.changed).toBe(false);
  await settle();
  expect(clock.sleeping).toBe(0);
});

test('what has ended is not waited for', async () => {
  const { state, done } = hanging({ isEnded: () => true });
  await done;
  expect(state.changed).toBe(false);
});
