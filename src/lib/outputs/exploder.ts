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
import { answerData, answerRcpt, type FanoutMode, parkedRcpt } from '../core/fanout.ts';
import { domainOf, type Mailbox } from '../core/mailbox.ts';
import { cancelledReply } from '../core/precondition.ts';
import { type Response, reply } from '../core/response.ts';
import { noSpaceReply, notStored } from '../core/storage-trouble.ts';
import { Recipient } from './recipient.ts';

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
  create: (c, env) => {
    const shared = { config: c, env, share: shareOf(env.sender) };
    return (tx) => new ExploderExchange(shared, tx);
  },
});

const mailTaken = Promise.resolve(reply(250, '2.1.0', 'ok'));
const CLOSED = Promise.resolve();
/** A child that tells us its answer is not asked for anything before it is done with that. */
const tellingIsOver = CLOSED;
const noRoom = reply(451, '4.3.2', 'too many transactions at work, try again later');

const NOT_TAKEN = 'could not take responsibility for a message';

/** What all transactions of one chain share. */
interface Exploder {
  readonly config: ExploderConfig;
  readonly env: ChainEnv;
  /** Whom the places of its children count for. */
  readonly share: string;
}

class ExploderExchange implements Exchange {
  readonly #exploder: Exploder;
  readonly #tx: TxContext;
  /** In the order of RCPT; also those that were refused. */
  readonly #recipients: Recipient[] = [];
  #isClosed = false;
  #from: Mailbox | undefined;

  constructor(exploder: Exploder, tx: TxContext) {
    this.#exploder = exploder;
    this.#tx = tx;
  }

  mail(from: Mailbox): Promise<Response> {
    this.#from = from;
    return mailTaken;
  }

  rcpt(to: Mailbox): Promise<Response> {
    must(this.#from !== undefined, 'MAIL comes before RCPT');
    if (this.#isClosed) return Promise.resolve(cancelledReply);
    const child = this.#open(to);
    if (child === undefined) return Promise.resolve(noRoom);
    const recipient = new Recipient(child);
    this.#recipients.push(recipient);
    recipient.askEnvelope(this.#from, to);
    if (child.isParked) {
      recipient.standing = parkedRcpt.standing;
      return Promise.resolve(parkedRcpt.response);
    }
    recipient.told = new Promise((resolve) => {
      this.#await(recipient, this.#exploder.config.rcptTimeoutMs, () => resolve(this.#answerRcpt(recipient)));
    });
    return recipient.told;
  }

  #answerRcpt(recipient: Recipient): Response | Promise<Response> {
    if (this.#isClosed) return cancelledReply;
    const { response, standing } = answerRcpt(recipient.reply, this.#exploder.config.mode);
    recipient.standing = standing;
    return standing === 'refused' ? closed(recipient.child, response) : response;
  }

  #open({ address }: Mailbox): Child | undefined {
    const { config, env, share } = this.#exploder;
    const { id, signals, remoteHost, localHost, smtpMeta } = this.#tx;
    return env.children.open({
      parentId: id,
      signals,
      remoteHost,
      localHost,
      smtpMeta,
      sender: env.upstreamSender,
      tag: env.upstreamTag,
      onBehalfOf: share,
      domain: domainOf(address),
      mayPark: config.mode === 'msa',
    });
  }

  data(body: Body): Promise<Response> {
    if (!this.#recipients.some(isUndecided)) return this.#data(body);
    return Promise.allSettled(this.#recipients.map(({ told }) => told)).then(() => this.#data(body));
  }

  /** Asks all that were accepted at once, and answers when the last of them is answered. */
  #data(body: Body): Promise<Response> {
    const recipients = this.#recipients.filter(isAccepted);
    const { dataTimeoutMs } = this.#exploder.config;
    return new Promise((resolve) => {
      // One more than there are, so that nobody is the last before all are asked.
      let left = recipients.length + 1;
      const onAnswer = (): void => {
        left -= 1;
        if (left === 0) resolve(this.#answerData(recipients, body));
      };
      for (const recipient of recipients) {
        if (recipient.standing === 'accepted' && dataTimeoutMs > 0) {
          recipient.askData(body);
          this.#await(recipient, dataTimeoutMs, onAnswer);
        } else {
          recipient.skipData();
          onAnswer();
        }
      }
      onAnswer();
    });
  }

  #answerData(recipients: readonly Recipient[], body: Body): Response | Promise<Response> {
    const { response, adopt } = answerData(recipients, this.#exploder.config.mode);
    if (adopt.length === 0) return response;
    // The client went away without an answer, so the message is still its own: nobody can be promised anything.
    if (this.#isClosed) return cancelledReply;
    return this.#adopt(
      adopt.map((i) => (recipients[i] as Recipient).child),
      body,
      response,
    );
  }

  async #adopt(children: readonly Child[], body: Body, response: Response): Promise<Response> {
    await tellingIsOver;
    try {
      await this.#exploder.env.children.adopt(children, body);
      // What a sender is to hear of those is told by them, and by nobody who stands before us.
      return { ...response, source: { handover: 'passed' } };
    } catch (error) {
      const answer = notStored(error);
      // A full disk is no bug, and every message hears of it: a line without a stack.
      if (answer === noSpaceReply) this.#tx.log.warn({ error: (error as Error).message }, NOT_TAKEN);
      else this.#tx.log.error({ error }, NOT_TAKEN);
      return answer;
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const recipient of this.#recipients) recipient.endWait();
    const [first] = this.#recipients;
    // Nearly always it is the only one, and has nothing to wait for.
    return this.#recipients.length > 1 ? closeAll(this.#recipients) : (first?.child.exchange.close() ?? CLOSED);
  }

  /** Once closed, nobody waits any more. */
  #await(recipient: Recipient, timeoutMs: number, onAnswer: () => void): void {
    recipient.wait(this.#isClosed ? 0 : timeoutMs, this.#exploder.env.deps.clock, onAnswer);
  }
}

async function closed(child: Child, response: Response): Promise<Response> {
  await tellingIsOver;
  await child.exchange.close();
  return response;
}

async function closeAll(recipients: readonly Recipient[]): Promise<void> {
  await Promise.all(recipients.map(({ child }) => child.exchange.close()));
}

const isUndecided = ({ standing }: Recipient): boolean => standing === undefined;
const isAccepted = ({ standing }: Recipient): boolean => standing === 'accepted' || standing === 'held';
