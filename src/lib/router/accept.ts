/**
 * The downstream half of a router: what its REST clients may ask (protocol §1). A sender whose chain ends in an exploder opens a
 * conversation in memory; any other creates a transaction in the store before it is answered.
 */
import { awaitChange, type Wait } from '../conversation/await-change.ts';
import type { Conversation } from '../conversation/conversation.ts';
import type { ConversationTable } from '../conversation/conversation-table.ts';
import { awaitAnswers, type Patience } from '../core/await-answers.ts';
import type { Deps } from '../core/deps.ts';
import { type Origin, originOf } from '../core/envelope.ts';
import { shareOf } from '../core/fair-shares.ts';
import type { Caller } from '../http/caller.ts';
import {
  type CreateAsk,
  RequestProblem,
  type TransactionService,
  type TransactionView,
  type UpdateAsk,
  type UploadAsk,
  type UploadProgress,
} from '../http/service.ts';
import { textBytes } from '../http/text-bytes.ts';
import { checkEnvelope } from './check-envelope.ts';
import { ConversationRun } from './conversation-run.ts';
import type { Journal } from './journal.ts';
import type { NativeTransactions } from './native.ts';
import type { RouteTable } from './route-table.ts';
import type { SenderGate } from './sender-gate.ts';
import { newConversationId } from './transaction-id.ts';
import type { Route } from './work.ts';

export interface AcceptOptions {
  readonly deps: Deps;
  readonly routes: RouteTable;
  readonly conversations: ConversationTable;
  readonly native: NativeTransactions;
  /** The session of this router, which the ids of its conversations name. */
  readonly sessionId: () => string | undefined;
  readonly restIdEntropy: number;
  readonly journal: Journal;
  readonly senderGate: SenderGate;
  /** REST clients are told to go elsewhere; the SMTP sessions of a gateway in the same process may still end what they have begun. */
  readonly isQuiet: () => boolean;
}

export class Accept implements TransactionService {
  readonly #options: AcceptOptions;

  constructor(options: AcceptOptions) {
    this.#options = options;
  }

  create(sender: string, ask: CreateAsk): Promise<TransactionView> {
    try {
      const route = this.#routeOf(sender, ask.tag);
      return this.#options.senderGate.run(sender, () => this.#begin(route, ask));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #routeOf(sender: string, tag: string | undefined): Route {
    if (this.#options.isQuiet() || this.#options.conversations.isDraining)
      throw new RequestProblem(503, 'shutting down');
    const lookup = this.#options.routes.find(sender, tag);
    if (lookup.kind === 'found') return lookup.route;
    if (lookup.kind === 'unknownSender') throw new RequestProblem(404, `unknown sender ${sender}`);
    const detail = tag === undefined ? 'this sender needs a tag' : `unknown tag ${tag}`;
    throw new RequestProblem(400, detail, { pointer: '/sender/tag' });
  }

  #begin(route: Route, ask: CreateAsk): Promise<TransactionView> {
    if (route.chain.incremental) return this.#converse(route, ask);
    checkEnvelope(ask);
    return this.#options.native.create(route, ask);
  }

  async #converse(route: Route, ask: CreateAsk): Promise<TransactionView> {
    checkConversation(ask);
    const conversation = this.openConversation(route, ask, route.handler.downstreamTimeoutMs);
    const { live } = conversation;
    if (ask.mailFrom !== undefined) live.apply({ type: 'mail', from: ask.mailFrom });
    for (const to of ask.rcptTo) live.apply({ type: 'rcpt', to });
    if (ask.body?.kind === 'inline')
      await this.#options.conversations.takeWhole(conversation, textBytes(ask.body.text));
    return this.#options.conversations.show(conversation);
  }

  /**
   * Opens a conversation with a chain that explodes. Without a `silenceMs` it is the other half of one process that opens it, without HTTP: it
   * watches its client by itself, and holds what it has opened. Throws `RequestProblem` when there are too many.
   */
  openConversation(route: Route, ask: Origin, silenceMs?: number): Conversation {
    const { deps, conversations, restIdEntropy } = this.#options;
    const origin = originOf(ask);
    const sender = route.sender.name;
    const id = newConversationId(deps, restIdEntropy, this.#options.sessionId());
    const share = shareOf(route.sender);
    // What comes by SMTP; the requests of other clients are counted one by one.
    const leave = origin.remoteHost === undefined ? undefined : this.#options.senderGate.converse(sender);
    try {
      return conversations.open(
        silenceMs === undefined
          ? { id, origin, sender, share, silenceMs: Number.POSITIVE_INFINITY, byCall: true }
          : { id, origin, sender, share, silenceMs },
        (conversation) => {
          const followed = new ConversationRun(route, conversation, this.#options).run();
          return leave === undefined ? followed : followed.finally(leave);
        },
      );
    } catch (error) {
      leave?.();
      throw error;
    }
  }

  async read(
    id: string,
    wait: Wait | undefined,
    signal: AbortSignal,
    caller?: Caller,
  ): Promise<TransactionView | undefined> {
    const conversation = this.#options.conversations.find(id, caller);
    if (conversation === undefined) return this.#options.native.read(id, wait, signal, caller);
    const isEnded = (): boolean => conversation.isAnswered;
    const changed = await awaitChange(conversation.live, wait, isEnded, this.#options.deps.clock, signal);
    return changed ? this.#options.conversations.show(conversation) : undefined;
  }

  async settle(id: string, patience: Patience, caller?: Caller): Promise<TransactionView> {
    const conversation = this.#options.conversations.find(id, caller);
    if (conversation === undefined) return this.#options.native.settle(id, patience, caller);
    await awaitAnswers(conversation.live, patience, this.#options.deps.clock);
    return this.#options.conversations.show(conversation);
  }

  async update(id: string, ask: UpdateAsk, ifMatch: string, caller?: Caller): Promise<TransactionView> {
    const conversation = this.#options.conversations.find(id, caller);
    if (conversation !== undefined) return this.#options.conversations.update(conversation, ask, ifMatch);
    await this.#options.native.mustExist(id, caller);
    throw new RequestProblem(400, 'endpoint does not accept incremental updates');
  }

  async heartbeat(id: string, caller?: Caller): Promise<TransactionView> {
    const conversation = this.#options.conversations.find(id, caller);
    if (conversation !== undefined) return this.#options.conversations.heartbeat(conversation);
    return this.#options.native.heartbeat(id, caller);
  }

  async upload(id: string, blob: string | undefined, ask: UploadAsk, caller?: Caller): Promise<UploadProgress> {
    const conversation = this.#options.conversations.find(id, caller);
    if (conversation === undefined) return this.#options.native.upload(id, blob, ask, caller);
    if (blob !== undefined) throw new RequestProblem(404, 'unknown blob');
    const { senderGate, conversations } = this.#options;
    return senderGate.run(conversation.facts.sender ?? '', () => conversations.upload(conversation, ask));
  }

  async cancel(id: string, caller?: Caller): Promise<void> {
    const conversation = this.#options.conversations.find(id, caller);
    if (conversation !== undefined) this.#options.conversations.cancel(conversation);
    else await this.#options.native.cancel(id, caller);
  }
}

/** What a conversation may begin with; checked before it is opened. */
function checkConversation({ mailFrom, rcptTo, body }: CreateAsk): void {
  if (body !== undefined && body.kind !== 'inline') {
    const detail = 'this sender takes the message inline or by PUT, not from a message_builder or reuse_uri';
    throw new RequestProblem(400, detail, { pointer: '/body' });
  }
  if (mailFrom === undefined && (rcptTo.length > 0 || body !== undefined)) {
    throw new RequestProblem(400, 'mail_from comes first', { pointer: '/mail_from' });
  }
  if (body !== undefined && rcptTo.length === 0) {
    throw new RequestProblem(400, 'recipients come before the message', { pointer: '/rcpt_to' });
  }
}
