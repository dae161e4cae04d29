/** A transaction as the code of a plugin sees it: the public part, with what it sets looked at before anybody else reads it. */
import type { TxContext } from '../chain/filter.ts';
import type { HostPort, SmtpMeta } from '../core/envelope.ts';
import { limits } from '../core/limits.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { Signals, type SignalType } from '../core/signal.ts';
import { checkedHosts, checkedRoute } from './checked-answer.ts';
import { inPlugin, type PluginPart } from './plugin-part.ts';

export class PluginTx implements TxContext {
  readonly #tx: TxContext;
  readonly id: string;
  readonly sender: TxContext['sender'];
  readonly remoteHost?: HostPort;
  readonly localHost?: HostPort;
  readonly smtpMeta?: SmtpMeta;
  readonly signals: Signals;
  readonly log: TxContext['log'];

  readonly #part: PluginPart;
  #signal: AbortSignal | undefined;

  /** `produces`: the signals that the part may set. */
  constructor(tx: TxContext, part: PluginPart, produces: readonly SignalType<never>[] = []) {
    const { id, sender, remoteHost, localHost, smtpMeta } = tx;
    this.#tx = tx;
    this.#part = part;
    this.id = id;
    this.sender = sender;
    if (remoteHost !== undefined) this.remoteHost = remoteHost;
    if (localHost !== undefined) this.localHost = localHost;
    if (smtpMeta !== undefined) this.smtpMeta = smtpMeta;
    this.signals = new PluginSignals(tx.signals, produces);
    this.log = tx.log.child({ plugin: part.plugin });
  }

  /** One of its own: a listener of the plugin that throws does so in the plugin's name. */
  get signal(): AbortSignal {
    this.#signal ??= followed(this.#tx.signal, this.#part);
    return this.#signal;
  }

  get mailFrom(): TxContext['mailFrom'] {
    return this.#tx.mailFrom;
  }

  get rcptTo(): TxContext['rcptTo'] {
    return this.#tx.rcptTo;
  }

  get rcptReplies(): TxContext['rcptReplies'] {
    return this.#tx.rcptReplies;
  }

  get route(): TxContext['route'] {
    return this.#tx.route;
  }

  set route(route: TxContext['route']) {
    this.#tx.route = route === undefined ? undefined : checkedRoute(route);
  }

  get routed(): TxContext['routed'] {
    return this.#tx.routed;
  }

  markRouted(to: Mailbox): void {
    this.#tx.markRouted(to);
  }

  get resolution(): TxContext['resolution'] {
    return this.#tx.resolution;
  }

  set resolution(hosts: TxContext['resolution']) {
    this.#tx.resolution = hosts === undefined ? undefined : checkedHosts(hosts);
  }

  get parsed(): TxContext['parsed'] {
    return this.#tx.parsed;
  }

  set parsed(parsed: TxContext['parsed']) {
    this.#tx.parsed = parsed;
  }
}

function followed(signal: AbortSignal, part: PluginPart): AbortSignal {
  const own = new AbortController();
  const end = (): void => inPlugin(part, () => own.abort(signal.reason));
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return own.signal;
}

/** What is set here goes over the wire and into the store: it has to be JSON, and not much of it. */
class PluginSignals extends Signals {
  readonly #signals: Signals;
  readonly #produces: readonly SignalType<never>[];

  constructor(signals: Signals, produces: readonly SignalType<never>[]) {
    super();
    this.#signals = signals;
    this.#produces = produces;
  }

  override get<T>(type: SignalType<T>): T | undefined {
    return this.#signals.get(type);
  }

  override set<T>(type: SignalType<T>, value: T): void {
    if (!this.#produces.includes(type)) throw new TypeError(`the signal ${type.name} is not named under 'produces'`);
    const text: string | undefined = JSON.stringify(type.toJson(value));
    if (text === undefined) throw new TypeError(`the signal ${type.name} has no JSON form`);
    if (Buffer.byteLength(text) > limits.pluginSignalBytes) {
      throw new TypeError(`the signal ${type.name} has more than ${limits.pluginSignalBytes} bytes`);
    }
    this.#signals.set(type, value);
  }

  override toJson(): Readonly<Record<string, unknown>> {
    return this.#signals.toJson();
  }
}
