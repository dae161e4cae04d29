/** A gateway: SMTP in to REST out, REST in to SMTP out. The two directions are independent of each other. This file only wires. */
import { loadSecrets } from '../auth/secrets.ts';
import type { GatewayConfig, RestOutputConfig, SmtpServiceConfig } from '../config/gateway-config.ts';
import { listenAt } from '../config/listening.ts';
import { ConversationTable } from '../conversation/conversation-table.ts';
import type { Admission } from '../core/admission.ts';
import type { Deps } from '../core/deps.ts';
import type { Hop } from '../core/hop.ts';
import { limits } from '../core/limits.ts';
import type { SmtpMeter } from '../core/meters.ts';
import { guarded } from '../http/access.ts';
import { observed, type RestObservers } from '../http/observers.ts';
import { createRestServer, type RestServer } from '../http/server.ts';
import { createSmtpOutput } from '../outputs/smtp.ts';
import { type PoolStats, SmtpPool } from '../smtp/client/pool.ts';
import type { Spool } from '../spool/spool.ts';
import { createInbound, type Inbound } from './inbound.ts';
import { Outbound, type SmtpOutputs } from './outbound.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly deps: Deps;
  readonly spool: Spool;
  /** The next hop of an SMTP listener. */
  readonly hopOf: (service: SmtpServiceConfig) => Hop;
  readonly meter?: SmtpMeter;
  /** Whether this process takes new mail by SMTP; what goes out is taken always, because that is how a load ends. */
  readonly admission?: Admission;
  readonly observers?: RestObservers;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #pool: SmtpPool;
  readonly #conversations: ConversationTable;
  readonly #outbound: Outbound;
  #rest: RestServer | undefined;
  readonly #listeners: readonly Inbound[];
  readonly #stop = new AbortController();
  #sweep: Promise<void> = Promise.resolve();
  #isListening = false;
  #isDraining = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { config, deps, spool } = options;
    this.#pool = new SmtpPool({ deps });
    const outputs: SmtpOutputs = new Map(
      [...config.smtpOutputs].map(([tag, profile]) => [tag, createSmtpOutput(profile, this.#pool, deps)]),
    );
    this.#conversations = new ConversationTable({
      deps,
      doneTtlMs: config.restListener.gcDoneTtlMs,
      makeSpool: () => spool.writer({ maxBytes: limits.messageBytes }),
    });
    this.#outbound = new Outbound({ config, deps, outputs, conversations: this.#conversations });
    this.#listeners = config.services.map((service) => {
      const secrets = service.authSecrets === undefined ? undefined : loadSecrets(service.authSecrets);
      return createInbound({
        config: withinTimesOf(service, config.restOutputs.get(service.endpoint)),
        hop: options.hopOf(service),
        deps,
        spool,
        ...(options.meter && { meter: options.meter }),
        ...(options.admission && { admission: options.admission }),
        ...(secrets && { authenticate: (user, secret) => secrets.verify(user, secret) }),
      });
    });
  }

  /** The way out as a next hop by a call, for a router in the same process. */
  get hop(): Hop {
    return this.#outbound.hop;
  }

  /** What keeps this gateway from being ready for work, in words for a supervisor. */
  get missing(): readonly string[] {
    return [...(this.#isListening ? [] : ['smtp']), ...(this.#isDraining ? ['draining'] : [])];
  }

  /** How much is in work, for metrics. */
  get load(): { readonly conversations: number; readonly connections: PoolStats } {
    return { conversations: this.#conversations.size, connections: this.#pool.stats };
  }

  async start(): Promise<void> {
    const { config, deps } = this.#options;
    const rest = await createRestServer({
      service: this.#outbound,
      log: deps.log,
      clock: deps.clock,
      ...config.restListener,
      ...guarded(config.restListener, deps),
      maxInflight: config.global.maxInflight,
      ...observed(this.#options.observers, () => this.missing),
    });
    this.#rest = rest;
    await listenAt(['rest_listener', 'addr'], config.restListener.addr, () => rest.listen(config.restListener.addr));
    for (const [i, listener] of this.#listeners.entries()) {
      const { addr } = config.services[i] as SmtpServiceConfig;
      await listenAt(['smtp_listener', 'services', i, 'addr'], addr, () => listener.listen());
    }
    this.#isListening = true;
    this.#sweep = this.#conversations.sweep(this.#stop.signal);
    deps.log.info({ rest: config.restListener.addr, smtp: config.services.map(({ addr }) => addr) }, 'gateway ready');
  }

  /** Takes no more mail by SMTP; lets sessions finish their transaction until `hurry` aborts. */
  async quiesce(hurry: AbortSignal): Promise<void> {
    this.#isDraining = true;
    await Promise.all(this.#listeners.map((listener) => listener.close(hurry)));
  }

  /**
   * Lets REST transactions finish until `hurry` aborts, then closes the connections it keeps. REST answers until the end: a router that does
   * not hear what became of its message sends it again.
   */
  async stop(hurry: AbortSignal): Promise<void> {
    await this.#conversations.drain(hurry);
    this.#stop.abort();
    await this.#sweep;
    await this.#rest?.close(hurry);
    await this.#conversations.close();
    await this.#pool.close(hurry);
  }
}

/** A router may be given less time than the listener's clients are. */
function withinTimesOf(service: SmtpServiceConfig, output: RestOutputConfig | undefined): SmtpServiceConfig {
  return {
    ...service,
    rcptTimeoutMs: Math.min(service.rcptTimeoutMs, output?.rcptTimeoutMs ?? Number.POSITIVE_INFINITY),
    dataTimeoutMs: Math.min(service.dataTimeoutMs, output?.dataTimeoutMs ?? Number.POSITIVE_INFINITY),
  };
}
