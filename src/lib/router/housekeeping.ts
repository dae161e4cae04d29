/** What a router does by itself, over and over: keeps its session alive, sweeps, and collects garbage. */
import type { RouterConfig } from '../config/router-config.ts';
import type { Deps } from '../core/deps.ts';
import type { Store } from '../store/store.ts';
import type { Session } from './session.ts';
import type { Workshop } from './workshop.ts';

const SWEEP_INTERVAL_MS = 1000;
const COLLECT_AT_ONCE = 500;

export interface HousekeepingOptions {
  readonly config: RouterConfig;
  readonly deps: Deps;
  readonly store: Store;
  readonly workshop: Workshop;
  readonly session: Session;
}

/** Runs until `stop` aborts. */
export async function keepHouse(options: HousekeepingOptions, stop: AbortSignal): Promise<void> {
  const { storage } = options.config;
  await Promise.all([
    options.session.keepAlive(stop),
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
