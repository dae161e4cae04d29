/** A real store as it is to a clock that a test moves: whatever it takes to answer, no time passes meanwhile. */
import type { Store } from '../../src/lib/store/store.ts';
import type { FakeClock } from './fake-clock.ts';

/** Looks that a router that has nothing to do takes all the time: ten seconds for each of them is no harm, and an hour would have thousands. */
const IDLE_LOOKS: readonly unknown[] = [
  'nextDueAt',
  'leases',
  'queueDepth',
  'collectGarbage',
] satisfies (keyof Store)[];
const IDLE_LOOK_MAX_MS = 10_000;

export function storeInNoTime(store: Store, clock: FakeClock): Store {
  return new Proxy(store, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(value, target, args);
        if (answer instanceof Promise)
          clock.standStillFor(answer, IDLE_LOOKS.includes(key) ? IDLE_LOOK_MAX_MS : undefined);
        return answer;
      };
    },
  });
}
