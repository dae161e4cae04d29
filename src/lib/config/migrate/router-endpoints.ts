/** Endpoints, senders and storage of older routers: what selects a chain, and who asks for retries and bounces (protocol §0.1). */
import { Scalar, type YAMLMap } from 'yaml';
import { mapAt, mapsAt, type OlderDocument, take, textOf } from './older-document.ts';

/** What older files said at the endpoint and newer ones say at the sender. */
interface EndpointFacts {
  readonly name: string;
  readonly retry: boolean;
  readonly notification: boolean;
  readonly upstream: string | undefined;
}

export function migrateEndpoints(doc: OlderDocument): void {
  const endpoints = mapsAt(doc.root, 'endpoint');
  const isOldest = isOldestForm(doc);
  migrateTimeout(doc, endpoints);
  // All of them before anything is changed: what stands at one endpoint may count for others, by aliases.
  const facts = endpoints.map((endpoint) => factsOf(doc, endpoint, isOldest));
  for (const endpoint of endpoints) migrateEndpoint(doc, endpoint, isOldest);
  if (isOldest) makeSenders(doc, facts);
  else tellSenders(doc, facts);
}

/** The oldest files have no senders: the name of the endpoint was what a client named. */
export function isOldestForm(doc: OlderDocument): boolean {
  return doc.root.get('sender') === undefined && mapsAt(doc.root, 'endpoint').length > 0;
}

function factsOf(doc: OlderDocument, endpoint: YAMLMap, isOldest: boolean): EndpointFacts {
  const handler = doc.read(endpoint, 'output_handler');
  const [params, notification] = ['retry_params', 'notification'].map((key) => handler && doc.read(handler, key));
  const asks = (section: YAMLMap | undefined): boolean => section !== undefined && (isOldest || section.has('mode'));
  const exploder = exploderOf(endpoint);
  return {
    name: textOf(endpoint, 'name') ?? '',
    retry: endpoint.has('retry_params') || asks(params),
    notification: asks(notification),
    upstream: exploder && textOf(exploder, 'output_chain'),
  };
}

function exploderOf(endpoint: YAMLMap): YAMLMap | undefined {
  return mapsAt(endpoint, 'chain').find((step) => textOf(step, 'filter') === 'exploder');
}

function migrateEndpoint(doc: OlderDocument, endpoint: YAMLMap, isOldest: boolean): void {
  if (take(endpoint, 'rest_lro') !== undefined) doc.note(endpoint, "'rest_lro' is gone: every endpoint works that way");
  migrateExploder(doc, endpoint, isOldest);
  const params = take(endpoint, 'retry_params');
  if (params !== undefined) {
    doc.section(endpoint, 'output_handler').set('retry_params', doc.node(params));
    doc.note(endpoint, "'retry_params' moved into 'output_handler'");
  }
  const handler = mapAt(endpoint, 'output_handler');
  if (handler !== undefined) migrateHandler(doc, handler);
}

function noteMode(doc: OlderDocument, endpoint: YAMLMap, hasExploder: boolean): void {
  const what = hasExploder
    ? "'sf_mode' became 'msa' of the exploder"
    : "'sf_mode' is gone, and this chain has no exploder to say 'msa' of: end it with 'filter: exploder' if SMTP clients use it";
  doc.note(endpoint, what);
}

function migrateExploder(doc: OlderDocument, endpoint: YAMLMap, isOldest: boolean): void {
  const exploder = exploderOf(endpoint);
  const mode = textOf(endpoint, 'sf_mode');
  if (take(endpoint, 'sf_mode') !== undefined) noteMode(doc, endpoint, exploder !== undefined);
  const msa = take(endpoint, 'msa') ?? (mode === undefined ? undefined : mode !== 'none');
  if (exploder !== undefined && msa === true && !exploder.has('msa')) {
    exploder.set('msa', true);
    doc.note(exploder, "'msa' of the endpoint became 'msa' of its exploder");
  }
  const upstream = exploder === undefined ? undefined : textOf(exploder, 'output_chain');
  if (exploder === undefined || upstream === undefined) return;
  exploder.delete('output_chain');
  const where = isOldest ? `became 'upstream_sender: ${upstream}' of the sender` : 'had no effect: the sender decides';
  doc.note(exploder, `'output_chain' of the exploder ${where}`);
}

function migrateHandler(doc: OlderDocument, handler: YAMLMap): void {
  const timeouts = [take(handler, 'downstream_env_timeout'), take(handler, 'downstream_data_timeout')].filter(
    (value) => typeof value === 'number',
  );
  if (timeouts.length > 0 && !handler.has('downstream_timeout')) {
    handler.set('downstream_timeout', Math.max(...timeouts));
    doc.note(
      handler,
      "'downstream_env_timeout' and 'downstream_data_timeout' became one 'downstream_timeout', the longer",
    );
  }
  const params = mapAt(handler, 'retry_params');
  if (params !== undefined && take(params, 'mode') !== undefined) {
    doc.note(params, "'mode' of retry_params became 'retry: output_chain' of the sender");
  }
  const notification = mapAt(handler, 'notification');
  if (notification === undefined) return;
  const hadMode = take(notification, 'mode') !== undefined;
  const host = take(notification, 'host');
  if (typeof host === 'string') {
    notification.set('sender', host);
    doc.note(notification, `'host' of notification became 'sender: ${host}'`);
  }
  if (hadMode) doc.note(notification, "'mode' of notification became 'notification: output_chain' of the sender");
}

function makeSenders(doc: OlderDocument, facts: readonly EndpointFacts[]): void {
  const senders = doc.list(doc.root, 'sender');
  for (const { name, retry, notification, upstream } of facts) {
    const sender = {
      name,
      output_chain: name,
      ...(upstream !== undefined && { upstream_sender: upstream }),
      ...(retry && { retry: 'output_chain' }),
      ...(notification && { notification: 'output_chain' }),
    };
    senders.add(doc.node(sender));
    doc.note(
      undefined,
      `a sender '${name}' was made for the endpoint of that name: clients POST to /senders/${name}/transactions`,
    );
  }
}

const ASKED = ['retry', 'notification'] as const;

function tellSenders(doc: OlderDocument, facts: readonly EndpointFacts[]): void {
  const factsBy = (holder: YAMLMap): EndpointFacts | undefined =>
    facts.find(({ name }) => name === textOf(holder, 'output_chain'));
  for (const sender of mapsAt(doc.root, 'sender')) {
    const told = ASKED.filter((key) => factsBy(sender)?.[key] === true && !sender.has(key));
    for (const key of told) sender.set(key, 'output_chain');
    for (const tag of mapsAt(sender, 'tag')) tellTag(tag, factsBy(tag), sender, told);
  }
}

/** A tag with a chain of its own did as that chain said; what it does not say now is the sender's. */
function tellTag(tag: YAMLMap, own: EndpointFacts | undefined, sender: YAMLMap, told: readonly string[]): void {
  if (own === undefined) return;
  for (const key of ASKED.filter((each) => !tag.has(each))) {
    if (own[key] && !sender.has(key)) tag.set(key, 'output_chain');
    if (!own[key] && told.includes(key)) tag.set(key, none());
  }
}

/** Written out: a key without a value, as `{retry}`, would read as if it were asked for. */
function none(): Scalar {
  const scalar = new Scalar(null);
  scalar.source = 'null';
  return scalar;
}

function migrateTimeout(doc: OlderDocument, endpoints: readonly YAMLMap[]): void {
  const global = mapAt(doc.root, 'global');
  const idle = global === undefined ? undefined : take(global, 'tx_idle_timeout');
  if (idle === undefined) return;
  for (const endpoint of endpoints) {
    const handler = doc.section(endpoint, 'output_handler');
    if (!handler.has('downstream_timeout')) handler.set('downstream_timeout', idle);
  }
  doc.note(global, "'tx_idle_timeout' became 'downstream_timeout' of every endpoint");
}

export function migrateStorage(doc: OlderDocument): void {
  const global = mapAt(doc.root, 'global');
  const interval = global === undefined ? undefined : take(global, 'gc_interval');
  if (interval !== undefined) {
    const storage = doc.section(doc.root, 'storage');
    if (!storage.has('gc_interval')) storage.set('gc_interval', interval);
    doc.note(global, "'gc_interval' moved to 'storage'");
  }
  const storage = mapAt(doc.root, 'storage');
  const file = storage === undefined ? undefined : take(storage, 'db_filename');
  if (storage !== undefined && typeof file === 'string') {
    if (!storage.has('url')) storage.set('url', `sqlite:///${file}`);
    doc.note(storage, "'db_filename' became 'url'");
  }
  const listener = mapAt(doc.root, 'rest_listener');
  for (const key of ['use_gunicorn', 'use_fastapi']) {
    if (listener !== undefined && take(listener, key) !== undefined) doc.note(listener, `'${key}' is gone`);
  }
}
