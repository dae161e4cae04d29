/** The store: plans what is asked as plain operations, has them committed in groups, and turns refusals into the errors of the contract. */
import type { Body } from '../core/body.ts';
import type { Clock, Log } from '../core/deps.ts';
import { must, StoreUnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { StoreMeter } from '../core/meters.ts';
import type { BatchResult } from './batch.ts';
import type { BodyFiles } from './body-files.ts';
import { storableChunks } from './chunking.ts';
import { DotNotes } from './dot-notes.ts';
import type { Engine } from './engine.ts';
import { FreeSpace, type LookAtSpace } from './free-space.ts';
import { GroupCommit } from './group-commit.ts';
import { LeaseWrites } from './lease-writes.ts';
import type { ListAsk, ListPage, QueueDepth } from './list.ts';
import { OrphanFiles } from './orphan-files.ts';
import { NOBODY } from './passed-over.ts';
import { blobStatus, hostsText, repliesText } from './rows.ts';
import type { Operation } from './sql/index.ts';
import type { MakeDueResult } from './sql/make-due.ts';
import type { DotRow } from './sql/mark-dot-sent.ts';
import type { HistoryRows } from './sql/write-history.ts';
import type {
  AppendResult,
  BlobPiece,
  BlobStatus,
  DotMark,
  GcResult,
  HistoryLine,
  Lease,
  NewTransaction,
  Outcome,
  SessionSign,
  SessionTerms,
  Store,
  StoredTransaction,
  StoreStats,
} from './store.ts';
import { storedBody } from './stored-body.ts';
import { noSession, TransactionWrites } from './transaction-writes.ts';

/** What a database that is a file has beside it. */
export interface Beside {
  /** For large bodies. */
  readonly files: BodyFiles;
  readonly look: LookAtSpace;
}

export class DurableStore implements Store {
  readonly #engine: Engine;
  readonly #group: GroupCommit;
  readonly #writes: TransactionWrites;
  readonly #dotNotes: DotNotes;
  readonly leaseWrites = new LeaseWrites();
  readonly #clock: Clock;
  /** Where large bodies are, when they are not in the database. */
  readonly #files: BodyFiles | undefined;
  readonly #orphans: OrphanFiles | undefined;
  readonly #space: FreeSpace | undefined;
  readonly #log: Log;
  #sessionId: number | undefined;
  #sessionUri = '';
  /** Since when a session is asked for without an answer: there may be one. */
  #askedAt: number | undefined;

  constructor(
    engine: Engine,
    clock: Clock,
    log: Log,
    meter?: StoreMeter,
    beside?: Beside,
    waits: Pick<Clock, 'after'> = clock,
  ) {
    const files = beside?.files;
    this.#files = files;
    this.#orphans = files && new OrphanFiles(files, engine, clock);
    this.#engine = engine;
    this.#clock = clock;
    this.#log = log;
    this.#group = new GroupCommit((operations) => this.#commit(operations, meter), waits);
    const underWayBytes = (): number => this.#group.stats.waitingBytes + (files?.underWayBytes ?? 0);
    this.#space = beside && new FreeSpace({ look: beside.look, underWayBytes, clock, log });
    this.#writes = new TransactionWrites({ group: this.#group, clock, log, files, leaseWrites: this.leaseWrites });
    this.#dotNotes = new DotNotes(this.#group, log);
  }

  get stats(): StoreStats {
    const { isFailing, ...group } = this.#group.stats;
    const isScarce = this.#space?.isScarce === true;
    return { ...group, historyBacklog: this.#writes.historyBacklog, isFailing: isFailing || isScarce };
  }

  get sessionId(): string | undefined {
    return this.#sessionId === undefined ? undefined : String(this.#sessionId);
  }

  async openSession(uri: string, now: number, terms: SessionTerms = {}): Promise<boolean> {
    const { ttlMs = limits.sessionTtlMs, yields = false } = terms;
    const askedAt = this.#askedAt;
    this.#askedAt ??= now;
    const asked = { uri, ttlMs, yields, now, ...(askedAt !== undefined && { askedAt }) };
    const sessionId = await this.#group.write('openSession', asked);
    this.#askedAt = undefined;
    this.#sessionId = sessionId ?? undefined;
    this.#sessionUri = uri;
    return sessionId !== null;
  }

  async refreshSession(now: number): Promise<boolean> {
    const sessionId = this.#sessionId;
    if (sessionId === undefined) return false;
    // Not behind everything else that is to be written: a busy router is not a dead one.
    const isAlive = await this.#group.writeNext('refreshSession', { sessionId, uri: this.#sessionUri, now });
    // What was leased to it is another's, also what we are only now about to begin: no later session may take that for its own.
    if (!isAlive && this.#sessionId === sessionId) this.#sessionId = undefined;
    return isAlive;
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

  /** Before the first create, which is judged by it. */
  async lookAtSpace(): Promise<void> {
    await this.#space?.look();
  }

  create(transactions: readonly NewTransaction[], now: number): Promise<void> {
    const refusal = this.#space?.takeFor(transactions);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#writes.create(transactions, this.#sessionId, now);
  }

  async append(txId: string, name: string, piece: BlobPiece, now: number): Promise<AppendResult> {
    const { offset, bytes, total } = piece;
    const refusal = this.#space?.take(bytes.length);
    if (refusal !== undefined) throw refusal;
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

  recordOutcome(outcome: Outcome, now: number): Promise<void> {
    return this.#dotNotes.unlessRecorded(outcome.id, this.#writes.recordOutcome(outcome, this.#sessionId, now));
  }

  markDotSent(mark: DotMark): Promise<boolean> {
    return this.#group.write('markDotSent', this.#dotRow(mark));
  }

  noteDotSent(mark: DotMark): void {
    if (this.#sessionId !== undefined) this.#dotNotes.add(this.#dotRow(mark));
  }

  #dotRow({ id, attempt, at, hosts, replies }: DotMark): DotRow {
    const sessionId = this.#session();
    return { txId: id, sessionId, number: attempt, at, hosts: hostsText(hosts), replies: repliesText(replies) };
  }

  cancel(txId: string, now: number): Promise<void> {
    return this.#group.write('cancel', { txId, now });
  }

  async claimDue(now: number, limit: number, passedOver = NOBODY): Promise<readonly StoredTransaction[]> {
    const era = this.leaseWrites.begun();
    try {
      return await this.#group.write('claimDue', { sessionId: this.#session(), now, limit, passedOver });
    } finally {
      this.leaseWrites.ended(era);
    }
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

  recordHistory(line: HistoryLine, now: number): void {
    this.#writes.recordHistory(line, this.#sessionId, now);
  }

  async flush(): Promise<void> {
    await this.#writes.flush();
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
    const { files, ...result } = await this.#group.write('collectGarbage', {
      before,
      filesBefore: this.#files?.unusedBefore(this.#clock.now()) ?? before,
      limit,
    });
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
    this.#writes.close();
    this.#space?.close();
    await this.#group.close();
    await this.#engine.close();
  }

  async #commit(operations: readonly Operation[], meter: StoreMeter | undefined): Promise<BatchResult> {
    const startedAt = this.#clock.monotonicMs();
    try {
      return await this.#engine.commit(operations);
    } catch (error) {
      if (error instanceof StoreUnavailableError && error.isFull) void this.#space?.look();
      throw error;
    } finally {
      meter?.batch(writesIn(operations), this.#clock.monotonicMs() - startedAt);
    }
  }

  #session(): number {
    if (this.#sessionId === undefined) throw noSession();
    return this.#sessionId;
  }
}

/** Lines of history are one operation, and each of them a write. */
function writesIn(operations: readonly Operation[]): number {
  let count = 0;
  for (const { verb, args } of operations) count += verb === 'writeHistory' ? (args as HistoryRows).count : 1;
  return count;
}
