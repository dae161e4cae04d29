/**
 * `router`: decides where a recipient goes. Several stand in a chain; the first whose policy knows a recipient routes it, the later ones
 * let it pass. One without policy and destination ends the row: whoever comes so far does not exist.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { type ChainEnv, defineFilter, type Filter, type TxContext } from '../chain/filter.ts';
import { schemaMistakes } from '../config/schema-mistakes.ts';
import { ConfigError, type ConfigMistake } from '../config/source.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { nearestName } from '../core/nearest-name.ts';
import { type Response, reply } from '../core/response.ts';
import type { Route } from '../core/route.ts';
import { type Destination, destinationSchema, routeTo } from './routing/destination.ts';
import type { RoutingPolicy, RoutingVerdict } from './routing/policy.ts';

const config = z.strictObject({
  policy: z
    .looseObject({
      name: z.string().describe('Name of a routing policy; its options stand beside it.'),
      destination: destinationSchema
        .nullable()
        .optional()
        .describe('Where the recipients go that the policy knows; empty: they exist, and that is all.'),
    })
    .nullish()
    .describe('Which recipients: {name: dest_domain | address_list, …, destination: {…}}.'),
  destination: destinationSchema
    .nullable()
    .optional()
    .describe('Without a policy: where everybody goes who was not routed before; left out, nobody exists.'),
  dry_run: z.boolean().default(false).describe('Only find out whether the recipient exists, before an exploder.'),
});

type RouterConfig = z.output<typeof config>;

const nobody = reply(550, '5.1.1', 'mailbox does not exist');

/** RFC 5321 §4.5.3.1.10: a client that is told 452 sends the recipient in a transaction of its own. */
const otherRoute = reply(452, '4.5.3', 'this recipient has another route, send to it separately');

export const recipientRouter = defineFilter<RouterConfig>({
  name: 'router',
  summary: 'Decides where each recipient goes, or that it does not exist.',
  config,
  needs: (c, { restEndpoints }) => {
    const destination = c.policy ? c.policy.destination : c.destination;
    const options = { ...restEndpoints.get(destination?.endpoint ?? '')?.options, ...destination?.options };
    // A dry run only asks whether there is such a recipient.
    if (c.dry_run === true || !Object.hasOwn(options, 'receive_parsing')) return undefined;
    const path = [...(c.policy ? ['policy'] : []), 'destination'];
    return { step: 'message_parser', path, why: 'the next hop wants the message parsed (receive_parsing)' };
  },
  create: (c, env) => {
    const { policy, route } = compileRouter(c, env);
    /** What stands against the recipient; `undefined` when it may go on. */
    const refusalBy = (verdict: RoutingVerdict, tx: TxContext, to: Mailbox): Response | undefined => {
      if (verdict.kind === 'reject') return verdict.response;
      if (verdict.kind === 'pass') return undefined;
      const refusal = c.dry_run
        ? undefined
        : setRoute(tx, verdict.hosts === undefined ? route : { ...route, hosts: verdict.hosts });
      if (refusal === undefined) tx.markRouted(to);
      return refusal;
    };
    const filter: Filter = {
      rcpt(tx, to, next) {
        if (tx.routed.includes(to)) return next(to);
        const verdict = policy(to, tx);
        if (verdict instanceof Promise) return verdict.then((later) => refusalBy(later, tx, to) ?? next(to));
        const refusal = refusalBy(verdict, tx, to);
        return refusal === undefined ? next(to) : Promise.resolve(refusal);
      },
    };
    return () => filter;
  },
});

function setRoute(tx: TxContext, route: Route): Response | undefined {
  if (tx.route !== undefined && tx.route !== route && !isDeepStrictEqual(tx.route, route)) return otherRoute;
  tx.route ??= route;
  return undefined;
}

/** The policy and the route it leads to; all mistakes are found before any is reported. */
function compileRouter(c: RouterConfig, env: ChainEnv): { policy: RoutingPolicy; route: Route } {
  const mistakes: ConfigMistake[] = [];
  const destination: Destination | null | undefined = c.policy ? c.policy.destination : c.destination;
  const path = c.policy ? ['policy', 'destination'] : ['destination'];
  if (c.policy && c.destination !== undefined) {
    mistakes.push({ path: [], key: 'destination', message: `'destination' belongs into 'policy' here` });
  }
  const route = routeTo(destination ?? null, env.restEndpoints, path, mistakes);
  const policy = compilePolicy(c, env, destination !== undefined, mistakes);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return { policy, route };
}

function compilePolicy(
  c: RouterConfig,
  env: ChainEnv,
  hasDestination: boolean,
  mistakes: ConfigMistake[],
): RoutingPolicy {
  if (!c.policy) return () => (hasDestination ? { kind: 'route' } : { kind: 'reject', response: nobody });
  const { name, destination: _, ...options } = c.policy;
  const { routingPolicies } = env.vocabulary;
  const definition = routingPolicies.find((each) => each.name === name);
  if (definition === undefined) {
    const suggestion = nearestName(
      name,
      routingPolicies.map((each) => each.name),
    );
    const message = `unknown routing policy '${name}'`;
    mistakes.push({ path: ['policy', 'name'], message, ...(suggestion !== undefined && { suggestion }) });
    return () => ({ kind: 'pass' });
  }
  const parsed = definition.config.safeParse(options, { reportInput: true });
  const found = (list: readonly ConfigMistake[]): void => {
    mistakes.push(...list.map((mistake) => ({ ...mistake, path: ['policy', ...mistake.path] })));
  };
  try {
    if (parsed.success) return definition.create(parsed.data, hasDestination, env);
    found(schemaMistakes(definition.config, parsed.error.issues));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    found(error.mistakes);
  }
  return () => ({ kind: 'pass' });
}
