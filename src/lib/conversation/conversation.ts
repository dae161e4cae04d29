/**
 * A conversation: a transaction that lives in memory only, because nobody was promised anything yet. An SMTP session at the router and
 * every transaction of an outbound gateway is one. What it needs of an upload lies in memory or in a spool file.
 */
import type { Origin } from '../core/envelope.ts';
import { LiveTransaction } from '../core/live.ts';
import { Stop } from '../core/stop.ts';
import { decisive, NEW_TX, type TxState } from '../core/transaction.ts';
import type { SpoolWriter } from '../spool/spool-writer.ts';
import { remains } from './remains.ts';

export interface ConversationFacts {
  readonly id: string;
  readonly origin: Origin;
  /** Whose it is: only callers that act for this sender may see it. */
  readonly sender?: string;
  /** Whom its place counts for (`shareOf`), where there is more than one. */
  readonly share?: string;
  /** A conversation whose client is silent for this long before its message is complete is given up. */
  readonly silenceMs: number;
  /** Its client is in this process and holds it: once it has ended, nobody will ask for it by its id. */
  readonly byCall?: boolean;
}

const BEGUN: TxState = { ...NEW_TX, incremental: true };

export class Conversation {
  #live: LiveTransaction;
  readonly facts: ConversationFacts;
  /** Pulled when the conversation is given up. */
  readonly stop = new Stop();
  /** Like `endedAt` by the monotonic clock. */
  lastHeardAt: number;
  /** An upload is under way; a second one at the same time is refused. */
  isUploading = false;
  /** The length of the message, as soon as a ranged upload has said it. */
  declaredBytes: number | undefined;
  /** When its one attempt ended. */
  endedAt: number | undefined;
  /** Whether its REST client has seen how it was decided; a conversation by a call has no such client. */
  isAnswerShown: boolean | undefined;
  #spool: SpoolWriter | undefined;
  /** Bytes received when they were let go. */
  #sizeBytes = 0;

  constructor(facts: ConversationFacts, now: number) {
    this.facts = facts;
    this.#live = new LiveTransaction(facts.id, BEGUN);
    this.lastHeardAt = now;
  }

  get live(): LiveTransaction {
    return this.#live;
  }

  /** Nothing will change any more: the attempt is over, or a reply has decided it. */
  get isAnswered(): boolean {
    return this.endedAt !== undefined || decisive(this.live.state) !== undefined;
  }

  /** Bytes of the message received so far. */
  get uploadedBytes(): number {
    return this.live.state.body?.size ?? this.#spool?.size ?? this.#sizeBytes;
  }

  get isBodyComplete(): boolean {
    return this.live.state.body !== undefined;
  }

  /** Nobody follows it any more: its attempt has ended, or is about to. */
  get isOver(): boolean {
    return this.endedAt !== undefined || this.live.state.cancelled || this.live.state.final !== undefined;
  }

  /** It has ended and its client knows how, or does not care. */
  get isSeen(): boolean {
    if (this.endedAt === undefined) return false;
    return this.live.state.cancelled || this.isAnswerShown !== false;
  }

  /** It is the client's turn: nothing can happen upstream until it says more. */
  get isWaitingForClient(): boolean {
    const { mailFrom, rcptTo } = this.live.state;
    return !this.isBodyComplete || mailFrom === undefined || rcptTo.length === 0;
  }

  /** Appends to the message; `makeSpool` is called for its first bytes. One call at a time. */
  async append(bytes: Buffer, makeSpool: () => SpoolWriter): Promise<void> {
    this.#spool ??= makeSpool();
    await this.#spool.append(bytes);
  }

  /** The message is complete: it becomes the body of the transaction. */
  async complete(makeSpool: () => SpoolWriter): Promise<void> {
    this.#spool ??= makeSpool();
    this.live.apply({ type: 'body', body: await this.#spool.finish() });
  }

  /**
   * Its attempt is over: of what it was, only what its client may still ask is kept, for there may be thousands of its kind. Nobody can see
   * the difference from outside.
   */
  shrink(): void {
    this.discard();
    const { id, state, version } = this.#live;
    this.#live = new LiveTransaction(id, remains(state), version);
  }

  /** Lets go of the bytes; whoever still needs them has retained them. */
  discard(): void {
    if (this.#spool === undefined) return;
    this.#sizeBytes = this.#spool.size;
    this.#spool.discard();
    this.#spool = undefined;
  }
}
