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
/** Who looks at the others more seldom than every four seconds takes himself for one who was asleep, and judges nobody. */
const SIGNS_OF_LIFE: readonly unknown[] = ['refreshSession', 'sessions'] satisfies (keyof Store)[];
const SIGN_OF_LIFE_MAX_MS = 500;

function maxMsOf(call: unknown): number | undefined {
  if (SIGNS_OF_LIFE.includes(call)) return SIGN_OF_LIFE_MAX_MS;
  return IDLE_LOOKS.includes(call) ? IDLE_LOOK_MAX_MS : undefined;
}

export function storeInNoTime(store: Store, clock: FakeClock): Store {
  return new Proxy(store, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(value, target, args);
        if (answer instanceof Promise) clock.standStillFor(answer, maxMsOf(key));
        return answer;
      };
    },
  });
}
