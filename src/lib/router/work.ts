/** A transaction a router has in work: its live state, its chain, and whether retry and bounce are our duty yet. */
import type { CompiledChain } from '../chain/compile.ts';
import type { OutputHandlerConfig, SenderConfig } from '../config/router-config.ts';
import { added } from '../core/added.ts';
import type { Body } from '../core/body.ts';
import { CONVERSATION } from '../core/conversation-signals.ts';
import type { HostPort, Origin } from '../core/envelope.ts';
import { shareOf } from '../core/fair-shares.ts';
import { limits } from '../core/limits.ts';
import { LiveTransaction } from '../core/live.ts';
import { domainOf } from '../core/mailbox.ts';
import { Stop } from '../core/stop.ts';
import { type FilterOutput, NEW_TX, type TxState } from '../core/transaction.ts';
import type { UncertainPolicy } from '../core/uncertainty.ts';
import type { BlobView } from '../http/service.ts';
import type { AttemptRecord, TxRecord } from '../store/store.ts';
import type { StopReason, WorkEnd } from './attempt.ts';
import { type Party, partyOf } from './places.ts';
import type { Report } from './report.ts';

/** A sender with its compiled chain: where a transaction of that sender goes. */
export interface Route {
  readonly sender: SenderConfig;
  readonly chain: CompiledChain;
  readonly handler: OutputHandlerConfig;
}

export interface WorkFacts {
  readonly id: string;
  readonly route: Route;
  readonly origin: Origin;
  readonly createdAt: number;
  readonly parentId?: string;
  /** Whom its place counts for, where that is not its own sender: the one that the conversation it came out of belongs to. */
  readonly party?: Party;
  readonly messageBuilder?: unknown;
  /** What an earlier chain has found out so far, in the form that is kept. */
  readonly inherited?: () => FilterOutput;
}

/** A record while it is made: what is not known has no key. */
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Nothing is under way. */
export const SETTLED: Promise<void> = Promise.resolve();

const NOTHING_HELD: readonly (() => void)[] = [];

export class Work {
  readonly facts: WorkFacts;
  readonly live: LiveTransaction;
  /** Attempts that have ended. */
  readonly pastAttempts: readonly AttemptRecord[];
  /** Ends the running attempt from outside; the reason says why. */
  readonly stop = new Stop<StopReason>();
  /** Whom its place counts for. */
  readonly party: Party;
  attemptStartedAt = 0;
  /** When the running attempt was about to hand the end of the message to the far end. */
  dotSentAt: number | undefined;
  /** That is in the store. */
  isDotMarked = false;
  /** Its place in the delivery journal, when it had one. */
  dotNumber: number | undefined;
  /** The hosts that the running attempt has offered the message to, in order. */
  #hosts: readonly HostPort[] = [];
  /** There is a row in the store, leased to us. */
  isDurable: boolean;
  /** No attempt was started: it waits to be adopted, and is then the store's. */
  isParked = false;
  isAdopting = false;
  /** Its conversation ended while it was being adopted: if that fails, nobody else ends it. */
  isAbandoned = false;
  /** Settles when an adoption that is under way has been committed, or has failed. */
  adopting: Promise<void> = SETTLED;
  /** The running attempt; settles when what it led to is recorded. */
  running: Promise<void> = SETTLED;
  /** The attempt is over; a child that is not adopted waits for its conversation to say what becomes of it. */
  hasEnded = false;
  /** How it ended. */
  end: WorkEnd | undefined;
  /** The far end has taken the message and will not say so to its sender: we do. Stored by itself, or with the outcome. */
  success: { readonly report: Report; readonly isStored: boolean } | undefined;
  /** Settles when a report of success that is stored by itself is stored. */
  reporting: Promise<void> = SETTLED;
  /** By the monotonic clock. */
  lastHeardAt: number;
  /** What a REST client that waits for the outcome has read last. */
  shownVersion: number | undefined;
  /** The declared blobs of a transaction that came by REST, for its client to see. */
  blobs: readonly BlobView[] = [];
  #blobBytes: Map<string, number> | undefined;
  #releases: readonly (() => void)[] = NOTHING_HELD;

  constructor(facts: WorkFacts, init: WorkInit) {
    this.facts = facts;
    this.live = new LiveTransaction(facts.id, { ...NEW_TX, ...init.state }, init.version);
    this.pastAttempts = init.pastAttempts;
    this.isDurable = init.isDurable;
    this.party = facts.party ?? partyOf(shareOf(facts.route.sender), destinationOf(init.state));
    this.lastHeardAt = init.now;
  }

  /** It has ended and who waits for the outcome knows it, or nobody waits. */
  get isSeen(): boolean {
    return this.hasEnded && (this.shownVersion === undefined || this.shownVersion === this.live.version);
  }

  /** What becomes of it when nobody knows whether it was delivered. */
  get whenUncertain(): UncertainPolicy {
    return this.facts.route.sender.uncertain ?? 'retry';
  }

  get attemptNumber(): number {
    return this.pastAttempts.length + 1;
  }

  /** Keeps the bytes of the message while this transaction is in work. */
  hold(body: Body): void {
    this.#releases = added(this.#releases, body.retain());
  }

  /** The message is there: the running attempt may go on with DATA, unless it is over. */
  attach(body: Body | undefined): void {
    const { state } = this.live;
    const isOver = this.hasEnded || state.final !== undefined || state.cancelled;
    if (body === undefined || isOver || state.body !== undefined) return;
    this.hold(body);
    this.live.apply({ type: 'body', body });
  }

  /** Bytes of each of them that this replica has seen stored. */
  get blobBytes(): Map<string, number> {
    this.#blobBytes ??= new Map();
    return this.#blobBytes;
  }

  declareBlobs(blobs: readonly BlobView[]): void {
    this.blobs = blobs;
  }

  /** The last byte of a blob is stored. */
  finalizeBlob(name: string): void {
    this.blobs = this.blobs.map((blob) => (blob.name === name ? { ...blob, finalized: true } : blob));
    this.touch();
  }

  /** Shows that something happened; once the attempt is over, the version of what it led to is decided already. */
  touch(): void {
    if (!this.hasEnded) this.live.apply({ type: 'touch' });
  }

  release(): void {
    for (const release of this.#releases) release();
    this.#releases = NOTHING_HELD;
  }

  /** The running attempt offers the message to this host. */
  offered(host: HostPort): void {
    if (this.#hosts.length < limits.resolvedHosts) this.#hosts = added(this.#hosts, host);
  }

  get hosts(): readonly HostPort[] {
    return this.#hosts;
  }

  /** The attempt under way, or just ended. */
  attemptRecord(endedAt?: number, isDelayReported = false): AttemptRecord {
    const { replies } = this.live.state;
    const record: Mutable<AttemptRecord> = { number: this.attemptNumber, startedAt: this.attemptStartedAt, replies };
    if (endedAt !== undefined) record.endedAt = endedAt;
    if (isDelayReported) record.isDelayReported = true;
    if (this.#hosts.length > 0) record.hosts = this.#hosts;
    if (this.dotSentAt !== undefined) record.dotSentAt = this.dotSentAt;
    return record;
  }

  /** Keeps what an earlier chain has found out; once the message is there, nothing more will come. */
  inherit(): void {
    const found = this.facts.inherited?.() ?? {};
    if (Object.keys(found).length === 0) return;
    this.live.apply({ type: 'signal', filter: CONVERSATION, value: found });
  }

  /** The transaction as it is first written. */
  record(): TxRecord {
    const { id, route, origin, createdAt, parentId, messageBuilder } = this.facts;
    const { mailFrom, rcptTo, retry, notification, filterOutput } = this.live.state;
    const { name: sender, tag } = route.sender;
    const record: Mutable<TxRecord> = { id, sender, origin, rcptTo, retry, notification, createdAt, filterOutput };
    if (tag !== undefined) record.tag = tag;
    if (mailFrom !== undefined) record.mailFrom = mailFrom;
    if (parentId !== undefined) record.parentId = parentId;
    if (messageBuilder !== undefined) record.messageBuilder = messageBuilder;
    return record;
  }
}

export interface WorkInit {
  readonly state: Partial<TxState>;
  readonly version: number;
  readonly pastAttempts: readonly AttemptRecord[];
  readonly isDurable: boolean;
  /** Of the monotonic clock. */
  readonly now: number;
}

function destinationOf({ rcptTo }: Partial<TxState>): string | undefined {
  const first = rcptTo?.[0];
  return first === undefined ? undefined : domainOf(first.address);
}
