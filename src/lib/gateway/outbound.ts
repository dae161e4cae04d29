/**
 * The gateway's way out: REST transactions that become SMTP. Each is a conversation in memory that drives one exchange with its destination;
 * which profile speaks is the transaction's tag.
 */
import { drive } from '../chain/drive.ts';
import { refusing } from '../chain/refusing.ts';
import type { GatewayConfig } from '../config/gateway-config.ts';
import { awaitChange, type Wait } from '../conversation/await-change.ts';
import type { Conversation } from '../conversation/conversation.ts';
import type { ConversationTable, Follow } from '../conversation/conversation-table.ts';
import { awaitAnswers, isAllAnswered, type Patience } from '../core/await-answers.ts';
import type { Deps } from '../core/deps.ts';
import { originOf } from '../core/envelope.ts';
import type { Hop } from '../core/hop.ts';
import { reply } from '../core/response.ts';
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
import type { SmtpOutput } from '../outputs/smtp.ts';
import { logSent } from './log-sent.ts';

/** What speaks to destinations, by profile. */
export type SmtpOutputs = ReadonlyMap<string, Pick<SmtpOutput, 'open'>>;

export interface OutboundOptions {
  readonly config: GatewayConfig;
  readonly deps: Deps;
  readonly outputs: SmtpOutputs;
  readonly conversations: ConversationTable;
}

export class Outbound implements TransactionService {
  readonly #options: OutboundOptions;

  constructor(options: OutboundOptions) {
    this.#options = options;
  }

  /** This half as a next hop by a call, for a router in the same process. */
  readonly hop: Hop = {
    offersDsn: true,
    open: (ask) => {
      const output = this.#options.outputs.get(ask.tag ?? '');
      return output === undefined
        ? refusing(reply(450, '4.3.5', `unknown SMTP profile ${ask.tag ?? ''}`))
        : output.open(ask, ask);
    },
  };

  async create(sender: string, ask: CreateAsk): Promise<TransactionView> {
    const { config, deps, outputs, conversations } = this.#options;
    const output = outputs.get(ask.tag ?? '');
    if (output === undefined) {
      const detail =
        ask.tag === undefined ? 'sender.tag names the SMTP profile and is missing' : `unknown SMTP profile ${ask.tag}`;
      throw new RequestProblem(400, detail, { pointer: '/sender/tag' });
    }
    if (ask.body !== undefined && ask.body.kind !== 'inline') {
      throw new RequestProblem(400, 'a gateway takes the message by PUT', { pointer: '/body' });
    }
    if (ask.mailFrom === undefined && ask.rcptTo.length > 0) {
      throw new RequestProblem(400, 'mail_from comes first', { pointer: '/mail_from' });
    }
    const origin = originOf(ask);
    const id = deps.rng.bytes(config.restListener.restIdEntropy).toString('base64url');
    const log = deps.log.child({ tx: id });
    const openedAt = deps.clock.monotonicMs();
    const follow: Follow = async ({ live, stop }) => {
      live.apply({ type: 'attempt' });
      await drive(live, output.open(origin), stop, (error) =>
        log.error({ error }, 'an SMTP exchange failed with a bug'),
      );
      logSent(log, live.state, {
        tag: ask.tag,
        origin,
        durationMs: deps.clock.monotonicMs() - openedAt,
      });
    };
    const conversation = conversations.open({ id, origin, silenceMs: config.restListener.gcTxTtlMs, sender }, follow);
    this.#addEnvelope(conversation, ask);
    if (ask.body?.kind === 'inline') await conversations.takeWhole(conversation, Buffer.from(ask.body.text));
    return this.#options.conversations.show(conversation);
  }

  #addEnvelope({ live }: Conversation, ask: CreateAsk): void {
    if (ask.mailFrom !== undefined) live.apply({ type: 'mail', from: ask.mailFrom });
    for (const to of ask.rcptTo) live.apply({ type: 'rcpt', to });
  }

  async read(
    id: string,
    wait: Wait | undefined,
    signal: AbortSignal,
    caller?: Caller,
  ): Promise<TransactionView | undefined> {
    const conversation = this.#find(id, caller);
    const isEnded = (): boolean => conversation.isAnswered;
    const changed = await awaitChange(conversation.live, wait, isEnded, this.#options.deps.clock, signal);
    return changed ? this.#options.conversations.show(conversation) : undefined;
  }

  async settle(id: string, patience: Patience, caller?: Caller): Promise<TransactionView> {
    const conversation = this.#find(id, caller);
    if (!isAllAnswered(conversation.live.state)) {
      await awaitAnswers(conversation.live, patience, this.#options.deps.clock);
    }
    return this.#options.conversations.show(conversation);
  }

  async update(id: string, ask: UpdateAsk, ifMatch: string, caller?: Caller): Promise<TransactionView> {
    return this.#options.conversations.update(this.#find(id, caller), ask, ifMatch);
  }

  async heartbeat(id: string, caller?: Caller): Promise<TransactionView> {
    return this.#options.conversations.heartbeat(this.#find(id, caller));
  }

  async upload(id: string, blob: string | undefined, ask: UploadAsk, caller?: Caller): Promise<UploadProgress> {
    const conversation = this.#find(id, caller);
    if (blob !== undefined) throw new RequestProblem(404, 'unknown blob');
    return this.#options.conversations.upload(conversation, ask);
  }

  async cancel(id: string, caller?: Caller): Promise<void> {
    this.#options.conversations.cancel(this.#find(id, caller));
  }

  #find(id: string, caller: Caller | undefined): Conversation {
    const conversation = this.#options.conversations.find(id, caller);
    if (conversation === undefined) throw new RequestProblem(404, 'transaction not found');
    return conversation;
  }
}
