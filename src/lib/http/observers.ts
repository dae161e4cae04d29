/** Who watches a REST server from inside its process: metrics, and what a supervisor is told. */
import type { MetricsText, Readiness } from './health-routes.ts';
import type { RestHooks, RestServerOptions } from './server.ts';

export interface RestObservers {
  readonly hooks: RestHooks;
  readonly metrics: () => Promise<MetricsText>;
}

/** As options of the server; without observers it still says whether it is ready. */
export function observed(
  observers: RestObservers | undefined,
  readiness: Readiness,
): Pick<RestServerOptions, 'hooks' | 'health'> {
  if (observers === undefined) return { health: { readiness } };
  return { hooks: observers.hooks, health: { readiness, metrics: observers.metrics } };
}
