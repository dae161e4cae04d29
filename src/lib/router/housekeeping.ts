/** What a router does by itself, over and over: keeps its session alive, takes over from the dead, sweeps, and collects garbage. */
import type { RouterConfig } from '../config/router-config.ts';
import type { Deps } from '../core/deps.ts';
import type { Store } from '../store/store.ts';
import type { Workshop } from './workshop.ts';

const SWEEP_INTERVAL_MS = 1000;
const COLLECT_AT_ONCE = 500;

export interface HousekeepingOptions {
  readonly config: RouterConfig;
  readonly deps: Deps;
  readonly store: Store;
  readonly workshop: Workshop;
  readonly onDue: () => void;
}

/** Runs until `stop` aborts. */
export async function keepHouse(options: HousekeepingOptions, stop: AbortSignal): Promise<void> {
  const { storage } = options.config;
  await Promise.all([
    repeat(options, storage.sessionRefreshIntervalMs, stop, 'session refresh', () => refresh(options)),
    repeat(options, SWEEP_INTERVAL_MS, stop, 'sweep', () => {
      options.workshop.sweep(options.deps.clock.now());
      return Promise.resolve();
    }),
    repeat(options, storage.gcIntervalMs, stop, 'garbage collection', () => collect(options, stop)),
  ]);
}

async function repeat(
  { deps }: HousekeepingOptions,
  everyMs: number,
  stop: AbortSignal,
  what: string,
  task: () => Promise<void>,
): Promise<void> {
  while (!stop.aborted) {
    await deps.clock.sleep(everyMs, stop);
    if (stop.aborted) return;
    try {
      await task();
    } catch (error) {
      deps.log.error({ error }, `${what} failed, trying again`);
    }
  }
}

async function refresh({ config, deps, store, onDue }: HousekeepingOptions): Promise<void> {
  const now = deps.clock.now();
  if (!(await store.refreshSession(now))) {
    deps.log.error(
      {},
      'this session was declared dead by another replica: opening a new one; what was in work is taken over',
    );
    await store.openSession(config.restListener.sessionUri, now);
  }
  const released = await store.expireSessions(now - config.storage.sessionTtlMs);
  if (released > 0) {
    deps.log.warn({ released }, 'took over the transactions of a dead replica');
    onDue();
  }
}

/** In small batches, so that nobody waits for it. */
async function collect({ config, deps, store }: HousekeepingOptions, stop: AbortSignal): Promise<void> {
  const before = deps.clock.now() - config.storage.gcTtlMs;
  for (;;) {
    const { transactions, blobs } = await store.collectGarbage(before, COLLECT_AT_ONCE);
    if (transactions < COLLECT_AT_ONCE || stop.aborted) {
      if (transactions + blobs > 0) deps.log.debug({ transactions, blobs }, 'garbage collected');
      return;
    }
  }
}
