/**
 * The exploder ends a chain that faces SMTP: it opens one single-recipient transaction for each recipient and folds their replies into
 * what one SMTP conversation can say. What it cannot pass on while the client waits, it has adopted before it answers 2xx.
 */
import { z } from 'zod';
import type { Child } from '../chain/child.ts';
import { type ChainEnv, defineOutput, type TxContext } from '../chain/filter.ts';
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { shareOf } from '../core/fair-shares.ts';
import {
  answerData,
  answerRcpt,
  type DataOutcome,
  type FanoutMode,
  parkedRcpt,
  type RcptAnswer,
} from '../core/fanout.ts';
import { inTime, type Waits } from '../core/in-time.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { cancelledReply } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import { notStored } from '../core/storage-trouble.ts';

const config = z
  .strictObject({
    msa: z
      .boolean()
      .default(false)
      .describe('Store and forward whatever fails temporarily, as a submission service does.'),
    rcpt_timeout: z.number().min(0).optional().describe('Seconds to wait for the answer to RCPT (30; with msa 5).'),
    data_timeout: z.number().min(0).optional().describe('Seconds to wait for the answer to DATA (300; with msa 30).'),
    /** Written in many files of the original, where it has no effect; the sender's upstream_sender and upstream_tag decide. */
    output_chain: z
      .string()
      .optional()
      .describe('Accepted and ignored: `upstream_sender` and `upstream_tag` of the sender decide.'),
  })
  .transform((c) => ({
    mode: (c.msa ? 'msa' : 'ingress') as FanoutMode,
    rcptTimeoutMs: (c.rcpt_timeout ?? (c.msa ? 5 : 30)) * 1000,
    dataTimeoutMs: (c.data_timeout ?? (c.msa ? 30 : 300)) * 1000,
  }));

type ExploderConfig = z.output<typeof config>;

export const exploder = defineOutput<ExploderConfig>({
  name: 'exploder',
  summary: 'Opens one transaction for each recipient and answers for all of them.',
  incremental: true,
  config,
  create: (c, env) => (tx) => new ExploderExchange(c, env, tx),
});

/** One accepted or still undecided recipient, in the order of RCPT. */
interface Recipient {
  readonly child: Child;
  /** The far end's answer to MAIL and RCPT, whenever it comes. */
  readonly envelope: Promise<Response>;
  /** What the client was told; unknown until it was. */
  standing?: RcptAnswer['standing'];
}

class ExploderExchange implements Exchange {
  readonly #config: ExploderConfig;
  readonly #env: ChainEnv;
  readonly #tx: TxContext;
  readonly #recipients: Recipient[] = [];
  readonly #rcptAnswers: Promise<Response>[] = [];
  #isClosed = false;
  readonly #waits: Waits = new Set();
  #from: Mailbox | undefined;

  constructor(c: ExploderConfig, env: ChainEnv, tx: TxContext) {
    this.#config = c;
    this.#env = env;
    this.#tx = tx;
  }

  mail(from: Mailbox): Promise<Response> {
    this.#from = from;
    return Promise.resolve(reply(250, '2.1.0', 'ok'));
  }

  rcpt(to: Mailbox): Promise<Response> {
    const answer = this.#rcpt(to);
    this.#rcptAnswers.push(answer);
    return answer;
  }

  async #rcpt(to: Mailbox): Promise<Response> {
    must(this.#from !== undefined, 'MAIL comes before RCPT');
    if (this.#isClosed) return cancelledReply;
    const child = this.#open();
    if (child === undefined) return reply(451, '4.3.2', 'too many transactions at work, try again later');
    const recipient: Recipient = { child, envelope: askEnvelope(child, this.#from, to) };
    this.#recipients.push(recipient);
    if (child.isParked) {
      recipient.standing = parkedRcpt.standing;
      return parkedRcpt.response;
    }
    const { mode, rcptTimeoutMs } = this.#config;
    const upstream = await this.#inTime(recipient.envelope, rcptTimeoutMs);
    if (this.#isClosed) return cancelledReply;
    const { response, standing } = answerRcpt(upstream, mode);
    recipient.standing = standing;
    if (standing === 'refused') await child.exchange.close();
    return response;
  }

  #open(): Child | undefined {
    const { sender, upstreamSender, upstreamTag, children } = this.#env;
    const { id, signals, remoteHost, localHost, smtpMeta } = this.#tx;
    return children.open({
      parentId: id,
      signals,
      remoteHost,
      localHost,
      smtpMeta,
      sender: upstreamSender,
      tag: upstreamTag,
      onBehalfOf: shareOf(sender),
      mayPark: this.#config.mode === 'msa',
    });
  }

  async data(body: Body): Promise<Response> {
    if (this.#recipients.some(({ standing }) => standing === undefined)) await Promise.allSettled(this.#rcptAnswers);
    const recipients = this.#recipients.filter(({ standing }) => standing === 'accepted' || standing === 'held');
    const outcomes = await Promise.all(recipients.map((recipient) => this.#outcome(recipient, body)));
    const { response, adopt } = answerData(outcomes, this.#config.mode);
    if (adopt.length === 0) return response;
    // The client went away without an answer, so the message is still its own: nobody can be promised anything.
    if (this.#isClosed) return cancelledReply;
    try {
      const adopted = adopt.map((i) => (recipients[i] as Recipient).child);
      await this.#env.children.adopt(adopted, body);
      // What a sender is to hear of those is told by them, and by nobody who stands before us.
      return { ...response, source: { handover: 'passed' } };
    } catch (error) {
      this.#tx.log.error({ error }, 'could not take responsibility for a message');
      return notStored(error);
    }
  }

  async #outcome(recipient: Recipient, body: Body): Promise<DataOutcome> {
    const { dataTimeoutMs } = this.#config;
    const isAsked = recipient.standing === 'accepted' && dataTimeoutMs > 0;
    const answer = isAsked ? await this.#inTime(askData(recipient, body), dataTimeoutMs) : undefined;
    return { reply: answer, bounces: recipient.child.bounces };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const end of this.#waits) end();
    await Promise.all(this.#recipients.map(({ child }) => child.exchange.close()));
  }

  /** The reply, or `undefined` when it did not come in time. */
  #inTime(answer: Promise<Response>, timeoutMs: number): Promise<Response | undefined> {
    return inTime(answer, this.#isClosed ? 0 : timeoutMs, this.#env.deps.clock, undefined, this.#waits);
  }
}

/** MAIL and RCPT at once; a refused MAIL is the recipient's answer too, with its own words. */
async function askEnvelope(child: Child, from: Mailbox, to: Mailbox): Promise<Response> {
  const mail = child.exchange.mail(from);
  const rcpt = child.exchange.rcpt(to);
  // A child never rejects: what goes wrong in its chain is a reply.
  const mailReply = await mail;
  return isOk(mailReply) ? rcpt : mailReply;
}

/** A recipient that was accepted before the far end answered may be refused by now: then its own words are the answer to DATA. */
async function askData({ child, envelope }: Recipient, body: Body): Promise<Response> {
  const answer = await child.exchange.data(body);
  const envelopeAnswer = await envelope;
  return isOk(envelopeAnswer) ? answer : envelopeAnswer;
}
