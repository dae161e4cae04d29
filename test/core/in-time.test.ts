/** Answers that are waited for, but not for ever. */
import { expect, it } from 'vitest';
import { inTime } from '../../src/lib/core/in-time.ts';
import { systemClock } from '../../src/lib/ops/clock.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';

const never = new Promise<string>(() => undefined);

it('is the answer when it comes in time, and no timer is left', async () => {
  const clock = new FakeClock();
  expect(await inTime(Promise.resolve('yes'), 1000, clock, 'late')).toBe('yes');
  expect(clock.sleeping).toBe(0);
  await expect(inTime(Promise.reject(new Error('no')), 1000, clock, 'late')).rejects.toThrow('no');
  expect(clock.sleeping).toBe(0);
});

it('is late exactly when the time is over', async () => {
  const clock = new FakeClock();
  let answer: string | undefined;
  void inTime(never, 1000, clock, 'late').then((value) => {
    answer = value;
  });
  await clock.advance(999);
  expect(answer).toBeUndefined();
  await clock.advance(1);
  expect(answer).toBe('late');
});

it('without any time only an answer that is there already counts', async () => {
  const clock = new FakeClock();
  expect(await inTime(Promise.resolve('yes'), 0, clock, 'late')).toBe('yes');
  expect(await inTime(never, 0, clock, 'late')).toBe('late');
});

it('what comes too late troubles nobody', async () => {
  const clock = new FakeClock();
  let fail: (error: Error) => void = () => undefined;
  const answer = new Promise<string>((_, reject) => {
    fail = reject;
  });
  const waiting = inTime(answer, 1000, clock, 'late');
  await clock.advance(1000);
  expect([await waiting, clock.sleeping]).toEqual(['late', 0]);
  fail(new Error('too late'));
  await settle();
});

it('a timer of the machine calls back once, unless it is taken back', async () => {
  const calls: string[] = [];
  const forget = systemClock.after(1, () => calls.push('never'));
  forget();
  await new Promise<void>((resolve) => {
    systemClock.after(5, () => {
      calls.push('once');
      resolve();
    });
  });
  expect(calls).toEqual(['once']);
});
