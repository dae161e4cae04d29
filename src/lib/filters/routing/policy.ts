/** What a routing policy is: it says of one recipient whether it is ours to route, and where. The router filter does the rest. */
import type { z } from 'zod';
import type { ChainEnv, TxContext } from '../../chain/filter.ts';
import type { HostPort } from '../../core/envelope.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import type { Response } from '../../core/response.ts';

export type RoutingVerdict =
  /** To the policy's destination; `hosts` replace the destination's own. */
  | { readonly kind: 'route'; readonly hosts?: readonly HostPort[] }
  | { readonly kind: 'reject'; readonly response: Response }
  /** Not for this policy: the next router is asked. */
  | { readonly kind: 'pass' };

/** Asked once for each recipient nobody has routed before; `tx.signal` ends what it waits for. */
export type RoutingPolicy = (to: Mailbox, tx: TxContext) => RoutingVerdict | Promise<RoutingVerdict>;

export interface RoutingPolicyDefinition<C = unknown> {
  readonly name: string;
  readonly summary: string;
  /** The options beside `name` and `destination`. */
  readonly config: z.ZodType<C>;
  /**
   * It takes only recipients of domains it was told, never of any domain there is; absent: it may take everybody, and whoever can reach it
   * without proving who he is makes an open relay of the router.
   */
  readonly onlyListed?: (config: C) => boolean;
  /** `hasDestination`: a place is configured, if only the empty one of a dry run. */
  readonly create: (config: C, hasDestination: boolean, env: ChainEnv) => RoutingPolicy;
}

/** Gives a policy its types; the registry holds it with its configuration type erased. */
export function defineRoutingPolicy<C>(definition: RoutingPolicyDefinition<C>): RoutingPolicyDefinition {
  return definition as unknown as RoutingPolicyDefinition;
}
