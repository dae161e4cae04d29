/** How a plugin describes a routing policy: it says of a recipient whether it is ours to route, and where. */
import type { z } from 'zod';
import type { RoutingPolicy } from '../filters/routing/policy.ts';
import type { PluginEnv } from './plugin-env.ts';

/** `hasDestination`: a `destination` is written in the policy, if only the empty one of a dry run. */
export type RoutingPolicyEnv = PluginEnv & { readonly hasDestination: boolean };

export interface PluginRoutingPolicy<C = unknown> {
  /** What `policy: {name: …}` says in a `router` filter. */
  readonly name: string;
  /** One sentence for `koukan filters`. */
  readonly summary: string;
  /** The options beside `name` and `destination`, made with `z` of this package; none by default. */
  readonly config?: z.ZodType<C>;
  /**
   * It takes only recipients it was told of, a directory or a list, never the domain of whoever asks; otherwise a chain for strangers that
   * has it is refused as an open relay.
   */
  readonly onlyListed?: boolean;
  /** Called once for each `router` that names it; throws `ConfigError` for what is wrong with the options. */
  readonly create: (config: C, env: RoutingPolicyEnv) => RoutingPolicy;
}

/**
 * Gives a routing policy its types. It answers `{kind: 'route'}` (to the destination of the configuration, with `hosts` if they are to be
 * others), `{kind: 'reject', response}`, or `{kind: 'pass'}`, which leaves the recipient to the next `router` of the chain. It may answer
 * with a promise; `tx.signal` ends what it waits for.
 *
 * ```js
 * defineRoutingPolicy({
 *   name: 'in_directory',
 *   summary: 'Routes the people of the directory.',
 *   onlyListed: true,
 *   config: z.strictObject({ url: z.url() }),
 *   create: ({ url }) => async (to, tx) => {
 *     const found = await fetch(`${url}?mail=${encodeURIComponent(to.address)}`, { signal: tx.signal });
 *     return found.ok ? { kind: 'route' } : { kind: 'pass' };
 *   },
 * });
 * ```
 */
export function defineRoutingPolicy<C = Readonly<Record<string, never>>>(
  definition: PluginRoutingPolicy<C>,
): PluginRoutingPolicy {
  return definition as unknown as PluginRoutingPolicy;
}
