/** One running process of Koukan: a router, a gateway, or both joined by a call. Commands start it, signals stop it. */
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { registry as builtIn } from '../chain/registry.ts';
import type { StepRegistry } from '../chain/step-registry.ts';
import type { GatewayConfig } from '../config/gateway-config.ts';
import { listening } from '../config/listening.ts';
import type { LogConfig, RouterConfig } from '../config/router-config.ts';
import type { ConfigSource } from '../config/source.ts';
import type { Load } from '../core/admission.ts';
import type { Deps } from '../core/deps.ts';
import { Gateway } from '../gateway/gateway.ts';
import { HttpClient } from '../http/http-client.ts';
import { systemClock } from '../ops/clock.ts';
import { createDns } from '../ops/dns.ts';
import { tuneHeap } from '../ops/heap.ts';
import { LoadWatch } from '../ops/load-watch.ts';
import { createLog } from '../ops/log.ts';
import { createMetrics, type Metrics } from '../ops/metrics.ts';
import { systemRng } from '../ops/rng.ts';
import { ShortNaps } from '../ops/short-naps.ts';
import { Router } from '../router/router.ts';
import { Spool } from '../spool/spool.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { Hops } from './hops.ts';
import {
  refusals,
  restObservers,
  routerMeter,
  smtpMeter,
  storeMeter,
  watchAdmission,
  watchGateway,
  watchLog,
  watchNaps,
  watchRouter,
  watchSpool,
} from './metrics.ts';

export interface DaemonAsk {
  readonly router?: RouterConfig;
  /** What the router's chains are compiled from: with its plugins, when it has any. */
  readonly registry?: StepRegistry;
  readonly gateway?: GatewayConfig;
  /** `call`: a hop between the two halves in this process is a function call; `http`: it goes through their listeners. */
  readonly join: 'call' | 'http';
  readonly deps?: Deps;
}

export interface Daemon {
  readonly deps: Deps;
  /** Stops in order; `hurry` aborts what takes too long. */
  stop(hurry: AbortSignal): Promise<void>;
}

export function systemDeps(log: LogConfig): Deps {
  return { clock: systemClock, rng: systemRng, dns: createDns(), log: createLog(log) };
}

/** Starts what was asked for; rejects with a `UserError` when it cannot, with nothing left running. */
export async function startDaemon(ask: DaemonAsk): Promise<Daemon> {
  tuneHeap();
  const deps = ask.deps ?? systemDeps((ask.router ?? ask.gateway)?.log ?? { level: 'info', format: 'text' });
  const client = new HttpClient();
  const hops = new Hops(deps, client);
  const spool = new Spool(path.join(tmpdir(), `koukan-spool-${process.getuid?.() ?? 0}`), deps);
  await spool.prepare();
  const metrics = await createMetrics();
  watchSpool(metrics, spool);
  watchLog(metrics);
  const stores: Store[] = [];
  const admission = new LoadWatch({ ...deps, waiting: () => waitingIn(stores), onRefused: refusals(metrics) });
  watchAdmission(metrics, admission);
  const watching = new AbortController();
  const watch = Promise.all([admission.run(watching.signal), stayAwake(deps, metrics, watching.signal)]);
  const shared = { deps, hops, spool, metrics, admission, stores, observers: restObservers(metrics) };
  const parts: Part[] = [];
  const stop = async (hurry: AbortSignal): Promise<void> => {
    await Promise.all(parts.map((part) => part.quiesce(hurry)));
    const failures: unknown[] = [];
    // The router first: what it has in work goes out through the gateway. One that fails keeps the other from nothing.
    for (const part of parts) await part.stop(hurry).catch((error: unknown) => failures.push(error));
    await client.close(hurry);
    watching.abort();
    await watch;
    if (failures.length > 0) throw failures[0];
  };
  try {
    if (ask.router !== undefined) {
      const { registry = builtIn } = ask;
      parts.push(await startRouter(ask.router, ask.join, { ...shared, registry }));
    }
    if (ask.gateway !== undefined) parts.push(await startGateway(ask.gateway, ask.join, shared));
  } catch (error) {
    await stop(AbortSignal.abort());
    throw error;
  }
  return { deps, stop };
}

interface Shared {
  readonly deps: Deps;
  readonly hops: Hops;
  readonly spool: Spool;
  readonly metrics: Metrics;
  readonly admission: LoadWatch;
  /** Those that are open, for the admission. */
  readonly stores: Store[];
  readonly observers: ReturnType<typeof restObservers>;
}

interface Part {
  /** Begins nothing by itself any more, and takes no more from SMTP clients; all parts have done so before the first one stops. */
  quiesce(hurry: AbortSignal): Promise<void>;
  /** Ends what is left; nobody uses it any more afterwards. */
  stop(hurry: AbortSignal): Promise<void>;
}

async function startRouter(
  config: RouterConfig,
  join: DaemonAsk['join'],
  {
    deps,
    hops,
    spool,
    registry,
    metrics,
    admission,
    stores,
    observers,
  }: Shared & Pick<Required<DaemonAsk>, 'registry'>,
): Promise<Part> {
  const { url, autoMigrate } = config.storage;
  const store = await openStore({ url, clock: deps.clock, log: deps.log, autoMigrate, meter: storeMeter(metrics) });
  let router: Router;
  try {
    stores.push(store);
    const watched = { meter: routerMeter(metrics), admission, observers: observers('router') };
    router = new Router({ config, deps, registry, store, spool, hop: hops.resolve, ...watched });
    watchRouter(metrics, router, store, deps.clock);
  } catch (error) {
    await store.close();
    throw error;
  }
  if (join === 'call')
    hops.join({ listener: config.restListener, hop: () => router.hop, takes: (asked) => router.converses(asked) });
  return started(router, config.source);
}

async function startGateway(
  config: GatewayConfig,
  join: DaemonAsk['join'],
  { deps, hops, spool, metrics, admission, observers }: Shared,
): Promise<Part> {
  const gateway: Gateway = new Gateway({
    config,
    deps,
    spool,
    meter: smtpMeter(metrics),
    admission,
    observers: observers('gateway'),
    hopOf: ({ endpoint }) => {
      const output = config.restOutputs.get(endpoint);
      if (output === undefined) throw new Error(`rest_output ${endpoint} was checked at load`);
      const { verify, chunkSize, refreshIntervalMs, credentials } = output;
      return hops.find(output.endpoint, { verify, chunkSize, refreshIntervalMs, ...credentials });
    },
  });
  watchGateway(metrics, gateway);
  if (join === 'call') hops.join({ listener: config.restListener, hop: () => gateway.hop, takes: () => true });
  return started(gateway, config.source);
}

/** Where one processor is all there is, it is needed by whom we wait for. */
async function stayAwake({ clock }: Deps, metrics: Metrics, stop: AbortSignal): Promise<void> {
  if (availableParallelism() < 2) return;
  const naps = new ShortNaps({ clock });
  watchNaps(metrics, naps);
  await naps.run(stop);
}

function waitingIn(stores: readonly Store[]): Omit<Load, 'lateMs'> {
  const [store] = stores;
  return { waitingWrites: store?.stats.waiting ?? 0, waitingBytes: store?.stats.waitingBytes ?? 0 };
}

/** Starts a part; one that could only start in part is stopped again. */
async function started<P extends Part & { start(): Promise<void> }>(part: P, source: ConfigSource): Promise<P> {
  try {
    await listening(source, () => part.start());
    return part;
  } catch (error) {
    await part.quiesce(AbortSignal.abort());
    await part.stop(AbortSignal.abort());
    throw error;
  }
}
