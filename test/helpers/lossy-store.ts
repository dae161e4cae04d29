/** A real store on a test database that commits what it is asked, and, when a test wants that, never hears the answer. */
import { DurableStore } from '../../src/lib/store/durable-store.ts';
import type { Engine } from '../../src/lib/store/engine.ts';
import { PostgresEngine } from '../../src/lib/store/postgres/engine.ts';
import { SqliteEngine } from '../../src/lib/store/sqlite/engine.ts';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { openTestStore, type TestDatabase } from './databases.ts';
import { FakeClock } from './fake-clock.ts';
import { memoryLog } from './fake-deps.ts';

export interface LossyStore {
  readonly store: Store;
  /** The answer to the next batch with this write is lost. */
  loseAnswerTo(verb: string): void;
}

export async function openLossyStore(database: TestDatabase): Promise<LossyStore> {
  // For the schema.
  await (await openTestStore(database)).close();
  const [url, log] = [parseStoreUrl(database.url), memoryLog()];
  const real = url.kind === 'sqlite' ? new SqliteEngine(url.file) : new PostgresEngine(url.url, log);
  let lost: string | undefined;
  const engine: Engine = {
    commit: async (operations) => {
      const result = await real.commit(operations);
      if (!operations.some(({ verb }) => verb === lost)) return result;
      lost = undefined;
      throw new StoreUnavailableError('the answer was lost', { isInDoubt: true });
    },
    read: (verb, args) => real.read(verb, args),
    close: () => real.close(),
  };
  const loseAnswerTo = (verb: string): void => {
    lost = verb;
  };
  return { store: new DurableStore(engine, new FakeClock(1000), log), loseAnswerTo };
}
