/** Steps of older chains under their new names and keys (protocol §0.1). */
import { isMap, isSeq, type YAMLMap, type YAMLSeq } from 'yaml';
import { mapAt, mapsAt, type OlderDocument, take, textOf } from './older-document.ts';

/** Steps whose change is one of their chain or endpoint too: each chain needs its own. */
const OF_THEIR_CHAIN = new Set(['exploder', 'received_header', 'rest_output']);

/** Puts copies of such steps where there are aliases. */
export function separateSteps(doc: OlderDocument): void {
  for (const chain of chainsOf(doc)) {
    for (const [i, item] of chain.items.entries()) {
      const step = doc.resolved(item);
      if (step === item || !isMap(step) || !OF_THEIR_CHAIN.has(textOf(step, 'filter') ?? '')) continue;
      const copy = step.clone() as YAMLMap;
      delete copy.anchor;
      chain.items[i] = copy;
    }
  }
}

export function migrateSteps(doc: OlderDocument, hopLimit: number | undefined): void {
  for (const chain of chainsOf(doc)) {
    for (const step of chain.items.filter(isMap)) migrateStep(doc, chain, step, hopLimit);
  }
}

function chainsOf(doc: OlderDocument): readonly YAMLSeq[] {
  return mapsAt(doc.root, 'endpoint').flatMap((endpoint) => {
    const chain: unknown = endpoint.get('chain');
    return isSeq(chain) ? [chain] : [];
  });
}

function migrateStep(doc: OlderDocument, chain: YAMLSeq, step: YAMLMap, hopLimit: number | undefined): void {
  switch (textOf(step, 'filter')) {
    case 'dkim':
      step.set('filter', 'dkim_sign');
      doc.note(step, "the filter 'dkim' is called 'dkim_sign'");
      break;
    case 'relay_auth':
      migrateRelayAuth(doc, step);
      break;
    case 'received_header':
      migrateHopLimit(doc, chain, step, hopLimit);
      break;
    case 'add_route':
      migrateAddRoute(doc, step);
      break;
    case 'rest_output':
      migrateDiscovery(doc, chain, step);
      break;
    case 'router':
      for (const holder of [step, mapAt(step, 'policy')]) if (holder !== undefined) migrateDestination(doc, holder);
      break;
  }
}

function migrateRelayAuth(doc: OlderDocument, step: YAMLMap): void {
  const mayPass = take(step, 'smtp_auth') === true;
  step.set('filter', 'policy_action');
  step.set('tag', 'relay_auth');
  if (mayPass) step.set('match', doc.node({ not: { matcher: 'smtp_auth' } }));
  step.set('action', 'REJECT');
  step.set('code', 550);
  step.set('message', '5.7.1 not authorized');
  doc.note(
    step,
    `the filter 'relay_auth' became a policy that rejects ${mayPass ? 'who has not authenticated' : 'everybody'}`,
  );
}

/** Found out by one filter and judged by a policy, both before the header is added. */
function migrateHopLimit(doc: OlderDocument, chain: YAMLSeq, step: YAMLMap, byDefault: number | undefined): void {
  const max = take(step, 'max_received_headers') ?? byDefault;
  if (max === undefined) return;
  const at = chain.items.indexOf(step);
  const isValidated = chain.items
    .slice(0, at)
    .some((each) => isMap(each) && textOf(each, 'filter') === 'message_validation');
  const policy = {
    filter: 'policy_action',
    tag: 'loop',
    match: { matcher: 'message_validation', max_received_headers: max },
    action: 'REJECT',
    code: 550,
    message: '5.4.6 message has too many Received headers and is likely looping',
  };
  const added = [...(isValidated ? [] : [{ filter: 'message_validation' }]), policy];
  chain.items.splice(at, 0, ...added.map((each) => doc.node(each)));
  doc.note(step, `'max_received_headers', ${max} hops, became a policy over message_validation`);
}

function migrateAddRoute(doc: OlderDocument, step: YAMLMap): void {
  const target = take(step, 'output_chain');
  if (typeof target !== 'string' || step.has('sender')) return;
  step.set('sender', target);
  doc.note(step, `'output_chain' of add_route became 'sender: ${target}'`);
}

function migrateDiscovery(doc: OlderDocument, chain: YAMLSeq, step: YAMLMap): void {
  const discovery = take(step, 'remote_host_discovery');
  if (discovery === undefined || discovery === null || discovery === false) return;
  chain.items.splice(chain.items.indexOf(step), 0, doc.node({ filter: 'dns_resolution', suffix: '' }));
  doc.note(step, "'remote_host_discovery' became the filter 'dns_resolution' before the output");
}

/** A destination named its hop by URL and host; it is now the name of a `rest_endpoint`. */
function migrateDestination(doc: OlderDocument, holder: YAMLMap): void {
  const destination = mapAt(holder, 'destination');
  const url = destination === undefined ? undefined : textOf(destination, 'endpoint');
  if (destination === undefined || url === undefined || !url.includes('://') || !URL.canParse(url)) return;
  const host = take(destination, 'http_host');
  const name = typeof host === 'string' ? host : new URL(url).hostname;
  destination.set(
    'endpoint',
    endpointNamed(doc, name, url, { isParsed: mapAt(destination, 'options')?.has('receive_parsing') === true }),
  );
  doc.note(
    destination,
    `the destination ${url} became 'endpoint: ${name}' of rest_endpoint: see that its sender and tag are right`,
  );
}

function endpointNamed(doc: OlderDocument, name: string, url: string, { isParsed }: { isParsed: boolean }): string {
  const endpoint = createUrl(url, name);
  const known = mapsAt(doc.root, 'rest_endpoint').find((each) => textOf(each, 'endpoint') === endpoint);
  if (known !== undefined) return textOf(known, 'name') ?? name;
  // A gateway goes by the tag; applications, which are sent parsed messages, have none.
  doc.list(doc.root, 'rest_endpoint').add(doc.node({ name, endpoint, sender: name, ...(!isParsed && { tag: name }) }));
  return name;
}

/** The full URL of newer files for the base URL, which can be parsed, and the host of older ones. */
export function createUrl(base: string, sender: string): string {
  if (/\/senders\/[^/]+\/transactions\/?$/.test(base)) return base;
  return new URL(`/senders/${encodeURIComponent(sender)}/transactions`, base).href;
}
