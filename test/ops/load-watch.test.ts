/** The watch over the load of a process, by a clock that the test moves. */
import { expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { LoadWatch } from '../../src/lib/ops/load-watch.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';

function watched() {
  const clock = new FakeClock();
  const log = memoryLog();
  const store = { waitingWrites: 0, waitingBytes: 0 };
  const refusals: string[] = [];
  const watch = new LoadWatch({
    clock,
    log,
    waiting: () => store,
    onRefused: (...why) => refusals.push(why.join(' ')),
  });
  const stop = new AbortController();
  const running = watch.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return { clock, log, store, refusals, watch, end };
}

it('is content with a process that is in time', async () => {
  const { clock, watch, log, end } = watched();
  await clock.advance(60_000);
  expect(watch.overload).toBe(undefined);
  expect(log.lines).toEqual([]);
  await end();
});

it('notices a process that is late again and again, says so once, and when it is over', async () => {
  const { clock, watch, log, end } = watched();
  for (let look = 0; look < 2 * limits.overloadLooks; look += 1) {
    await clock.leap(limits.overloadLookMs + limits.overloadLateMs + 1);
  }
  expect(watch.overload).toBe('loop');
  await clock.advance(limits.overloadLookMs);
  expect(watch.overload).toBe(undefined);
  expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  await end();
});

it('looks at what waits for the store', async () => {
  const { clock, watch, store, end } = watched();
  store.waitingBytes = limits.overloadWriteBytes + 1;
  await clock.advance(limits.overloadLookMs);
  expect(watch.overload).toBe('store');
  store.waitingBytes = 0;
  await clock.advance(limits.overloadLookMs);
  expect(watch.overload).toBe(undefined);
  await end();
});

it('passes on who was refused', async () => {
  const { watch, refusals, end } = watched();
  watch.refused('mail', 'peer');
  expect(refusals).toEqual(['mail peer']);
  await end();
});
