/**
 * All conversations of one process, and the REST verbs on them (protocol §1.4 to §1.7): read and hang, add to the envelope, upload, cancel.
 * A sweep gives up those whose client fell silent and forgets those that ended a while ago.
 */
import { type Admission, alwaysOpen } from '../core/admission.ts';
import { memoryBody } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { FairShares } from '../core/fair-shares.ts';
import { limits } from '../core/limits.ts';
import { decisive, IllegalStepError, reduce, type TxEvent } from '../core/transaction.ts';
import { TransientMap } from '../core/transient-map.ts';
import { type Caller, sees } from '../http/caller.ts';
import {
  RequestProblem,
  type TransactionView,
  type UpdateAsk,
  type UploadAsk,
  type UploadProgress,
} from '../http/service.ts';
import { BodyTooLargeError, type SpoolWriter } from '../spool/spool-writer.ts';
import { Conversation, type ConversationFacts } from './conversation.ts';
import { LastReads } from './last-reads.ts';
import { takeAtOnce, takeUpload } from './take-upload.ts';

export interface ConversationTableOptions {
  readonly deps: Deps;
  readonly makeSpool: () => SpoolWriter;
  readonly admission?: Admission;
  /** How long an ended conversation stays readable. */
  readonly doneTtlMs: number;
}

/** Follows the asks of a conversation until a reply decides it; the one attempt it has. */
export type Follow = (conversation: Conversation) => Promise<void>;

const SWEEP_INTERVAL_MS = 1000;

export class ConversationTable {
  readonly #options: ConversationTableOptions;
  readonly #byId = new TransientMap<string, Conversation>();
  /** How many are followed, and who waits for them to end. */
  #followed = 0;
  readonly #onIdle: (() => void)[] = [];
  readonly #places = new FairShares(limits.conversations);
  #isDraining = false;
  readonly #reads = new LastReads();

  constructor(options: ConversationTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** No more are taken, because the process is about to end. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Opens a conversation and starts to follow it; throws `RequestProblem` when there are too many, or the process is about to end. */
  open(facts: ConversationFacts, follow: Follow): Conversation {
    if (this.#isDraining) throw new RequestProblem(503, 'shutting down');
    const { share } = facts;
    if (!this.#hasPlace(share)) throw this.#noPlace();
    this.#places.take(share ?? '');
    const conversation = new Conversation(facts, this.#options.deps.clock.monotonicMs());
    this.#byId.set(facts.id, conversation);
    this.#followed += 1;
    started(follow, conversation).then(
      () => this.#ended(conversation),
      (error: unknown) => {
        this.#options.deps.log.error({ tx: facts.id, error }, 'a conversation ended in a bug');
        this.#ended(conversation);
      },
    );
    return conversation;
  }

  #hasPlace(share: string | undefined): boolean {
    return share === undefined ? this.#places.used < this.#places.limit : this.#places.isOpenTo(share);
  }

  /** None at all, or none for those who have their share. */
  #noPlace(): RequestProblem {
    const isFull = this.#places.used >= this.#places.limit;
    (this.#options.admission ?? alwaysOpen).refused('mail', isFull ? 'places' : 'share');
    const headers = { 'retry-after': '1' };
    if (isFull) return new RequestProblem(503, 'too many transactions at work', { headers });
    return new RequestProblem(429, 'this sender has its share of the transactions at work, try again', { headers });
  }

  #ended(conversation: Conversation): void {
    const { facts, live } = conversation;
    conversation.endedAt = this.#options.deps.clock.monotonicMs();
    // Whoever still waits for a reply would wait forever.
    if (!live.state.cancelled && live.state.final === undefined && decisive(live.state) === undefined) {
      live.apply({ type: 'finish', final: { outcome: 'abandoned', text: 'downstream timeout' } });
    }
    if (facts.byCall) this.forget(conversation);
    // It stays readable for a while; its bytes and addresses need not.
    else conversation.shrink();
    this.#places.leave(facts.share ?? '');
    this.#followed -= 1;
    if (this.#followed === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** Resolves when none is followed. */
  #idle(): Promise<void> {
    if (this.#followed === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** A conversation that is there for this caller. */
  find(id: string, caller?: Caller): Conversation | undefined {
    const conversation = this.#byId.get(id);
    return conversation !== undefined && sees(caller, conversation.facts.sender ?? '') ? conversation : undefined;
  }

  /** A conversation as its REST client is about to see it. */
  show(conversation: Conversation): TransactionView {
    conversation.isAnswerShown = conversation.isAnswered;
    this.#reads.noted();
    return viewOf(conversation);
  }

  /** Adds to the envelope when `ifMatch` is the current version. */
  update(conversation: Conversation, ask: UpdateAsk, ifMatch: string): TransactionView {
    const { live } = conversation;
    if (ifMatch !== String(live.version)) throw new RequestProblem(412, 'update conflict');
    const have = live.state.rcptTo.length;
    const added = ask.rcptTo ?? [];
    if (added.length > 0 && (ask.rcptToListOffset ?? (have === 0 ? 0 : undefined)) !== have) {
      throw new RequestProblem(409, `rcpt_to_list_offset must be ${have}, the number of recipients present`, {
        pointer: '/rcpt_to_list_offset',
      });
    }
    if (have + added.length > limits.rcptsPerTransaction) {
      throw new RequestProblem(422, `at most ${limits.rcptsPerTransaction} recipients`, { pointer: '/rcpt_to' });
    }
    this.#heard(conversation);
    // A scalar that is already set keeps its value, as upstream's clients expect.
    const isFrom = ask.mailFrom !== undefined && live.state.mailFrom === undefined;
    const steps: readonly TxEvent[] = [
      ...(isFrom ? [{ type: 'mail', from: ask.mailFrom } as const] : []),
      ...added.map((to) => ({ type: 'rcpt', to }) as const),
    ];
    try {
      // All or nothing: an illegal step shows before the first one is taken.
      steps.reduce(reduce, live.state);
    } catch (error) {
      throw asProblem(error);
    }
    for (const step of steps) live.apply(step);
    return this.show(conversation);
  }

  heartbeat(conversation: Conversation): TransactionView {
    this.#heard(conversation);
    conversation.live.apply({ type: 'touch' });
    return this.show(conversation);
  }

  /**
   * Takes the whole message, as it came with the create. What is not small is counted with all others, and goes to a file where they are too many.
   * Rejects when that cannot be written; the conversation is cancelled then.
   */
  takeWhole(conversation: Conversation, bytes: Buffer): Promise<void> | undefined {
    if (bytes.length > limits.bodyUnaskedBytes) return this.#takeLarge(conversation, bytes);
    conversation.live.apply({ type: 'body', body: memoryBody(bytes) });
    return undefined;
  }

  async #takeLarge(conversation: Conversation, bytes: Buffer): Promise<void> {
    const { makeSpool } = this.#options;
    try {
      await conversation.append(bytes, makeSpool);
      await conversation.complete(makeSpool);
    } catch (error) {
      // It may have been decided meanwhile, and its client reads how.
      if (conversation.isAnswered || conversation.isOver) return;
      this.cancel(conversation);
      throw error;
    }
  }

  /** Takes bytes of the message; a prefix that is there already is skipped, so a plain retry works. */
  async upload(conversation: Conversation, ask: UploadAsk): Promise<UploadProgress> {
    if (conversation.isUploading) throw new RequestProblem(409, 'another upload of this message is under way');
    const onHeard = (): void => this.#heard(conversation);
    const { makeSpool } = this.#options;
    try {
      const atOnce = takeAtOnce(conversation, ask, onHeard);
      if (atOnce !== undefined) return atOnce;
      conversation.isUploading = true;
      return await takeUpload(conversation, ask, { makeSpool, onHeard });
    } catch (error) {
      throw asProblem(error);
    } finally {
      conversation.isUploading = false;
    }
  }

  /** Cancels what is unfinished; an ended conversation stays as it is. */
  cancel(conversation: Conversation): void {
    const { live } = conversation;
    if (conversation.endedAt === undefined && decisive(live.state) === undefined) live.apply({ type: 'cancel' });
  }

  #heard(conversation: Conversation): void {
    conversation.lastHeardAt = this.#options.deps.clock.monotonicMs();
  }

  /** Runs until `stop` aborts: gives up the silent, forgets the ended. */
  async sweep(stop: AbortSignal): Promise<void> {
    const { clock } = this.#options.deps;
    while (!stop.aborted) {
      await clock.sleep(SWEEP_INTERVAL_MS, stop);
      const now = clock.monotonicMs();
      for (const conversation of [...this.#byId.values()]) this.#sweepOne(conversation, now);
    }
  }

  #sweepOne(conversation: Conversation, now: number): void {
    const { endedAt, lastHeardAt, facts } = conversation;
    if (endedAt === undefined) {
      if (conversation.isWaitingForClient && now - lastHeardAt > facts.silenceMs) conversation.stop.pull();
    } else if (now - endedAt >= this.#options.doneTtlMs) {
      this.forget(conversation);
    }
  }

  /** Drops a conversation and its bytes. */
  forget(conversation: Conversation): void {
    this.#byId.delete(conversation.facts.id);
    conversation.discard();
  }

  /**
   * Takes no more, and resolves when all have ended and their clients have seen how: a client that misses the answer would send its message
   * again. Gives up when `hurry` aborts.
   */
  async drain(hurry: AbortSignal): Promise<void> {
    this.#isDraining = true;
    await Promise.race([this.#idle(), aborted(hurry)]);
    await this.#reads.wait(() => this.#byId.values(), this.#options.deps.clock, hurry);
  }

  /** Stops all; resolves when every attempt has ended. */
  async close(): Promise<void> {
    this.#isDraining = true;
    for (const conversation of this.#byId.values()) conversation.stop.pull();
    await this.#idle();
    for (const conversation of [...this.#byId.values()]) this.forget(conversation);
  }
}

export function viewOf(conversation: Conversation): TransactionView {
  const { live, facts, isBodyComplete } = conversation;
  return {
    id: facts.id,
    version: live.version,
    state: live.state,
    origin: facts.origin,
    body: { kind: 'plain', finalized: isBodyComplete },
  };
}

/** A bug that shows at once is heard of a moment later, as any other. */
function started(follow: Follow, conversation: Conversation): Promise<void> {
  try {
    return follow(conversation);
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function asProblem(error: unknown): unknown {
  if (error instanceof IllegalStepError) return new RequestProblem(409, error.message);
  if (error instanceof BodyTooLargeError) return new RequestProblem(413, error.message);
  return error;
}
