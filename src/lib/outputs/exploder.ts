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
import { answerData, answerRcpt, type DataOutcome, type FanoutMode } from '../core/fanout.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';

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

interface Recipient {
  readonly child: Child;
  readonly standing: 'accepted' | 'held';
}

class ExploderExchange implements Exchange {
  readonly #config: ExploderConfig;
  readonly #env: ChainEnv;
  readonly #tx: TxContext;
  readonly #children: Child[] = [];
  readonly #recipients: Recipient[] = [];
  #from: Mailbox | undefined;

  constructor(c: ExploderConfig, env: ChainEnv, tx: TxContext) {
    this.#config = c;
    this.#env = env;
    this.#tx = tx;
  }

  mail(from: Mailbox): Promise<Response> {
    this.#from = from;
    return Promise.resolve(reply(250, '2.1.0', 'MAIL ok (exploder noop)'));
  }

  async rcpt(to: Mailbox): Promise<Response> {
    must(this.#from !== undefined, 'MAIL comes before RCPT');
    const { upstreamSender, upstreamTag, children } = this.#env;
    const { remoteHost, localHost, smtpMeta } = this.#tx;
    const child = children.open({
      parentId: this.#tx.id,
      sender: upstreamSender,
      tag: upstreamTag,
      ...(remoteHost && { remoteHost }),
      ...(localHost && { localHost }),
      ...(smtpMeta && { smtpMeta }),
    });
    if (child === undefined) return reply(451, '4.3.2', 'too many transactions at work, try again later');
    this.#children.push(child);
    const answer = answerRcpt(
      await this.#inTime(askEnvelope(child, this.#from, to), this.#config.rcptTimeoutMs),
      this.#config.mode,
    );
    if (answer.standing === 'refused') await child.exchange.close();
    else this.#recipients.push({ child, standing: answer.standing });
    return answer.response;
  }

  async data(body: Body): Promise<Response> {
    const recipients = [...this.#recipients];
    const { mode, dataTimeoutMs } = this.#config;
    const outcomes = await Promise.all(
      recipients.map(async ({ child, standing }): Promise<DataOutcome> => {
        const isAsked = standing === 'accepted' && dataTimeoutMs > 0;
        const answer = isAsked ? await this.#inTime(child.exchange.data(body), dataTimeoutMs) : undefined;
        return { reply: answer, bounces: child.bounces };
      }),
    );
    const answer = answerData(outcomes, mode);
    if (answer.adopt.length === 0) return answer.response;
    try {
      const adopted = answer.adopt.map((i) => (recipients[i] as Recipient).child);
      await this.#env.children.adopt(adopted, body);
      return answer.response;
    } catch (error) {
      this.#tx.log.error({ err: error }, 'could not take responsibility for a message');
      return internalErrorReply;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.exchange.close()));
  }

  /** The reply, or `undefined` when it did not come in time. */
  async #inTime(answer: Promise<Response>, timeoutMs: number): Promise<Response | undefined> {
    const timer = new AbortController();
    const late = this.#env.deps.clock
      .sleep(timeoutMs, AbortSignal.any([timer.signal, this.#tx.signal]))
      .then(() => undefined);
    try {
      return await Promise.race([answer, late]);
    } finally {
      timer.abort();
    }
  }
}

/** MAIL and RCPT at once; a refused MAIL is the recipient's answer too, with its own words. */
async function askEnvelope(child: Child, from: Mailbox, to: Mailbox): Promise<Response> {
  const [mail, rcpt] = await Promise.all([child.exchange.mail(from), child.exchange.rcpt(to)]);
  return isOk(mail) ? rcpt : mail;
}
