import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RouteTable } from '../../src/lib/router/route-table.ts';
import { Schedule, type ScheduleOptions } from '../../src/lib/router/schedule.ts';
import { NOBODY } from '../../src/lib/store/passed-over.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { openTestStore, sqlite, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';
import { storeWith } from '../helpers/store-with.ts';

const POLL_MS = 1000;

describe('the search for due work', () => {
  const clock = new FakeClock();
  let database: TestDatabase;
  let store: Store;
  let looks: number;

  beforeEach(async () => {
    database = await sqlite.create();
    looks = 0;
    const counting = storeWith((real) => ({
      nextDueAt: () => {
        looks += 1;
        return real.nextDueAt();
      },
    }));
    store = counting(await openTestStore(database, { clock }));
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await store.close();
    await database.drop();
  });

  const schedule = (): Schedule => {
    // Nothing is due, so of the workshop no more is asked than whether it has room.
    const options: Partial<ScheduleOptions> = { deps: { ...fakeDeps(), clock }, store, routes: new RouteTable([]) };
    return new Schedule({
      ...options,
      workshop: { backlog: { atOnce: 1, passedOver: NOBODY } },
    } as unknown as ScheduleOptions);
  };

  const looked = (count: number): Promise<void> => vi.waitFor(() => expect(looks).toBe(count), { interval: 1 });

  it('looks when somebody rings, and by itself after a second', async () => {
    const stop = new AbortController();
    const search = schedule();
    const running = search.run(stop.signal);
    await looked(1);
    await vi.waitFor(() => expect(clock.sleeping).toBe(1), { interval: 1 });
    await clock.advance(POLL_MS);
    await looked(2);
    search.ring();
    await looked(3);
    stop.abort();
    await running;
    expect(clock.sleeping).toBe(0);
  });

  it('leaves nothing behind on the signal that ends it, however often it looks', async () => {
    const combined = vi.spyOn(AbortSignal, 'any');
    const stop = new AbortController();
    const search = schedule();
    const running = search.run(stop.signal);
    for (let i = 1; i <= 50; i += 1) {
      await looked(i);
      search.ring();
    }
    await looked(51);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
    expect(combined).not.toHaveBeenCalled();
    stop.abort();
    await running;
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });
});
