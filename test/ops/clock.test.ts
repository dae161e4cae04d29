/** The real clock and the real randomness keep their promises. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/ops/clock.ts';
import { systemRng } from '../../src/lib/ops/rng.ts';

describe('systemClock', () => {
  it('sleeps at least as long as asked', async () => {
    const before = systemClock.now();
    await systemClock.sleep(20);
    expect(systemClock.now() - before).toBeGreaterThanOrEqual(19);
  });

  it('wakes as soon as its signal aborts, even from a wait longer than a timer can hold', async () => {
    const stop = new AbortController();
    const sleep = systemClock.sleep(2 ** 40, stop.signal);
    const first = await Promise.race([sleep.then(() => 'woke'), systemClock.sleep(5).then(() => 'still asleep')]);
    expect(first).toBe('still asleep');
    stop.abort();
    await sleep;
  });

  it('does not sleep when its signal is aborted already, or when there is nothing to wait for', async () => {
    await systemClock.sleep(2 ** 30, AbortSignal.abort());
    await systemClock.sleep(-5);
  });
});

describe('systemRng', () => {
  it('draws from [0, 1) and gives as many bytes as asked', () => {
    for (let i = 0; i < 100; i += 1) {
      const drawn = systemRng.uniform();
      expect(drawn >= 0 && drawn < 1).toBe(true);
    }
    expect(systemRng.bytes(16)).toHaveLength(16);
    expect(systemRng.bytes(16)).not.toEqual(systemRng.bytes(16));
  });
});
