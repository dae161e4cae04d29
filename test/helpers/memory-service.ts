/**
 * A `TransactionService` in memory, for tests of both ends of the REST protocol: it keeps every rule of the protocol that a client can see and
 * answers SMTP phases as the test says.
 */
import { awaitAnswers, type Patience } from '../../src/lib/core/await-answers.ts';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import type { Clock } from '../../src/lib/core/deps.ts';
import { LiveTransaction } from '../../src/lib/core/live.ts';
import type { Mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import {
  type CreateAsk,
  RangeProblem,
  RequestProblem,
  type TransactionService,
  type TransactionView,
  type UpdateAsk,
  type UploadAsk,
  type UploadProgress,
} from '../../src/lib/http/service.ts';
import { realClock } from './fake-deps.ts';

type Answer<T> = (value: T) => Response | undefined | Promise<Response | undefined>;

export interface MemoryServiceOptions {
  readonly clock?: Clock;
  /** Whether a sender takes recipients one by one. */
  readonly incremental?: boolean;
  readonly mail?: Answer<Mailbox>;
  readonly rcpt?: Answer<Mailbox>;
  readonly data?: Answer<Buffer>;
  /** Keeps no bytes: only counts them (`data` is then given an empty buffer). */
  readonly countOnly?: boolean;
}

interface Blob {
  parts: Buffer[];
  length: number;
  total: number | undefined;
}

export interface MemoryTransaction {
  readonly live: LiveTransaction;
  readonly sender: string;
  readonly ask: CreateAsk;
  readonly blobs: Map<string, Blob>;
  heartbeats: number;
  filterOutput: unknown;
}

const BODY = '';

export class MemoryService implements TransactionService {
  readonly transactions = new Map<string, MemoryTransaction>();
  readonly #options: MemoryServiceOptions;
  readonly #clock: Clock;

  constructor(options: MemoryServiceOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
  }

  /** The only transaction, or the newest. */
  get latest(): MemoryTransaction {
    const all = [...this.transactions.values()];
    const latest = all[all.length - 1];
    if (latest === undefined) throw new Error('no transaction was created');
    return latest;
  }

  create(sender: string, ask: CreateAsk): Promise<TransactionView> {
    if (sender === 'unknown') return Promise.reject(new RequestProblem(404, 'unknown sender'));
    if (!this.#isIncremental && (ask.mailFrom === undefined || ask.rcptTo.length !== 1)) {
      return Promise.reject(new RequestProblem(400, 'creation must contain mail_from and exactly 1 rcpt_to'));
    }
    const id = `tx${this.transactions.size + 1}`;
    const tx: MemoryTransaction = {
      live: new LiveTransaction(id, undefined, 1),
      sender,
      ask,
      blobs: new Map(),
      heartbeats: 0,
      filterOutput: ask.filterOutput,
    };
    this.transactions.set(id, tx);
    this.#declareBlobs(tx);
    this.#add(tx, ask);
    const view = this.#view(tx);
    if (ask.body?.kind === 'inline') this.#complete(tx, memoryBody(Buffer.from(ask.body.text)));
    return Promise.resolve(view);
  }

  async read(
    id: string,
    wait: { readonly ifNoneMatch: string; readonly waitMs: number } | undefined,
    signal: AbortSignal,
  ): Promise<TransactionView | undefined> {
    const tx = this.#find(id);
    if (wait === undefined || wait.ifNoneMatch !== String(tx.live.version)) return this.#view(tx);
    if (tx.live.state.final !== undefined) return undefined;
    const from = tx.live.version;
    const timer = new AbortController();
    const late = new AbortController();
    void this.#clock.sleep(wait.waitMs, timer.signal).then(() => late.abort());
    const held = await tx.live.until((_, version) => version !== from, AbortSignal.any([signal, late.signal]));
    timer.abort();
    return held ? this.#view(tx) : undefined;
  }

  async settle(id: string, patience: Patience): Promise<TransactionView> {
    const tx = this.#find(id);
    await awaitAnswers(tx.live, patience, this.#clock);
    return this.#view(tx);
  }

  update(id: string, ask: UpdateAsk, ifMatch: string): Promise<TransactionView> {
    const tx = this.#find(id);
    if (!this.#isIncremental) throw new RequestProblem(400, 'endpoint does not accept incremental updates');
    const { rcptTo } = tx.live.state;
    if (ask.rcptTo !== undefined && (ask.rcptToListOffset ?? 0) !== rcptTo.length) {
      if (ask.rcptToListOffset === undefined) throw new RequestProblem(400, 'rcpt_to_list_offset is required');
      if (ifMatch === String(tx.live.version)) throw new RequestProblem(409, 'rcpt_to_list_offset mismatch');
    }
    if (ifMatch !== String(tx.live.version)) throw new RequestProblem(412, 'update conflict');
    this.#add(tx, ask);
    if (ask.filterOutput !== undefined) tx.filterOutput = ask.filterOutput;
    return Promise.resolve(this.#view(tx));
  }

  heartbeat(id: string): Promise<TransactionView> {
    const tx = this.#find(id);
    tx.heartbeats += 1;
    tx.live.apply({ type: 'touch' });
    return Promise.resolve(this.#view(tx));
  }

  async upload(id: string, name: string | undefined, ask: UploadAsk): Promise<UploadProgress> {
    const tx = this.#find(id);
    const key = name ?? BODY;
    let blob = tx.blobs.get(key);
    if (blob === undefined) {
      if (name !== undefined || ask.offset > 0) throw new RequestProblem(404, 'unknown blob');
      blob = { parts: [], length: 0, total: undefined };
      tx.blobs.set(key, blob);
    }
    const contradicts = ask.total !== undefined && blob.total !== undefined && ask.total !== blob.total;
    const isShort = ask.total !== undefined && ask.total < blob.length;
    if (ask.offset > blob.length || contradicts || isShort) throw new RangeProblem(progress(blob));
    const wasFinal = blob.total === blob.length;
    await this.#append(blob, ask);
    if (ask.whole) blob.total = blob.length;
    else if (ask.total !== undefined) blob.total = ask.total;
    if (!wasFinal && blob.total === blob.length) {
      if (key === BODY) this.#complete(tx, bodyOf(blob));
      else tx.live.apply({ type: 'touch' });
    }
    return progress(blob);
  }

  cancel(id: string): Promise<void> {
    const { live } = this.#find(id);
    if (live.state.final === undefined) {
      live.apply({ type: 'cancel' });
      live.apply({ type: 'finish', final: { outcome: 'cancelled', text: 'downstream cancelled' } });
    }
    return Promise.resolve();
  }

  get #isIncremental(): boolean {
    return this.#options.incremental ?? true;
  }

  #find(id: string): MemoryTransaction {
    const tx = this.transactions.get(id);
    if (tx === undefined) throw new RequestProblem(404, 'unknown tx');
    return tx;
  }

  #declareBlobs({ ask, blobs }: MemoryTransaction): void {
    if (ask.body?.kind === 'inline') {
      const bytes = Buffer.from(ask.body.text);
      blobs.set(BODY, { parts: [bytes], length: bytes.length, total: bytes.length });
    }
    if (ask.body?.kind !== 'builder') return;
    const { text_body, related_attachments, file_attachments } = ask.body.spec;
    for (const { content } of [...(text_body ?? []), ...(related_attachments ?? []), ...(file_attachments ?? [])]) {
      if (content.create_id !== undefined) blobs.set(content.create_id, { parts: [], length: 0, total: undefined });
    }
  }

  async #append(blob: Blob, ask: UploadAsk): Promise<void> {
    let skip = blob.length - ask.offset;
    for await (const chunk of ask.bytes) {
      const fresh = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - fresh.length;
      if (this.#options.countOnly !== true && fresh.length > 0) blob.parts.push(Buffer.from(fresh));
      blob.length += fresh.length;
    }
  }

  #add(tx: MemoryTransaction, { mailFrom, rcptTo }: UpdateAsk): void {
    const { live } = tx;
    if (mailFrom !== undefined && live.state.mailFrom === undefined) {
      live.apply({ type: 'mail', from: mailFrom });
      this.#answer(tx, this.#options.mail, mailFrom, (response) => live.apply({ type: 'mailReply', response }));
    }
    for (const to of rcptTo ?? []) {
      const index = live.state.rcptTo.length;
      live.apply({ type: 'rcpt', to });
      this.#answer(tx, this.#options.rcpt, to, (response) => live.apply({ type: 'rcptReply', index, response }));
    }
    if (mailFrom === undefined && (rcptTo ?? []).length === 0) live.apply({ type: 'touch' });
  }

  #complete(tx: MemoryTransaction, body: Body): void {
    const { live } = tx;
    live.apply({ type: 'body', body });
    this.#answer(tx, this.#options.data, body.inMemory ?? Buffer.alloc(0), (response) => {
      live.apply({ type: 'dataReply', response });
      live.apply({ type: 'finish', final: { outcome: 'delivered', text: 'upstream response success' } });
    });
  }

  #answer<T>(
    tx: MemoryTransaction,
    answer: Answer<T> | undefined,
    value: T,
    record: (response: Response) => void,
  ): void {
    void Promise.resolve(answer === undefined ? reply(250, '2.0.0', 'ok') : answer(value)).then((response) => {
      if (response !== undefined && tx.live.state.final === undefined) record(response);
    });
  }

  #view(tx: MemoryTransaction): TransactionView {
    const { live, ask, blobs } = tx;
    const finalized = (blob: Blob | undefined): boolean => blob !== undefined && blob.total === blob.length;
    const body: TransactionView['body'] =
      ask.body?.kind === 'builder'
        ? { kind: 'builder', blobs: [...blobs].map(([name, blob]) => ({ name, finalized: finalized(blob) })) }
        : { kind: 'plain', finalized: finalized(blobs.get(BODY)) };
    return { id: live.id, version: live.version, state: live.state, origin: ask, body };
  }
}

function bodyOf(blob: Blob): Body {
  return { ...memoryBody(Buffer.concat(blob.parts)), size: blob.length };
}

function progress({ length, total }: Blob): UploadProgress {
  return total === undefined ? { length } : { length, total };
}
