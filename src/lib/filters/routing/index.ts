/** All routing policies, alphabetical: what `policy: {name: …}` of a router can name. */
import { addressList } from './address-list.ts';
import { destDomain } from './dest-domain.ts';
import type { RoutingPolicyDefinition } from './policy.ts';

export const routingPolicies: readonly RoutingPolicyDefinition[] = [addressList, destDomain];
