/**
 * Native REST transactions: complete envelope, one recipient, in the store before the 201. Their first attempt starts at once, so that a
 * refused recipient is known before the message is uploaded; the message follows as soon as its last byte is stored.
 */
import { awaitChange, type Wait } from '../conversation/await-change.ts';
import { awaitAnswers, type Patience } from '../core/await-answers.ts';
import { inTime } from '../core/in-time.ts';
import { limits } from '../core/limits.ts';
import { type Caller, sees } from '../http/caller.ts';
import {
  type CreateAsk,
  RequestProblem,
  type TransactionView,
  type UploadAsk,
  type UploadProgress,
} from '../http/service.ts';
import { BODY_BLOB, type StoredTransaction } from '../store/store.ts';
import { loadBody } from './load-body.ts';
import { createNative, type NativeCreateEnv } from './native-create.ts';
import { NativeUploads } from './native-upload.ts';
import type { SenderGate } from './sender-gate.ts';
import { viewOfStored, viewOfWork } from './view.ts';
import type { Whereabouts } from './whereabouts.ts';
import type { Route, Work } from './work.ts';

export interface NativeOptions extends NativeCreateEnv {
  /** Uploads are stored in pieces of this many bytes. */
  readonly chunkSize: number;
  readonly senderGate: SenderGate;
  readonly whereabouts: Whereabouts;
  readonly onDue: () => void;
}

export class NativeTransactions {
  readonly #options: NativeOptions;
  readonly #uploads: NativeUploads;

  constructor(options: NativeOptions) {
    this.#options = options;
    const { deps, store, workshop, chunkSize, onDue } = options;
    this.#uploads = new NativeUploads({
      store,
      clock: deps.clock,
      find: (id) => workshop.find(id),
      chunkSize,
      onInput: async (work) => {
        if (work !== undefined && !work.hasEnded) await this.#attachBody(work);
        else onDue();
      },
    });
  }

  create(route: Route, ask: CreateAsk): Promise<TransactionView> {
    return createNative(route, ask, this.#options);
  }

  async read(
    id: string,
    wait: Wait | undefined,
    signal: AbortSignal,
    caller?: Caller,
  ): Promise<TransactionView | undefined> {
    const work = this.#find(id, caller);
    if (work !== undefined) {
      const isEnded = (): boolean => work.live.state.final !== undefined;
      const changed = await awaitChange(work.live, wait, isEnded, this.#options.deps.clock, signal);
      return changed ? this.#options.workshop.show(work) : undefined;
    }
    const stored = await this.#loadHere(id, caller);
    return wait?.ifNoneMatch === String(stored.version) ? undefined : viewOfStored(stored);
  }

  /** What is not in work here is shown as it is stored. */
  async settle(id: string, patience: Patience, caller?: Caller): Promise<TransactionView> {
    const work = this.#find(id, caller);
    if (work === undefined) return viewOfStored(await this.#loadHere(id, caller));
    await awaitAnswers(work.live, patience, this.#options.deps.clock);
    return this.#options.workshop.show(work);
  }

  /** What is in work here and there for this caller. */
  #find(id: string, caller: Caller | undefined): Work | undefined {
    const work = this.#options.workshop.find(id);
    return work !== undefined && sees(caller, work.facts.route.sender.name) ? work : undefined;
  }

  /** The transaction from the store, when it is there for this caller; redirects to the replica that has it in work. */
  async #loadHere(id: string, caller: Caller | undefined): Promise<StoredTransaction> {
    const stored = await this.#options.store.load(id);
    const { whereabouts } = this.#options;
    const unknown = new RequestProblem(404, 'unknown tx');
    if (stored === undefined) throw (await whereabouts.ofConversation(id)) ?? unknown;
    if (!sees(caller, stored.record.sender)) throw unknown;
    const elsewhere = whereabouts.ofStored(stored);
    if (elsewhere !== undefined) throw elsewhere;
    return stored;
  }

  async mustExist(id: string, caller?: Caller): Promise<void> {
    if (this.#find(id, caller) === undefined) await this.#loadHere(id, caller);
  }

  async heartbeat(id: string, caller?: Caller): Promise<TransactionView> {
    const work = this.#find(id, caller);
    if (work === undefined) return viewOfStored(await this.#loadHere(id, caller));
    this.#heard(work);
    work.touch();
    return viewOfWork(work);
  }

  async upload(id: string, blob: string | undefined, ask: UploadAsk, caller?: Caller): Promise<UploadProgress> {
    const work = this.#find(id, caller);
    const stored = work === undefined ? await this.#loadHere(id, caller) : undefined;
    const sender = work?.facts.route.sender.name ?? stored?.record.sender ?? '';
    if (work !== undefined) this.#heard(work);
    const lengths = work?.blobBytes ?? new Map(stored?.blobs.map(({ name, length }) => [name, length]));
    const target = { id, name: blob ?? BODY_BLOB, lengths };
    return this.#options.senderGate.run(sender, () => this.#uploads.take(target, ask));
  }

  /** All input is stored: the running attempt may go on with DATA. */
  async #attachBody(work: Work): Promise<void> {
    const { store, deps } = this.#options;
    work.attach(await loadBody(store, work.facts.id, work.facts.messageBuilder, deps));
  }

  #heard(work: Work): void {
    work.lastHeardAt = this.#options.deps.clock.monotonicMs();
  }

  /** What is not there, or not there for this caller, is cancelled like what has ended: nothing happens. */
  async cancel(id: string, caller?: Caller): Promise<void> {
    const { store, deps } = this.#options;
    const work = this.#find(id, caller);
    // A stored transaction can be cancelled anywhere; a conversation only where it is.
    const elsewhere = work === undefined ? await this.#options.whereabouts.ofConversation(id) : undefined;
    if (elsewhere !== undefined) throw elsewhere;
    if (work === undefined && !(await this.#mayCancelStored(id, caller))) return;
    const isCancelling = work !== undefined && !work.hasEnded;
    if (isCancelling) work.live.apply({ type: 'cancel' });
    // An attempt that has just ended is recorded first; what it leaves waiting can then be cancelled.
    else if (work !== undefined) await this.#concluded(work);
    // Also what is in work: whoever takes it over after a crash must not send what its client was told is cancelled.
    await store.cancel(id, deps.clock.now());
    if (isCancelling) await this.#concluded(work);
  }

  async #mayCancelStored(id: string, caller: Caller | undefined): Promise<boolean> {
    if (caller === undefined || caller.senders === 'any') return true;
    const stored = await this.#options.store.load(id);
    return stored !== undefined && sees(caller, stored.record.sender);
  }

  /** A client that has cancelled may read at once how it ended; a store that is slow keeps it waiting, but not for long. */
  async #concluded(work: Work): Promise<void> {
    await inTime(work.running, limits.cancelMs, this.#options.deps.clock, undefined);
  }
}
