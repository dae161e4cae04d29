/** A router: REST API, durable store, filter chains, retries, notifications. This file only wires; each part knows its own step. */
import { compileRouter } from '../chain/compile-router.ts';
import type { StepRegistry } from '../chain/step-registry.ts';
import { listenAt } from '../config/listening.ts';
import type { RouterConfig } from '../config/router-config.ts';
import { ConversationTable } from '../conversation/conversation-table.ts';
import type { Deps } from '../core/deps.ts';
import type { Hop, HopResolver } from '../core/hop.ts';
import { limits } from '../core/limits.ts';
import type { RouterMeter } from '../core/meters.ts';
import { guarded } from '../http/access.ts';
import { observed, type RestObservers } from '../http/observers.ts';
import type { QueueService } from '../http/queue-service.ts';
import { createRestServer, type RestServer } from '../http/server.ts';
import type { TransactionService } from '../http/service.ts';
import type { Spool } from '../spool/spool.ts';
import type { Store } from '../store/store.ts';
import { Accept } from './accept.ts';
import { Children } from './children.ts';
import { keepHouse } from './housekeeping.ts';
import { Journal } from './journal.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { localRouterHop } from './local-hop.ts';
import { NativeTransactions } from './native.ts';
import { Queue } from './queue.ts';
import { RouteTable } from './route-table.ts';
import { Schedule } from './schedule.ts';
import { SenderGate } from './sender-gate.ts';
import { Session } from './session.ts';
import { Whereabouts } from './whereabouts.ts';
import { Workshop } from './workshop.ts';

export interface RouterOptions {
  readonly config: RouterConfig;
  readonly deps: Deps;
  readonly registry: StepRegistry;
  /** Open and migrated; the router closes it. */
  readonly store: Store;
  readonly spool: Spool;
  readonly hop: HopResolver;
  readonly meter?: RouterMeter;
  readonly observers?: RestObservers;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #routes: RouteTable;
  readonly #workshop: Workshop;
  readonly #session: Session;
  readonly #schedule: Schedule;
  readonly #leases: LeaseKeeper;
  readonly #conversations: ConversationTable;
  /** Ends the search for due work, and later the housekeeping: a session is kept alive as long as work is leased to it. */
  readonly #quiet = new AbortController();
  readonly #stop = new AbortController();
  /** Gives up waiting for a store that is away. */
  readonly #abandon = new AbortController();
  readonly #accept: Accept;
  readonly #queue: Queue;
  #rest: RestServer | undefined;
  /** The router as a next hop by a call, for a gateway in the same process. */
  readonly hop: Hop;
  #claims: Promise<void> = Promise.resolve();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: RouterOptions) {
    this.#options = options;
    const { config, deps, store, spool } = options;
    const { restIdEntropy, mailerDaemonMailbox, outputMaxInflight } = config.global;
    const notify = { mailerDaemonMailbox, restIdEntropy };
    const onDue = (): void => this.#schedule.ring();
    const journal = new Journal({ deps, store, ...(options.meter && { meter: options.meter }) });
    const children = new Children({
      deps,
      store,
      journal,
      notify,
      routes: () => this.#routes,
      workshop: () => this.#workshop,
      onDue,
    });
    const { senders } = compileRouter(config, options.registry, { deps, hop: options.hop, children });
    this.#routes = new RouteTable(
      senders.map(({ config: sender, outputHandler, chain }) => ({ sender, chain, handler: outputHandler })),
    );
    const doneTtlMs = config.storage.cacheTtlMs;
    const abandon = this.#abandon.signal;
    this.#session = new Session({ config, deps, store, onReleased: onDue, onLost: () => this.#workshop.disown() });
    this.#workshop = new Workshop({
      isLeaseCertain: () => this.#session.isCertain(),
      store,
      deps,
      journal,
      notify,
      abandon,
      maxInflight: outputMaxInflight,
      doneTtlMs,
      onDue,
      onSlotFreed: () => this.#schedule.slotFreed(),
    });
    this.#schedule = new Schedule({ deps, store, routes: this.#routes, workshop: this.#workshop });
    this.#leases = new LeaseKeeper({ deps, store, workshop: this.#workshop, schedule: this.#schedule });
    this.#conversations = new ConversationTable({
      deps,
      doneTtlMs,
      makeSpool: () => spool.writer({ maxBytes: limits.messageBytes }),
    });
    const { chunkSize } = config.restListener;
    const senderGate = new SenderGate((sender) => config.senders.get(sender)?.maxInflight);
    const native = new NativeTransactions({
      deps,
      store,
      journal,
      workshop: this.#workshop,
      restIdEntropy,
      chunkSize,
      senderGate,
      whereabouts: new Whereabouts({ store, session: this.#session }),
      onDue,
    });
    const accept = new Accept({
      deps,
      journal,
      routes: this.#routes,
      conversations: this.#conversations,
      native,
      sessionId: () => store.sessionId,
      restIdEntropy,
      senderGate,
    });
    this.#queue = new Queue({ deps, store, workshop: this.#workshop, routes: this.#routes, onDue });
    this.hop = localRouterHop(accept, this.#routes, this.#conversations);
    this.#accept = accept;
  }

  /** Whether a sender takes recipients one by one, as an SMTP conversation brings them; only those can be reached by a call. */
  converses({ sender, tag }: { readonly sender: string; readonly tag?: string }): boolean {
    const lookup = this.#routes.find(sender, tag);
    return lookup.kind === 'found' && lookup.route.chain.incremental;
  }

  /** What REST clients are served by. */
  get service(): TransactionService {
    return this.#accept;
  }

  /** What keeps this router from being ready for work, in words for a supervisor. */
  get missing(): readonly string[] {
    return [
      ...(this.#session.isTrusted ? [] : ['session']),
      ...(this.#options.store.stats.isFailing ? ['store'] : []),
      ...(this.#quiet.signal.aborted ? ['draining'] : []),
    ];
  }

  /** How much is in work, for metrics. */
  get load(): { readonly slots: { readonly limit: number; readonly used: number }; readonly conversations: number } {
    return { slots: this.#workshop.slots, conversations: this.#conversations.size };
  }

  /** What operators are served by. */
  get queue(): QueueService {
    return this.#queue;
  }

  /** Opens the session, listens, and starts to work off what is due. */
  async start(): Promise<void> {
    const { config, deps, store } = this.#options;
    const rest = await createRestServer({
      service: this.#accept,
      log: deps.log,
      ...config.restListener,
      ...guarded(config.restListener, deps),
      queue: this.#queue,
      ...observed(this.#options.observers, () => this.missing),
      maxInflight: config.global.restMaxInflight,
    });
    this.#rest = rest;
    await listenAt(['rest_listener', 'addr'], config.restListener.addr, () => rest.listen(config.restListener.addr));
    await this.#session.open();
    const stop = this.#stop.signal;
    if (config.global.dequeue) this.#claims = this.#schedule.run(this.#quiet.signal);
    this.#loops = Promise.all([
      keepHouse({ config, deps, store, workshop: this.#workshop, session: this.#session, leases: this.#leases }, stop),
      this.#conversations.sweep(stop),
    ]);
    deps.log.info({ address: config.restListener.addr, senders: [...config.senders.keys()] }, 'router ready');
  }

  /** Looks for no more due work; the first thing to do when the process is to end. */
  quiesce(): Promise<void> {
    this.#quiet.abort();
    return Promise.resolve();
  }

  /**
   * Takes no more, lets what is in work finish until `hurry` aborts, releases the leases, closes the store. REST answers until the end: a
   * gateway that does not hear what became of its message has its client send it again.
   */
  async stop(hurry: AbortSignal): Promise<void> {
    const { store } = this.#options;
    await this.quiesce();
    await this.#conversations.drain(hurry);
    await this.#conversations.close();
    if (hurry.aborted) this.#abandon.abort();
    else hurry.addEventListener('abort', () => this.#abandon.abort(), { once: true });
    await this.#claims;
    await this.#workshop.drain(hurry);
    await this.#rest?.close(hurry);
    this.#stop.abort();
    await this.#loops;
    await store.closeSession();
    await store.close();
  }
}
