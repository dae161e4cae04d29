/**
 * The half of a router that does the work, whoever it came from: chains, attempts, the session under which messages are leased, and the
 * search for what is due. This file only wires.
 */
import { compileRouter } from '../chain/compile-router.ts';
import type { StepRegistry } from '../chain/step-registry.ts';
import type { RouterConfig } from '../config/router-config.ts';
import type { Admission } from '../core/admission.ts';
import type { Deps } from '../core/deps.ts';
import type { HopResolver } from '../core/hop.ts';
import type { RouterMeter } from '../core/meters.ts';
import type { Store } from '../store/store.ts';
import { Children } from './children.ts';
import { DotJournal } from './dot-journal.ts';
import { Doubts } from './doubts.ts';
import { Journal } from './journal.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { RouteTable } from './route-table.ts';
import { Schedule } from './schedule.ts';
import { Session } from './session.ts';
import { Unpromised } from './unpromised.ts';
import { Workshop } from './workshop.ts';

export interface WorkSideOptions {
  readonly config: RouterConfig;
  readonly deps: Deps;
  readonly registry: StepRegistry;
  readonly store: Store;
  readonly hop: HopResolver;
  readonly meter?: RouterMeter;
  readonly admission: Admission;
  /** Aborts when the router gives up waiting for a store that is away. */
  readonly abandon: AbortSignal;
}

export interface WorkSide {
  readonly routes: RouteTable;
  readonly journal: Journal;
  readonly session: Session;
  readonly workshop: Workshop;
  readonly schedule: Schedule;
  readonly leases: LeaseKeeper;
  readonly unpromised: Unpromised;
  /** Something may have fallen due. */
  readonly onDue: () => void;
}

export function makeWorkSide(options: WorkSideOptions): WorkSide {
  const { config, deps, store, abandon, meter, admission } = options;
  const { restIdEntropy, mailerDaemonMailbox, outputMaxInflight } = config.global;
  const notify = { mailerDaemonMailbox, restIdEntropy };
  const onDue = (): void => schedule.ring();
  const journal = new Journal({ deps, store, ...(meter && { meter }) });
  const unpromised = new Unpromised({ deps, store });
  const shared = { deps, store, journal, notify, onDue, unpromised };
  // Chains and the workshop lead to each other: a chain opens children, which are attempts, which run through chains.
  const children = new Children({ ...shared, admission, routes: () => routes, workshop: () => workshop });
  const { senders } = compileRouter(config, options.registry, { deps, hop: options.hop, children });
  const routes = new RouteTable(
    senders.map(({ config: sender, outputHandler, chain }) => ({ sender, chain, handler: outputHandler })),
  );
  const session = new Session({ config, deps, store, onReleased: onDue, onLost: () => workshop.disown() });
  const workshop = new Workshop({
    ...shared,
    dots: new DotJournal({ deps, store }),
    isLeaseCertain: () => session.isCertain(),
    abandon,
    maxInflight: outputMaxInflight,
    doneTtlMs: config.storage.cacheTtlMs,
    onSlotFreed: () => schedule.slotFreed(),
  });
  const doubts = new Doubts({ ...shared, abandon });
  const schedule = new Schedule({ ...shared, routes, workshop, doubts });
  const leases = new LeaseKeeper({ deps, store, workshop, schedule });
  return { routes, journal, session, workshop, schedule, leases, unpromised, onDue };
}
