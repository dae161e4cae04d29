/**
 * The downstream half of a router: what its REST clients may ask (protocol §1). A sender whose chain ends in an exploder opens a
 * conversation in memory; any other creates a transaction in the store before it is answered.
 */
import { drive } from '../chain/drive.ts';
import { awaitChange, type Wait } from '../conversation/await-change.ts';
import type { Conversation } from '../conversation/conversation.ts';
import type { ConversationTable } from '../conversation/conversation-table.ts';
import type { Deps } from '../core/deps.ts';
import {
  type CreateAsk,
  RequestProblem,
  type TransactionService,
  type TransactionView,
  type UpdateAsk,
  type UploadAsk,
  type UploadProgress,
} from '../http/service.ts';
import type { NativeTransactions } from './native.ts';
import type { RouteTable } from './route-table.ts';
import { newTransactionId } from './transaction-id.ts';
import type { Route } from './work.ts';

export interface AcceptOptions {
  readonly deps: Deps;
  readonly routes: RouteTable;
  readonly conversations: ConversationTable;
  readonly native: NativeTransactions;
  readonly restIdEntropy: number;
}

export class Accept implements TransactionService {
  readonly #options: AcceptOptions;

  constructor(options: AcceptOptions) {
    this.#options = options;
  }

  async create(sender: string, ask: CreateAsk): Promise<TransactionView> {
    if (this.#options.conversations.isDraining) throw new RequestProblem(503, 'shutting down');
    const lookup = this.#options.routes.find(sender, ask.tag);
    if (lookup.kind === 'unknownSender') throw new RequestProblem(404, `unknown sender ${sender}`);
    if (lookup.kind !== 'found') {
      throw new RequestProblem(400, ask.tag === undefined ? 'this sender needs a tag' : `unknown tag ${ask.tag}`, {
        pointer: '/sender/tag',
      });
    }
    if (!lookup.route.chain.incremental) return this.#options.native.create(lookup.route, ask);
    return this.#converse(lookup.route, ask);
  }

  #converse(route: Route, ask: CreateAsk): TransactionView {
    if (ask.body !== undefined) {
      throw new RequestProblem(400, 'a sender that explodes recipients takes the message by PUT', { pointer: '/body' });
    }
    if (ask.mailFrom === undefined && ask.rcptTo.length > 0) {
      throw new RequestProblem(400, 'mail_from comes first', { pointer: '/mail_from' });
    }
    const conversation = this.openConversation(route, ask, route.handler.downstreamTimeoutMs);
    const { live } = conversation;
    if (ask.mailFrom !== undefined) live.apply({ type: 'mail', from: ask.mailFrom });
    for (const to of ask.rcptTo) live.apply({ type: 'rcpt', to });
    return this.#options.conversations.show(conversation);
  }

  /** Opens a conversation with a chain that explodes; also how the other half of one process does it, without HTTP. */
  openConversation(route: Route, ask: CreateAsk, silenceMs: number): Conversation {
    const { deps, conversations, restIdEntropy } = this.#options;
    const { remoteHost, localHost, smtpMeta } = ask;
    const origin = {
      ...(remoteHost && { remoteHost }),
      ...(localHost && { localHost }),
      ...(smtpMeta && { smtpMeta }),
    };
    const id = newTransactionId(deps.rng, restIdEntropy);
    const log = deps.log.child({ tx: id });
    return conversations.open(id, origin, silenceMs, async ({ live, stop }) => {
      live.apply({ type: 'attempt' });
      const exchange = route.chain.open({
        id,
        origin,
        log,
        onSignal: (filter, value) => live.apply({ type: 'signal', filter, value }),
      });
      const end = await drive(live, exchange, stop.signal, (error) =>
        log.error({ error }, 'a step of the chain failed with a bug'),
      );
      if (end === 'cancelled')
        live.apply({ type: 'finish', final: { outcome: 'cancelled', text: 'downstream cancelled' } });
      if (end === 'stopped')
        live.apply({ type: 'finish', final: { outcome: 'abandoned', text: 'downstream timeout' } });
    });
  }

  async read(id: string, wait: Wait | undefined, signal: AbortSignal): Promise<TransactionView | undefined> {
    const conversation = this.#options.conversations.find(id);
    if (conversation === undefined) return this.#options.native.read(id, wait, signal);
    const isEnded = (): boolean => conversation.isAnswered;
    const changed = await awaitChange(conversation.live, wait, isEnded, this.#options.deps.clock, signal);
    return changed ? this.#options.conversations.show(conversation) : undefined;
  }

  async update(id: string, ask: UpdateAsk, ifMatch: string): Promise<TransactionView> {
    const conversation = this.#options.conversations.find(id);
    if (conversation !== undefined) return this.#options.conversations.update(conversation, ask, ifMatch);
    await this.#options.native.mustExist(id);
    throw new RequestProblem(400, 'endpoint does not accept incremental updates');
  }

  async heartbeat(id: string): Promise<TransactionView> {
    const conversation = this.#options.conversations.find(id);
    if (conversation !== undefined) return this.#options.conversations.heartbeat(conversation);
    return this.#options.native.heartbeat(id);
  }

  async upload(id: string, blob: string | undefined, ask: UploadAsk): Promise<UploadProgress> {
    const conversation = this.#options.conversations.find(id);
    if (conversation === undefined) return this.#options.native.upload(id, blob, ask);
    if (blob !== undefined) throw new RequestProblem(404, 'unknown blob');
    return this.#options.conversations.upload(conversation, ask);
  }

  async cancel(id: string): Promise<void> {
    const conversation = this.#options.conversations.find(id);
    if (conversation !== undefined) this.#options.conversations.cancel(conversation);
    else await this.#options.native.cancel(id);
  }
}
