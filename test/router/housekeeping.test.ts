/** What a router does over and over goes on whatever fails, and leaves room for everybody else. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { type HousekeepingOptions, keepHouse } from '../../src/lib/router/housekeeping.ts';
import { type GcResult, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

const GC_INTERVAL_MS = 60_000;
const BATCH_MS = 40;

/** A house in which only garbage is collected: each batch takes a while. */
function house(clock: FakeClock, collect: () => GcResult): { readonly starts: number[]; end(): Promise<void> } {
  const starts: number[] = [];
  const stop = new AbortController();
  const options = {
    config: { storage: { gcIntervalMs: GC_INTERVAL_MS, gcTtlMs: 1000, sessionRefreshIntervalMs: 1e9 } },
    deps: fakeDeps({ clock }),
    store: {
      collectGarbage: async () => {
        starts.push(clock.monotonicMs());
        await clock.sleep(BATCH_MS);
        return collect();
      },
    },
    workshop: { sweep: () => undefined },
    session: { keepAlive: () => Promise.resolve() },
    leases: { heedCancels: () => Promise.resolve(), releaseStrays: () => Promise.resolve() },
  } as unknown as HousekeepingOptions;
  const living = keepHouse(options, stop.signal);
  return {
    starts,
    end: async () => {
      stop.abort();
      await living;
    },
  };
}

const batch = (transactions: number, isMore: boolean): GcResult => ({ transactions, blobs: 0, isMore });

describe('garbage collection', () => {
  it('pauses after each batch for as long as the batch took', async () => {
    const clock = new FakeClock(0);
    let left = 3;
    const { starts, end } = house(clock, () => {
      left -= 1;
      return batch(100, left > 0);
    });
    await clock.advance(GC_INTERVAL_MS + 1000);
    expect(starts.map((at) => at - GC_INTERVAL_MS)).toEqual([0, 2 * BATCH_MS, 4 * BATCH_MS]);
    await clock.advance(GC_INTERVAL_MS);
    expect(starts).toHaveLength(4);
    await end();
  });

  it('takes a break when there is more than it gets done, and comes back soon', async () => {
    const clock = new FakeClock(0);
    const { starts, end } = house(clock, () => batch(100, true));
    await clock.advance(GC_INTERVAL_MS + 3 * limits.gcRunMs);
    const pauses = starts.slice(1).map((at, i) => at - (starts[i] as number));
    expect(Math.max(...pauses)).toBeGreaterThanOrEqual(1000);
    expect(Math.max(...pauses)).toBeLessThan(2000);
    expect(pauses.filter((ms) => ms >= 1000)).toHaveLength(2);
    await end();
  });

  it('tries again when the store was away', async () => {
    const clock = new FakeClock(0);
    let calls = 0;
    const { starts, end } = house(clock, () => {
      calls += 1;
      if (calls === 1) throw new StoreUnavailableError('away');
      return batch(0, false);
    });
    await clock.advance(2 * GC_INTERVAL_MS + 1000);
    expect(starts).toHaveLength(2);
    await end();
  });
});
