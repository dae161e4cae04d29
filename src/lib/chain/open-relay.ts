/**
 * Finds open relays when a configuration is loaded: an SMTP port through which anybody can send to anybody. From each sender that faces SMTP
 * it follows the way of a stranger's message, recipients and copies included, through the chains: a policy that certainly rejects him ends
 * it, so does a router that does not know his recipient; when it comes to an output with a route, that is an open relay.
 */
import type { GatewayConfig } from '../config/gateway-config.ts';
import { type PlacedMistake, placeMistakes } from '../config/invalid-config.ts';
import { isOwnUrl, senderInUrl } from '../config/own-url.ts';
import { isLoopback } from '../config/rest-access.ts';
import type { ChainStepConfig, RouterConfig, SenderConfig, SenderFamily } from '../config/router-config.ts';
import type { ConfigPath } from '../config/source.ts';
import { readPolicy } from './relay-policy.ts';
import { routesStranger } from './relay-routing.ts';
import type { StepRegistry } from './step-registry.ts';
import type { EarlierPolicy, StrangerFacts } from './stranger.ts';

interface Walk {
  readonly router: RouterConfig;
  readonly registry: StepRegistry;
  /** Senders on the way, so that none is followed twice. */
  readonly seen: Set<string>;
}

/** With the gateway known, its ports say who faces SMTP; without, every sender whose chain takes recipients one by one may. */
export function openRelays(
  router: RouterConfig,
  gateway: GatewayConfig | undefined,
  registry: StepRegistry,
): readonly PlacedMistake[] {
  const facing = (gateway && publicSenders(router, gateway)) ?? explodingSenders(router, registry);
  const found = facing
    .filter(({ name }) => router.senders.get(name)?.openRelay !== true)
    .flatMap((sender) => {
      const at = relayAt(
        sender,
        { isAuthenticated: false, hasOtherAddress: false },
        { router, registry, seen: new Set() },
      );
      return at === undefined ? [] : [{ sender, at }];
    });
  const places = new Map<string, { readonly at: ConfigPath; readonly senders: SenderConfig[] }>();
  for (const { at, sender } of found) {
    const place = places.get(at.join('.')) ?? { at, senders: [] };
    places.set(at.join('.'), { at, senders: [...place.senders, sender] });
  }
  const mistakes = [...places.values()].map(({ at, senders }) => ({
    path: at,
    key: 'filter',
    message: relayMessage(senders),
  }));
  return placeMistakes(router.source, mistakes);
}

function relayMessage(senders: readonly SenderConfig[]): string {
  const names = senders.map(({ name, tag }) => (tag === undefined ? `'${name}'` : `'${name}' with tag '${tag}'`));
  return (
    `an open relay: over the SMTP sender ${[...new Set(names)].join(', ')} anybody can send to any address through this step. Before it, ` +
    'reject who has not authenticated ({filter: policy_action, tag: relay, match: {not: {matcher: smtp_auth}}, action: REJECT}) or who is not ' +
    "in one of your networks (matcher: network_address), or route the domains that are yours and end with a 'router' that knows nobody; " +
    "'open_relay: true' at the sender allows it"
  );
}

/** The senders of ports that other machines can reach; `undefined` when the gateway does not lead to this router. */
function publicSenders(router: RouterConfig, gateway: GatewayConfig): SenderConfig[] | undefined {
  const ours = gateway.services.flatMap((service) => {
    const url = gateway.restOutputs.get(service.endpoint)?.endpoint;
    return url !== undefined && isOwnUrl(url, router.restListener) ? [{ service, sender: senderInUrl(url) ?? '' }] : [];
  });
  if (ours.length === 0) return undefined;
  return ours
    .filter(({ service }) => !isLoopback(service.addr.host) || service.proxyProtocolTimeoutMs !== undefined)
    .flatMap(({ service, sender }) => senderOf(router, sender, service.tag) ?? []);
}

function explodingSenders(router: RouterConfig, registry: StepRegistry): SenderConfig[] {
  return [...router.senders.values()].flatMap(allOf).filter(({ outputChain }) => {
    const last = router.chains.get(outputChain)?.steps.at(-1);
    const output = last && registry.stepNamed(last.filter);
    return output?.kind === 'output' && output.incremental;
  });
}

function allOf({ untagged, tags }: SenderFamily): SenderConfig[] {
  return [untagged, ...tags.values()];
}

function senderOf(router: RouterConfig, name: string, tag: string | undefined): SenderConfig | undefined {
  const family = router.senders.get(name);
  return tag === undefined ? family?.untagged : family?.tags.get(tag);
}

/** The place of the step that lets a stranger's message out, if any does. */
function relayAt(sender: SenderConfig, outer: StrangerFacts, walk: Walk): ConfigPath | undefined {
  const facts = {
    isAuthenticated: sender.smtpMeta?.auth ?? outer.isAuthenticated,
    hasOtherAddress: outer.hasOtherAddress || sender.remoteHost !== undefined,
  };
  const key = JSON.stringify([sender.name, sender.tag, facts]);
  const chain = walk.router.chains.get(sender.outputChain);
  if (walk.seen.has(key) || chain === undefined) return undefined;
  walk.seen.add(key);
  const policies: EarlierPolicy[] = [];
  let way: Way = { kind: 'open' };
  for (const step of chain.steps) {
    const definition = walk.registry.stepNamed(step.filter);
    if (definition === undefined) return undefined;
    if (definition.kind === 'output') {
      if (!definition.incremental) return outputRelay(step, way, facts, walk);
      return follow(sender.upstreamSender, sender.upstreamTag, facts, walk);
    }
    if (definition.name === 'relay_auth' && !facts.isAuthenticated) return undefined;
    if (definition.name === 'policy_action') {
      const policy = readPolicy(step, facts, policies, walk.registry.vocabulary.matchers);
      if (policy.rejects) return undefined;
      policies.push(policy);
    }
    if (definition.name === 'router') {
      const routed: Way | 'rejected' = way.kind === 'open' ? routedBy(step, walk) : way;
      if (routed === 'rejected') return undefined;
      way = routed;
    }
    const copy = definition.leadsTo?.(definition.config.parse(step.options));
    const ofCopy = copy && follow(copy.sender, copy.tag, facts, walk);
    if (ofCopy !== undefined) return ofCopy;
  }
  return undefined;
}

/** `known`: a dry run found the recipient to exist, and nothing more. */
type Way =
  | { readonly kind: 'open' | 'known' }
  | { readonly kind: 'routed'; readonly at: ConfigPath; readonly endpoint?: string };

function routedBy(step: ChainStepConfig, { registry }: Walk): Way | 'rejected' {
  const verdict = routesStranger(step, registry.vocabulary.routingPolicies);
  if (verdict.kind === 'reject') return 'rejected';
  if (verdict.kind === 'pass') return { kind: 'open' };
  if (verdict.isDryRun) return { kind: 'known' };
  return { kind: 'routed', at: step.path, ...(verdict.endpoint !== undefined && { endpoint: verdict.endpoint }) };
}

/** An output lets out what has a route; when that leads back into this router, the message goes on there. */
function outputRelay(step: ChainStepConfig, way: Way, facts: StrangerFacts, walk: Walk): ConfigPath | undefined {
  const { router } = walk;
  const named =
    way.kind === 'routed' && way.endpoint !== undefined ? router.restEndpoints.get(way.endpoint) : undefined;
  const fixed = step.options.static_endpoint;
  const url = named?.endpoint ?? (typeof fixed === 'string' ? fixed : undefined);
  if (way.kind !== 'routed' && url === undefined) return undefined;
  if (url !== undefined && isOwnUrl(url, router.restListener)) {
    return follow(senderInUrl(url) ?? '', named?.tag, facts, walk);
  }
  return way.kind === 'routed' ? way.at : step.path;
}

function follow(name: string, tag: string | undefined, facts: StrangerFacts, walk: Walk): ConfigPath | undefined {
  const sender = senderOf(walk.router, name, tag);
  return sender && relayAt(sender, facts, walk);
}
