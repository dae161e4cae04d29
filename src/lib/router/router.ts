/** A router: REST API, durable store, filter chains, retries, notifications. Starts and stops its two halves in order. */
import { setMaxListeners } from 'node:events';
import type { StepRegistry } from '../chain/step-registry.ts';
import { listenAt } from '../config/listening.ts';
import type { RouterConfig } from '../config/router-config.ts';
import { type Admission, alwaysOpen } from '../core/admission.ts';
import type { Deps } from '../core/deps.ts';
import type { Hop, HopResolver } from '../core/hop.ts';
import type { RouterMeter } from '../core/meters.ts';
import { guarded } from '../http/access.ts';
import { observed, type RestObservers } from '../http/observers.ts';
import { Opening } from '../http/opening.ts';
import type { QueueService } from '../http/queue-service.ts';
import { createRestServer, type RestServer } from '../http/server.ts';
import type { TransactionService } from '../http/service.ts';
import type { Spool } from '../spool/spool.ts';
import type { Store } from '../store/store.ts';
import { type ClientSide, makeClientSide } from './client-side.ts';
import { RouterClock, watchClock } from './clock-watch.ts';
import { keepHouse } from './housekeeping.ts';
import { makeWorkSide, type WorkSide } from './work-side.ts';

export interface RouterOptions {
  readonly config: RouterConfig;
  readonly deps: Deps;
  readonly registry: StepRegistry;
  /** Open and migrated; the router closes it. */
  readonly store: Store;
  readonly spool: Spool;
  readonly hop: HopResolver;
  readonly meter?: RouterMeter;
  /** Whether this process takes on anything new; default: always. */
  readonly admission?: Admission;
  readonly observers?: RestObservers;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #clock: RouterClock;
  readonly #work: WorkSide;
  readonly #clients: ClientSide;
  /** Ends the search for due work, and later the housekeeping: a session is kept alive as long as work is leased to it. */
  readonly #quiet = new AbortController();
  readonly #stop = new AbortController();
  /** Gives up waiting for a store that is away. */
  readonly #abandon = new AbortController();
  readonly #opening: Opening;
  #rest: RestServer | undefined;
  #claims: Promise<void> = Promise.resolve();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(given: RouterOptions) {
    this.#clock = new RouterClock(given.deps.clock);
    const options = { ...given, deps: { ...given.deps, clock: this.#clock } };
    this.#options = options;
    this.#opening = new Opening(this.#clock);
    // Everything that waits for a store that is away listens to it.
    setMaxListeners(0, this.#abandon.signal);
    const { admission = alwaysOpen } = options;
    this.#work = makeWorkSide({ ...options, admission, abandon: this.#abandon.signal });
    this.#clients = makeClientSide({ ...options, admission, isQuiet: () => this.#quiet.signal.aborted }, this.#work);
  }

  /** The router as a next hop by a call, for a gateway in the same process. */
  get hop(): Hop {
    return this.#clients.hop;
  }

  /** Whether a sender takes recipients one by one, as an SMTP conversation brings them; only those can be reached by a call. */
  converses({ sender, tag }: { readonly sender: string; readonly tag?: string | undefined }): boolean {
    const lookup = this.#work.routes.find(sender, tag);
    return lookup.kind === 'found' && lookup.route.chain.incremental;
  }

  /** What REST clients are served by. */
  get service(): TransactionService {
    return this.#clients.service;
  }

  /** What keeps this router from being ready for work, in words for a supervisor. */
  get missing(): readonly string[] {
    return [
      ...(this.#work.session.isTrusted ? [] : ['session']),
      ...(this.#options.store.stats.isFailing ? ['store'] : []),
      ...(this.#quiet.signal.aborted ? ['draining'] : []),
    ];
  }

  /** How much is in work, for metrics. */
  get load(): { readonly slots: { readonly limit: number; readonly used: number }; readonly conversations: number } {
    return { slots: this.#work.workshop.slots, conversations: this.#clients.conversations.size };
  }

  /** What operators are served by. */
  get queue(): QueueService {
    return this.#clients.queue;
  }

  /** Listens, opens the session, lets in who has come meanwhile, and starts to work off what is due. */
  async start(): Promise<void> {
    const { config, deps, store } = this.#options;
    const rest = await createRestServer({
      service: this.#clients.service,
      log: deps.log,
      clock: deps.clock,
      ...config.restListener,
      ...guarded(config.restListener, deps),
      queue: this.#clients.queue,
      ...observed(this.#options.observers, () => this.missing),
      maxInflight: config.global.restMaxInflight,
      ...(this.#options.admission && { admission: this.#options.admission }),
      opening: this.#opening,
    });
    this.#rest = rest;
    await listenAt(['rest_listener', 'addr'], config.restListener.addr, () => rest.listen(config.restListener.addr));
    await this.#work.session.open();
    this.#opening.open();
    const stop = this.#stop.signal;
    if (config.global.dequeue) this.#claims = this.#work.schedule.run(this.#quiet.signal);
    this.#loops = Promise.all([
      keepHouse({ config, deps, store, ...this.#work }, stop),
      this.#clients.conversations.sweep(stop),
      watchClock({ clock: this.#clock, log: deps.log, store, onDue: this.#work.onDue }, stop),
    ]);
    deps.log.info({ address: config.restListener.addr, senders: [...config.senders.keys()] }, 'router ready');
  }

  /** Looks for no more due work, and takes nothing new over REST; the first thing to do when the process is to end. */
  quiesce(): Promise<void> {
    this.#quiet.abort();
    return Promise.resolve();
  }

  /** Without a lease they would be due at once, and another life would not know. */
  async #forgetUnpromised(): Promise<void> {
    try {
      await this.#work.unpromised.cancel();
    } catch (error) {
      this.#options.deps.log.warn(
        { error },
        'what was refused, and may be stored all the same, could not be cancelled',
      );
    }
  }

  /**
   * Takes no more, lets what is in work finish until `hurry` aborts, releases the leases, closes the store. REST answers until the end: a
   * gateway that does not hear what became of its message has its client send it again.
   */
  async stop(hurry: AbortSignal): Promise<void> {
    const { store } = this.#options;
    await this.quiesce();
    await this.#clients.conversations.drain(hurry);
    await this.#clients.conversations.close();
    if (hurry.aborted) this.#abandon.abort();
    else hurry.addEventListener('abort', () => this.#abandon.abort(), { once: true });
    await this.#claims;
    await this.#work.workshop.drain(hurry);
    await this.#rest?.close(hurry);
    this.#stop.abort();
    await this.#loops;
    await this.#forgetUnpromised();
    try {
      await store.closeSession();
    } finally {
      await store.close();
    }
  }
}
