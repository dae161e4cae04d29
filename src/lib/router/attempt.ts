/** One attempt of one transaction: opens its chain, follows what is asked, and says how it ended. */
import { drive } from '../chain/drive.ts';
import type { Body } from '../core/body.ts';
import { ofConversation, wireForm } from '../core/conversation-signals.ts';
import type { Log } from '../core/deps.ts';
import { LeaseLostError, must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import type { AttemptEnd } from '../core/retry.ts';
import { decisive, type TxState } from '../core/transaction.ts';
import type { DotJournal } from './dot-journal.ts';
import { leasedBody } from './leased-body.ts';
import type { Work } from './work.ts';

/** Why an attempt is stopped from outside; the reason of `Work.stop`. `shutdown`: the transaction is to be, or already is, another's. */
export type StopReason = 'downstreamTimeout' | 'shutdown';

/** How it ended; `shutdown` leaves the transaction to whoever takes over its lease. */
export type WorkEnd = AttemptEnd | { readonly kind: 'shutdown' };

const leaseInDoubt = reply(
  451,
  '4.3.0',
  'not sent: storage is away and another router may have taken the message over',
);

const notOurs = reply(451, '4.3.0', 'not sent: another router has taken the message over');
const journalAway = reply(451, '4.3.0', 'not sent: the delivery journal cannot be written');

export interface AttemptEnv {
  readonly log: Log;
  /** Asked before a stored message is sent: two routers that both think it theirs would send it twice. */
  readonly isLeaseCertain: () => Promise<boolean>;
  readonly dots: DotJournal;
  /** Hears the far end's answer to the message and says what goes downstream. */
  readonly onAnswer?: (response: Response) => Promise<Response>;
}

/** A message may be stored, and then be taken over by another router, while it is on its way out. */
export async function runAttempt(work: Work, startedAt: number, env: AttemptEnv): Promise<WorkEnd> {
  const { live, facts, stop } = work;
  const { log, onAnswer = (response: Response) => Promise.resolve(response) } = env;
  work.attemptStartedAt = startedAt;
  live.apply({ type: 'attempt' });
  const message = new MessageGuard(work, env);
  const exchange = facts.route.chain.open({
    id: facts.id,
    origin: facts.origin,
    log,
    onSignal: (filter, value) => live.apply({ type: 'signal', filter, value }),
    onHost: (host) => work.offered(host),
    inherited: () => wireForm(facts.inherited?.() ?? ofConversation(live.state.filterOutput)),
    guard: (body) => message.guarded(body),
  });
  const careful: Exchange = {
    mail: (from) => exchange.mail(from),
    rcpt: (to) => exchange.rcpt(to),
    data: async (body) => onAnswer(await message.send(exchange, body)),
    close: () => exchange.close(),
  };
  const end = await drive(live, careful, stop, (error) => {
    log.error({ error }, 'a step of the chain failed with a bug');
  });
  env.dots.answered(work);
  if (end === 'cancelled') return { kind: 'cancelled' };
  if (end === 'stopped') return { kind: stop.reason ?? 'shutdown' };
  return repliedEnd(live.state);
}

/** Decides whether the end of a message may go out: it is certainly ours, and the journal has it where that is asked for. */
class MessageGuard {
  readonly #work: Work;
  readonly #env: AttemptEnv;
  /** Why it may not. */
  #refusal: Response | undefined;

  constructor(work: Work, env: AttemptEnv) {
    this.#work = work;
    this.#env = env;
  }

  async send(exchange: Exchange, body: Body): Promise<Response> {
    if (!(await this.#isOurs())) return leaseInDoubt;
    try {
      const response = await exchange.data(body);
      this.#env.dots.answered(this.#work);
      if (this.#refusal !== undefined) return this.#refusal;
      return this.#work.dotSentAt === undefined ? certain(response) : response;
    } catch (error) {
      if (error instanceof LeaseLostError) return this.#refusal ?? leaseInDoubt;
      throw error;
    }
  }

  /** The message as the output gets it. */
  guarded(body: Body): Body {
    return leasedBody(
      body,
      () => this.#mayEnd(),
      () => {
        if (this.#refusal !== journalAway) this.#work.stop.pull('shutdown');
      },
    );
  }

  async #mayEnd(): Promise<boolean> {
    if (await this.#isOurs()) return this.#isJournalled();
    this.#refusal = leaseInDoubt;
    return false;
  }

  /** Nobody else knows of what is not stored. */
  #isOurs(): Promise<boolean> {
    return this.#work.isDurable ? this.#env.isLeaseCertain() : OURS;
  }

  async #isJournalled(): Promise<boolean> {
    try {
      if (await this.#env.dots.sending(this.#work)) return true;
      this.#refusal = notOurs;
    } catch (error) {
      this.#env.log.error({ error }, 'a message is not sent: the delivery journal cannot be written');
      this.#refusal = journalAway;
      this.#work.dotSentAt = undefined;
    }
    return false;
  }
}

const OURS = Promise.resolve(true);

/** All of the message never went out, so there is no doubt about it. */
function certain(response: Response): Response {
  if (response.inDoubt === undefined) return response;
  const { inDoubt: _, ...rest } = response;
  return rest;
}

/** How an attempt ended that a reply has decided. */
export function repliedEnd(state: TxState): AttemptEnd {
  const reply = decisive(state);
  must(reply !== undefined, 'an attempt that was decided has a decisive reply');
  // A bug that came after the far end had answered changes nothing about the answer.
  if (reply === internalErrorReply) return { kind: 'bug' };
  const { mail, data } = state.replies;
  if (data !== undefined) return { kind: 'replied', phase: 'data', reply };
  return { kind: 'replied', phase: mail !== undefined && !isOk(mail) ? 'mail' : 'rcpt', reply };
}
