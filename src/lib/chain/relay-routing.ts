/** What a `router` of a chain does with a recipient in somebody else's domain. */
import type { ChainStepConfig } from '../config/router-config.ts';
import type { RoutingPolicyDefinition } from '../filters/routing/policy.ts';

export type StrangerRouting =
  | { readonly kind: 'pass' }
  | { readonly kind: 'reject' }
  /** `endpoint`: name of the rest_endpoint, when there is one. */
  | { readonly kind: 'route'; readonly endpoint?: string; readonly isDryRun: boolean };

/** The options were checked before. A policy that does not say whom it knows may know everybody. */
export function routesStranger(
  { options }: ChainStepConfig,
  routingPolicies: readonly RoutingPolicyDefinition[],
): StrangerRouting {
  const policy = asMapping(options.policy);
  const isDryRun = options.dry_run === true;
  if (policy === undefined) {
    return options.destination === undefined ? { kind: 'reject' } : routed(options.destination, isDryRun);
  }
  const { name, destination, ...rest } = policy;
  const definition = routingPolicies.find((each) => each.name === name);
  const config = definition?.config.safeParse(rest);
  const isListed = config?.success === true && definition?.onlyListed?.(config.data) === true;
  // A policy without a destination rejects whom it knows.
  return isListed || destination === undefined ? { kind: 'pass' } : routed(destination, isDryRun);
}

function routed(destination: unknown, isDryRun: boolean): StrangerRouting {
  const endpoint = asMapping(destination)?.endpoint;
  return { kind: 'route', isDryRun, ...(typeof endpoint === 'string' && { endpoint }) };
}

function asMapping(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}
