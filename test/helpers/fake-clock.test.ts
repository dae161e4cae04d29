/** That the time of the tests does not run away from what takes real time. */
import { expect, it } from 'vitest';
import { FakeClock, tickUntil } from './fake-clock.ts';
import { gate } from './gate.ts';

it('does not let a session end whose sign of life is on its way to a slow database', async () => {
  const clock = new FakeClock(0);
  const isWritten = gate();
  clock.standStillFor(isWritten.pass());
  let [isEnded, isOver] = [false, false];
  clock.after(10_000, () => {
    isEnded = true;
  });
  const passing = clock.advance(60_000).then(() => {
    isOver = true;
  });
  for (let turn = 0; turn < 1000; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect([isEnded, isOver]).toEqual([false, false]);
  isWritten.open();
  await passing;
  expect([isEnded, clock.now()]).toEqual([true, 60_000]);
});

it('is told that something holds when everybody has heard of it', async () => {
  const clock = new FakeClock(0);
  const isAnswered = gate();
  let [isCommitted, isHeard] = [false, false];
  clock.after(5000, () => {
    isCommitted = true;
    const answer = isAnswered.pass();
    clock.standStillFor(answer);
    void answer.then(() => {
      isHeard = true;
    });
  });
  const told = tickUntil(clock, () => isCommitted).then(() => isHeard);
  while (!isAnswered.isReached) await new Promise((resolve) => setImmediate(resolve));
  isAnswered.open();
  expect(await told).toBe(true);
  expect(clock.now()).toBe(5000);
});
