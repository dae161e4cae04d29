/** A real store with some of its calls replaced, to play a database in trouble: `startRouter({ wrapStore: storeWith((real) => ({ … })) })`. */
import type { Store } from '../../src/lib/store/store.ts';

export function storeWith(calls: (real: Store) => Partial<Store>): (store: Store) => Store {
  return (store) => {
    const replaced: Partial<Store> = calls(store);
    return new Proxy(store, {
      get: (target, key) => {
        const value = Reflect.get(key in replaced ? replaced : target, key) as unknown;
        return typeof value === 'function' ? value.bind(key in replaced ? replaced : target) : value;
      },
    });
  };
}
