/** A live transaction: every step is seen by who waits, an illegal one by nobody. */
import { expect, test } from 'vitest';
import { LiveTransaction } from '../../src/lib/core/live.ts';
import type { Response } from '../../src/lib/core/response.ts';
import { IllegalStepError, type TxState } from '../../src/lib/core/transaction.ts';
import { settle } from '../helpers/fake-clock.ts';
import { ok, recipient, sender } from '../helpers/fake-exchange.ts';

test('every step grows the version; an illegal one changes nothing', () => {
  const live = new LiveTransaction('t1');
  live.apply({ type: 'mail', from: sender });
  expect(live.version).toBe(1);
  const { state } = live;
  expect(() => live.apply({ type: 'mail', from: sender })).toThrow(IllegalStepError);
  expect(live.version).toBe(1);
  expect(live.state).toBe(state);
});

test('who waits is woken by the step that makes it true, not by others', async () => {
  const live = new LiveTransaction('t1');
  let isAnswered: boolean | undefined;
  const waiting = live
    .until((state) => state.replies.mail !== undefined)
    .then((held) => {
      isAnswered = held;
    });
  live.apply({ type: 'mail', from: sender });
  await settle();
  expect(isAnswered).toBeUndefined();
  live.apply({ type: 'mailReply', response: ok });
  await waiting;
  expect(isAnswered).toBe(true);
});

test('who asked for an answer hears it once, before the step that brings it is over, and may take the next step at once', () => {
  const live = new LiveTransaction('t1');
  const heard: string[] = [];
  const mailOf = ({ replies }: TxState): Response | undefined => replies.mail;
  live.tell(() => {
    heard.push('first');
    live.apply({ type: 'rcpt', to: recipient });
  }, mailOf);
  live.tell(() => heard.push('second'), mailOf);
  live.apply({ type: 'mail', from: sender });
  expect(heard).toEqual([]);
  live.apply({ type: 'mailReply', response: ok });
  expect(heard.toSorted()).toEqual(['first', 'second']);
  live.tell(() => heard.push('there already'), mailOf);
  live.apply({ type: 'touch' });
  expect(heard).toHaveLength(3);
});

test('what holds already is not waited for, even when the wait is over before it began', async () => {
  const live = new LiveTransaction('t1');
  expect(await live.until(() => true, AbortSignal.abort())).toBe(true);
  expect(await live.until(() => false, AbortSignal.abort())).toBe(false);
});

test('an abort ends the wait', async () => {
  const live = new LiveTransaction('t1');
  const stop = new AbortController();
  const waiting = live.until(() => false, stop.signal);
  stop.abort();
  expect(await waiting).toBe(false);
});

test('a step taken by one who was woken is seen by all others too', async () => {
  const live = new LiveTransaction('t1');
  const first = live.until((_, version) => version === 1).then(() => live.apply({ type: 'touch' }));
  const second = live.until((_, version) => version === 2);
  live.apply({ type: 'touch' });
  await first;
  expect(await second).toBe(true);
});
