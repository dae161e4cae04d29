/** What a router does by itself, over and over: keeps its session alive, looks after its leases, sweeps, and collects garbage. */
import type { RouterConfig } from '../config/router-config.ts';
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Store } from '../store/store.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { Session } from './session.ts';
import type { Unpromised } from './unpromised.ts';
import type { Workshop } from './workshop.ts';

const SWEEP_INTERVAL_MS = 1000;
/** When a run of the garbage collector was over before the garbage, the next one comes soon. */
const COLLECT_AGAIN_MS = 1000;

export interface HousekeepingOptions {
  readonly config: RouterConfig;
  readonly deps: Deps;
  readonly store: Store;
  readonly workshop: Workshop;
  readonly session: Session;
  readonly leases: LeaseKeeper;
  readonly unpromised: Unpromised;
}

/** Runs until `stop` aborts. */
export async function keepHouse(options: HousekeepingOptions, stop: AbortSignal): Promise<void> {
  const { config, deps, workshop, leases, unpromised } = options;
  const every = (ms: number, what: string, task: () => Promise<unknown>): Promise<void> =>
    repeat(
      deps,
      stop,
      what,
      async () => {
        await task();
        return ms;
      },
      ms,
    );
  const { sessionRefreshIntervalMs, gcIntervalMs } = config.storage;
  await Promise.all([
    options.session.keepAlive(stop),
    every(SWEEP_INTERVAL_MS, 'sweep', async () => workshop.sweep(deps.clock.monotonicMs())),
    every(sessionRefreshIntervalMs, 'the search for cancelled transactions', () => leases.heedCancels()),
    every(limits.strayLeaseMs, 'the search for stray leases', () => leases.releaseStrays()),
    every(limits.lostClaimMs, 'the search for lost claims', () => leases.releaseLost()),
    every(limits.lostClaimMs, 'the cancelling of what was not promised', () => unpromised.cancel()),
    repeat(deps, stop, 'garbage collection', () => collect(options, stop), gcIntervalMs),
  ]);
}

/** A task answers after how long it is to be run again. */
async function repeat(
  { clock, log }: Deps,
  stop: AbortSignal,
  what: string,
  task: () => Promise<number>,
  everyMs: number,
): Promise<void> {
  for (let pauseMs = everyMs; !stop.aborted; ) {
    await clock.sleep(pauseMs, stop);
    if (stop.aborted) return;
    pauseMs = everyMs;
    try {
      pauseMs = await task();
    } catch (error) {
      log.error({ error }, `${what} failed, trying again`);
    }
  }
}

/**
 * In small batches, with a pause after each that is as long as the batch took, so that nobody waits for it for long; and not for ever, so
 * that it is seen to work. Answers when to go on.
 */
async function collect({ config, deps, store }: HousekeepingOptions, stop: AbortSignal): Promise<number> {
  const { clock, log } = deps;
  const before = clock.now() - config.storage.gcTtlMs;
  const startedAt = clock.monotonicMs();
  const total = { transactions: 0, blobs: 0 };
  let isMore = true;
  while (isMore && !stop.aborted && clock.monotonicMs() - startedAt < limits.gcRunMs) {
    const batchAt = clock.monotonicMs();
    const collected = await store.collectGarbage(before, limits.gcTransactions);
    total.transactions += collected.transactions;
    total.blobs += collected.blobs;
    isMore = collected.isMore;
    if (isMore) await clock.sleep(clock.monotonicMs() - batchAt, stop);
  }
  if (total.transactions + total.blobs > 0) log.debug({ ...total, isMore }, 'garbage collected');
  return isMore ? Math.min(COLLECT_AGAIN_MS, config.storage.gcIntervalMs) : config.storage.gcIntervalMs;
}
