/** One attempt of one transaction: opens its chain, follows what is asked, and says how it ended. */
import type { ExchangeInit } from '../chain/chain-tx.ts';
import { type DriveEnd, drive } from '../chain/drive.ts';
import type { Body } from '../core/body.ts';
import { ofConversation, wireForm } from '../core/conversation-signals.ts';
import type { Log } from '../core/deps.ts';
import type { HostPort, Origin } from '../core/envelope.ts';
import { LeaseLostError, must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import type { AttemptEnd } from '../core/retry.ts';
import { decisive, type FilterOutput, type TxState } from '../core/transaction.ts';
import type { DotJournal } from './dot-journal.ts';
import { type Lease, leasedBody } from './leased-body.ts';
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
  /** Asked before a stored message is sent: two routers that both think it theirs would send it twice. */
  readonly isLeaseCertain: () => boolean | Promise<boolean>;
  readonly dots: DotJournal;
  /** Hears the far end's answer to the message and says what goes downstream. */
  readonly onAnswer: (work: Work, response: Response) => Response | Promise<Response>;
}

/**
 * What the chain is opened for and asked through. It decides whether the end of the message may go out, because the message may be stored, and
 * then be taken over by another router, while it is on its way: it must certainly be ours, and the journal has it where that is asked for.
 */
export class Attempt implements ExchangeInit, Exchange, Lease {
  readonly log: Log;
  readonly #work: Work;
  readonly #env: AttemptEnv;
  readonly #exchange: Exchange;
  /** Why the end of the message may not go out. */
  #refusal: Response | undefined;

  /** Begins the attempt; throws when its chain cannot even be opened. */
  constructor(work: Work, log: Log, startedAt: number, env: AttemptEnv) {
    this.log = log;
    this.#work = work;
    this.#env = env;
    work.attemptStartedAt = startedAt;
    work.live.apply({ type: 'attempt' });
    this.#exchange = work.facts.route.chain.open(this);
  }

  /** Follows what is asked until the attempt is over; never rejects. */
  run(): Promise<DriveEnd> {
    const { live, stop } = this.#work;
    return drive(live, this, stop, (error) => this.log.error({ error }, 'a step of the chain failed with a bug'));
  }

  /** How it ended, once it has. */
  endOf(end: DriveEnd): WorkEnd {
    this.#env.dots.answered(this.#work);
    if (end === 'cancelled') return { kind: 'cancelled' };
    if (end === 'stopped') return { kind: this.#work.stop.reason ?? 'shutdown' };
    const replied = repliedEnd(this.#work.live.state);
    return replied.kind === 'bug' && this.#refusal === undefined ? bugIn(this.#work) : replied;
  }

  get id(): string {
    return this.#work.facts.id;
  }

  get origin(): Origin {
    return this.#work.facts.origin;
  }

  get isWhole(): boolean {
    const { body, rcptTo } = this.#work.live.state;
    return body !== undefined && rcptTo.length === 1;
  }

  onSignal(filter: string, value: unknown): void {
    this.#work.live.apply({ type: 'signal', filter, value });
  }

  onHost(host: HostPort): void {
    this.#work.offered(host);
  }

  inherited(): FilterOutput {
    const { facts, live } = this.#work;
    return wireForm(facts.inherited?.() ?? ofConversation(live.state.filterOutput));
  }

  rcptReplies(): TxState['replies']['rcpt'] {
    return this.#work.live.state.replies.rcpt;
  }

  guard(body: Body): Body {
    return leasedBody(body, this);
  }

  mail(from: Mailbox): Promise<Response> {
    return this.#exchange.mail(from);
  }

  rcpt(to: Mailbox): Promise<Response> {
    return this.#exchange.rcpt(to);
  }

  data(body: Body): Promise<Response> {
    const isOurs = this.#isOurs();
    return isOurs === true ? this.#send(body) : this.#sendOnce(isOurs, body);
  }

  close(): Promise<void> {
    return this.#exchange.close();
  }

  async #sendOnce(isOurs: boolean | Promise<boolean>, body: Body): Promise<Response> {
    return (await isOurs) ? this.#send(body) : leaseInDoubt;
  }

  #send(body: Body): Promise<Response> {
    return this.#exchange.data(body).then(
      (response) => this.#answerOf(response),
      (error: unknown) => {
        if (error instanceof LeaseLostError) return this.#refusal ?? leaseInDoubt;
        throw error;
      },
    );
  }

  #answerOf(response: Response): Response | Promise<Response> {
    this.#env.dots.answered(this.#work);
    if (this.#refusal !== undefined) return this.#refusal;
    return this.#env.onAnswer(this.#work, this.#work.dotSentAt === undefined ? certain(response) : response);
  }

  mayEnd(): boolean | Promise<boolean> {
    const isOurs = this.#isOurs();
    return isOurs === true ? this.#isJournalled() : this.#mayEndOnce(isOurs);
  }

  async #mayEndOnce(isOurs: boolean | Promise<boolean>): Promise<boolean> {
    if (await isOurs) return this.#isJournalled();
    this.#refusal = leaseInDoubt;
    return false;
  }

  keptBack(): void {
    if (this.#refusal !== journalAway) this.#work.stop.pull('shutdown');
  }

  /** Nobody else knows of what is not stored. What was stopped may have been another's before this router was certain of its leases again. */
  #isOurs(): boolean | Promise<boolean> {
    return !this.#work.isDurable || (!this.#work.stop.isPulled && this.#env.isLeaseCertain());
  }

  #isJournalled(): boolean | Promise<boolean> {
    const isWritten = this.#env.dots.sending(this.#work);
    return isWritten === true || this.#isJournalledOnce(isWritten);
  }

  async #isJournalledOnce(isWritten: boolean | Promise<boolean>): Promise<boolean> {
    try {
      if (await isWritten) return true;
      this.#refusal = notOurs;
    } catch (error) {
      this.log.error({ error }, 'a message is not sent: the delivery journal cannot be written');
      this.#refusal = journalAway;
      this.#work.dotSentAt = undefined;
    }
    return false;
  }
}

/** All of the message never went out, so there is no doubt about it. */
function certain(response: Response): Response {
  if (response.inDoubt === undefined) return response;
  const { inDoubt: _, ...rest } = response;
  return rest;
}

/** The attempt failed with a bug; once all of the message is out, nobody has heard what was said to it. */
export function bugIn(work: Work): AttemptEnd {
  return work.dotSentAt === undefined ? { kind: 'bug' } : { kind: 'bug', isInDoubt: true };
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
