/** The store: plans what is asked as plain operations, has them committed in groups, and turns refusals into the errors of the contract. */
import type { Body } from '../core/body.ts';
import type { Clock, Log } from '../core/deps.ts';
import { LeaseLostError, must } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { StoreMeter } from '../core/meters.ts';
import type { BatchResult } from './batch.ts';
import type { BodyFiles } from './body-files.ts';
import { storableChunks } from './chunking.ts';
import type { Engine } from './engine.ts';
import { GroupCommit } from './group-commit.ts';
import { History } from './history.ts';
import type { ListAsk, ListPage, QueueDepth } from './list.ts';
import { OrphanFiles } from './orphan-files.ts';
import { planAtOnce, planCreate } from './plan.ts';
import { attemptRow, blobStatus, filterOutputText, hostsText, nextColumns, repliesText } from './rows.ts';
import type { CreateResult } from './sql/create-transactions.ts';
import type { Operation } from './sql/index.ts';
import type { MakeDueResult } from './sql/make-due.ts';
import type { DotRow } from './sql/mark-dot-sent.ts';
import {
  type AppendResult,
  type BlobPiece,
  BlobReuseError,
  type BlobStatus,
  type DotMark,
  type GcResult,
  type Lease,
  type NewTransaction,
  type Outcome,
  type SessionSign,
  type SessionTerms,
  type Store,
  type StoredTransaction,
  type StoreStats,
} from './store.ts';
import { storedBody } from './stored-body.ts';

export class DurableStore implements Store {
  readonly #engine: Engine;
  readonly #group: GroupCommit;
  readonly #history: History;
  readonly #clock: Clock;
  /** Where large bodies are, when they are not in the database. */
  readonly #files: BodyFiles | undefined;
  readonly #orphans: OrphanFiles | undefined;
  readonly #log: Log;
  /** History whose bodies are being read, or written when they are too large for one commit. */
  readonly #plannedHistory = new Set<Promise<void>>();
  #sessionId: number | undefined;
  #leasesOnTheWay = 0;
  #sessionUri = '';

  constructor(engine: Engine, clock: Clock, log: Log, meter?: StoreMeter, files?: BodyFiles) {
    this.#files = files;
    this.#orphans = files && new OrphanFiles(files, engine, clock);
    this.#engine = engine;
    this.#clock = clock;
    this.#log = log;
    this.#group = new GroupCommit((operations) => measured(engine, operations, clock, meter));
    this.#history = new History(this.#group, clock, log);
  }

  get stats(): StoreStats {
    return { ...this.#group.stats, historyBacklog: this.#history.backlog };
  }

  get sessionId(): string | undefined {
    return this.#sessionId === undefined ? undefined : String(this.#sessionId);
  }

  async openSession(uri: string, now: number, terms: SessionTerms = {}): Promise<boolean> {
    const { ttlMs = limits.sessionTtlMs, yields = false } = terms;
    const sessionId = await this.#group.write('openSession', { uri, ttlMs, yields, now });
    this.#sessionId = sessionId ?? undefined;
    this.#sessionUri = uri;
    return sessionId !== null;
  }

  async refreshSession(now: number): Promise<boolean> {
    if (this.#sessionId === undefined) return false;
    // Not behind everything else that is to be written: a busy router is not a dead one.
    return this.#group.writeNext('refreshSession', { sessionId: this.#sessionId, uri: this.#sessionUri, now });
  }

  sessions(): Promise<readonly SessionSign[]> {
    return this.#engine.read('listSessions', undefined);
  }

  expireSessions(silent: readonly SessionSign[]): Promise<number> {
    const signs = silent.map(({ id, sign }) => ({ sessionId: Number(id), sign }));
    return this.#group.write('expireSessions', { silent: signs, now: this.#clock.now() });
  }

  async closeSession(): Promise<void> {
    const sessionId = this.#sessionId;
    if (sessionId === undefined) return;
    await this.#group.write('endSession', { sessionId, now: this.#clock.now() });
    this.#sessionId = undefined;
  }

  async create(transactions: readonly NewTransaction[], now: number): Promise<void> {
    const isLeased = transactions.some(({ next }) => next.kind === 'leased');
    const sessionId = isLeased ? this.#session() : (this.#sessionId ?? null);
    const planned = planAtOnce(transactions, sessionId, now, this.#files);
    const { plan, sizeBytes } = planned ?? (await planCreate(transactions, this.#group, sessionId, now, this.#files));
    if (isLeased) this.#leasesOnTheWay += 1;
    try {
      refuse(await this.#group.write('createTransactions', plan, sizeBytes));
    } finally {
      if (isLeased) this.#leasesOnTheWay -= 1;
    }
  }

  async append(txId: string, name: string, piece: BlobPiece, now: number): Promise<AppendResult> {
    const { offset, bytes, total } = piece;
    const requestEnd = offset + bytes.length;
    let at = 0;
    for (;;) {
      const part = bytes.subarray(at, at + limits.blobWriteBytes);
      const chunks = storableChunks(part);
      const result = await this.#group.write(
        'appendBlob',
        { txId, name, offset: offset + at, chunks, requestEnd, total, now },
        part.length,
      );
      at += part.length;
      if (result.kind !== 'stored' || at >= bytes.length) return result;
    }
  }

  async recordOutcome(outcome: Outcome, now: number): Promise<void> {
    const { id, attempt, filterOutput, next } = outcome;
    const sessionId = this.#session();
    const planned = planAtOnce(outcome.spawn, sessionId, now, this.#files);
    const { plan, sizeBytes } = planned ?? (await planCreate(outcome.spawn, this.#group, sessionId, now, this.#files));
    const row = {
      txId: id,
      sessionId,
      attempt: attemptRow(attempt),
      filterOutput: filterOutputText(filterOutput),
      next: nextColumns(next, null),
      version: outcome.version,
      spawn: plan,
    };
    const result = await this.#group.write('recordOutcome', row, sizeBytes);
    if (result.kind === 'leaseLost') throw new LeaseLostError(`transaction ${id} is not leased to this session`);
    refuse(result);
  }

  markDotSent(mark: DotMark): Promise<boolean> {
    return this.#group.write('markDotSent', this.#dotRow(mark));
  }

  noteDotSent(mark: DotMark): void {
    if (this.#sessionId === undefined) return;
    this.#group.ride('markDotSent', this.#dotRow(mark)).catch((error: unknown) => {
      this.#log.debug({ tx: mark.id, error }, 'the delivery journal has a note less');
    });
  }

  #dotRow({ id, attempt, at, hosts, replies }: DotMark): DotRow {
    const sessionId = this.#session();
    return { txId: id, sessionId, number: attempt, at, hosts: hostsText(hosts), replies: repliesText(replies) };
  }

  cancel(txId: string, now: number): Promise<void> {
    return this.#group.write('cancel', { txId, now });
  }

  async claimDue(now: number, limit: number): Promise<readonly StoredTransaction[]> {
    this.#leasesOnTheWay += 1;
    try {
      return await this.#group.write('claimDue', { sessionId: this.#session(), now, limit });
    } finally {
      this.#leasesOnTheWay -= 1;
    }
  }

  get leasesOnTheWay(): number {
    return this.#leasesOnTheWay;
  }

  async leases(onlyCancelled: boolean): Promise<readonly Lease[]> {
    if (this.#sessionId === undefined) return [];
    return this.#engine.read('listLeases', { sessionId: this.#sessionId, onlyCancelled });
  }

  releaseLeases(leases: readonly Lease[], dueAt: number, dropAttempt: boolean): Promise<number> {
    const release = { sessionId: this.#session(), leases, dueAt, dropAttempt, now: this.#clock.now() };
    return this.#group.write('releaseLeases', release);
  }

  nextDueAt(): Promise<number | undefined> {
    return this.#engine.read('nextDueAt', undefined);
  }

  recordHistory(transaction: NewTransaction, now: number): void {
    const done = this.#planHistory(transaction, now).finally(() => this.#plannedHistory.delete(done));
    this.#plannedHistory.add(done);
  }

  async #planHistory(transaction: NewTransaction, now: number): Promise<void> {
    // Nobody waits, so the bodies must outlive whoever made them.
    const releases = transaction.blobs.map(({ source }) => (source.kind === 'body' ? source.body.retain() : undefined));
    try {
      this.#history.add(await planCreate([transaction], this.#group, this.#sessionId ?? null, now, this.#files));
    } catch (error) {
      this.#log.warn({ error: error instanceof Error ? error.message : String(error) }, 'cannot write history');
    } finally {
      for (const release of releases) release?.();
    }
  }

  async flush(): Promise<void> {
    await Promise.all(this.#plannedHistory);
    await this.#history.flush();
  }

  load(txId: string): Promise<StoredTransaction | undefined> {
    return this.#engine.read('loadTransaction', { txId });
  }

  list(ask: ListAsk): Promise<ListPage> {
    return this.#engine.read('listTransactions', ask);
  }

  makeDue(txId: string, now: number): Promise<MakeDueResult> {
    return this.#group.write('makeDue', { txId, now });
  }

  correctDueTimes(now: number, limit: number): Promise<number> {
    return this.#group.write('correctDueTimes', { now, toleranceMs: limits.clockSkewMs, limit });
  }

  queueDepth(): Promise<QueueDepth> {
    return this.#engine.read('queueDepth', undefined);
  }

  async blobStatus(txId: string, name: string): Promise<BlobStatus | undefined> {
    const row = await this.#engine.read('loadBlob', { txId, name });
    return row === undefined ? undefined : blobStatus(row);
  }

  async openBlob(txId: string, name: string): Promise<Body | undefined> {
    const row = await this.#engine.read('loadBlob', { txId, name });
    if (row === undefined || !blobStatus(row).finalized) return undefined;
    if (row.in_file === 0) return storedBody(this.#engine, row.id, row.length);
    must(this.#files !== undefined, 'only a store that has files writes some');
    return this.#files.open(row.id, row.length);
  }

  async collectGarbage(before: number, limit: number): Promise<GcResult> {
    const { files, ...result } = await this.#group.write('collectGarbage', { before, limit });
    await this.#files?.remove(files);
    if (!result.isMore) await this.#orphans?.removeWhenDue();
    return result;
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      this.#log.warn(
        { error: error instanceof Error ? error.message : String(error) },
        'closing without the newest history',
      );
    }
    this.#history.close();
    await this.#group.close();
    await this.#engine.close();
  }

  #session(): number {
    if (this.#sessionId === undefined) throw new LeaseLostError('this process has no open session');
    return this.#sessionId;
  }
}

async function measured(
  engine: Engine,
  operations: readonly Operation[],
  clock: Clock,
  meter: StoreMeter | undefined,
): Promise<BatchResult> {
  const startedAt = clock.monotonicMs();
  try {
    return await engine.commit(operations);
  } finally {
    meter?.batch(operations.length, clock.monotonicMs() - startedAt);
  }
}

function refuse(result: CreateResult | { readonly kind: 'recorded' }): void {
  if (result.kind === 'reuse') throw new BlobReuseError(result.txId, result.name, result.reason);
  if (result.kind === 'sessionDead') throw new LeaseLostError('this session has been declared dead');
}
