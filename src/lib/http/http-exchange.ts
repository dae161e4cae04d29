/**
 * An exchange with the next hop over REST. Requests that change something go one after the other; beside them one hanging GET follows the
 * transaction while somebody waits for a reply, and a heartbeat keeps it alive until the message is sent.
 */
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { HopAsk } from '../core/hop.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { notesOf } from '../core/parsed-message.ts';
import { cancelledReply, mailFailed, rcptsFailed } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import { inDoubt } from '../core/uncertainty.ts';
import { cancelRemote } from './cancel-remote.ts';
import { type Deadline, Deadlines, startDeadline } from './deadline.ts';
import { handOver } from './hand-over.ts';
import { keepAlive } from './heartbeat.ts';
import type { PeerView } from './peer-view.ts';
import { type Peer, RemoteTransaction } from './remote-transaction.ts';
import { ReplyFollower } from './reply-follower.ts';
import { startAnew } from './start-anew.ts';
import { isNotOffered, timeoutReply, troubleReply } from './upstream-trouble.ts';
import { createJson } from './wire-create.ts';
import { fromReceiver } from './wire-dsn.ts';

export interface HttpExchangeOptions {
  readonly endpoint: URL;
  readonly chunkSize: number;
  readonly refreshIntervalMs: number;
}

const inDoubtReply: Response = reply(450, '4.4.7', 'upstream timeout: a recipient is in doubt');

export class HttpExchange implements Exchange {
  readonly #peer: Peer;
  readonly #options: HttpExchangeOptions;
  readonly #ask: HopAsk;
  readonly #deadlines: Deadlines;
  readonly #replies: ReplyFollower;
  /** Ends the heartbeats, when they are needed no more. */
  #calm: () => void = () => undefined;
  #from: Mailbox | undefined;
  readonly #rcpts: { readonly to: Mailbox; readonly answer: Promise<Response> }[] = [];
  /** Recipients that are asked but not yet sent, and how many were sent. */
  #unsent: Mailbox[] = [];
  #sent = 0;
  #remote: RemoteTransaction | undefined;
  /** The end of the line of requests that change something; never rejects. */
  #writes: Promise<void> = Promise.resolve();
  #lastWriteAt = 0;
  /** The peer has refused the upload, or could not be given it: it has no message. */
  #isNotOffered = false;

  constructor(peer: Peer, options: HttpExchangeOptions, ask: HopAsk) {
    this.#peer = peer;
    this.#options = options;
    this.#ask = ask;
    this.#deadlines = new Deadlines(peer.deps.clock);
    this.#replies = new ReplyFollower({
      deps: peer.deps,
      deadlines: this.#deadlines,
      writes: () => this.#writes,
      onTrouble: (response) => this.#fail(response),
    });
  }

  get transaction(): string | undefined {
    return this.#remote?.url.pathname.split('/').at(-1);
  }

  mail(from: Mailbox): Promise<Response> {
    must(this.#from === undefined, 'MAIL is asked once');
    this.#from = from;
    const answer = this.#reply((view) => view.mail, this.#ask.rcptTimeoutMs);
    if (this.#ask.createAt === 'mail') this.#create([]);
    return answer;
  }

  rcpt(to: Mailbox): Promise<Response> {
    must(this.#from !== undefined, 'MAIL comes before RCPT');
    const index = this.#rcpts.length;
    if (this.#ask.createAt === 'rcpt' && index === 0) this.#create([to]);
    else this.#send(to);
    // Asked first and waited for then, so that the next poll comes after the PATCH.
    const answer = this.#reply((view) => refusedMail(view) ?? view.rcpt[index], this.#ask.rcptTimeoutMs);
    this.#rcpts.push({ to, answer });
    return answer;
  }

  async data(body: Body): Promise<Response> {
    const answers = await Promise.all(this.#rcpts.map(({ answer }) => answer));
    const asked = this.#remote?.view;
    if (this.#replies.failure !== undefined) return this.#replies.failure;
    if (asked?.mail !== undefined && !isOk(asked.mail)) return mailFailed(asked.mail);
    if (!answers.some(isOk)) return rcptsFailed(answers);
    // A recipient whose answer came too late for us would get the message all the same, and again when the client retries.
    const isRcptInDoubt = answers.some((answer, i) => answer === timeoutReply && !isRefused(asked?.rcpt[i]));
    if (isRcptInDoubt) return inDoubtReply;
    this.#calm();
    const deadline = this.#deadline(this.#ask.dataTimeoutMs);
    const accepted = this.#rcpts.filter((_, i) => isOk(answers[i] as Response)).map(({ to }) => to);
    const kept = [body, ...(notesOf(body).parsed?.blobs.values() ?? [])].map((each) => each.retain());
    try {
      await this.#write((remote) => this.#handOver(remote, body, accepted, deadline));
    } finally {
      for (const release of kept) release();
    }
    const response = await this.#replies.wait((shown) => shown.data, deadline);
    const view = this.#remote?.view;
    if (view?.data === undefined && !this.#isNotOffered) return inDoubt(response);
    return view?.isReceiver === true && isOk(response) ? fromReceiver(response) : response;
  }

  close(): Promise<void> {
    if (this.#deadlines.isStopped) return Promise.resolve();
    this.#deadlines.stop();
    this.#fail(cancelledReply);
    // What is answered has nothing to be cancelled.
    if (this.#remote?.view.data === undefined) void this.#writes.then(() => this.#cancel());
    return Promise.resolve();
  }

  /** The create is not cut short by `close`: only a transaction whose URL is known can be cancelled. */
  #create(rcpts: readonly Mailbox[]): void {
    const { rcptTimeoutMs } = this.#ask;
    const { clock, log } = this.#peer.deps;
    this.#sent = rcpts.length;
    const deadline = startDeadline(clock, rcptTimeoutMs);
    const json = createJson(this.#ask, this.#from as Mailbox, rcpts);
    this.#writes = RemoteTransaction.create(
      this.#peer,
      this.#options.endpoint,
      json,
      deadline,
      this.#replies.listener(),
    )
      .then(
        (remote) => {
          this.#remote = remote;
          this.#lastWriteAt = clock.monotonicMs();
          this.#replies.follow(remote);
          this.#keepAlive();
        },
        (error: unknown) => this.#fail(troubleReply(error, deadline, log)),
      )
      .finally(() => deadline.clear());
  }

  /** Recipients that come while a request is on its way go together in the next one. */
  #send(to: Mailbox): void {
    this.#unsent.push(to);
    if (this.#unsent.length > 1) return;
    const deadline = this.#deadline(this.#ask.rcptTimeoutMs);
    void this.#write(async (remote) => {
      const batch = this.#unsent;
      this.#unsent = [];
      const offset = this.#sent;
      this.#sent += batch.length;
      await this.#orFail(remote.addRcpts(batch, offset, deadline), deadline);
    }).finally(() => deadline.clear());
  }

  async #handOver(first: RemoteTransaction, body: Body, rcpts: readonly Mailbox[], deadline: Deadline): Promise<void> {
    const { log } = this.#peer.deps;
    const { chunkSize } = this.#options;
    const toldFilterOutput = this.#ask.filterOutput ?? {};
    try {
      const end = await handOver(first, { body, toldFilterOutput, chunkSize, deadline, log });
      if (end === 'parsedRefused') await this.#handOverPlain(body, rcpts, deadline);
    } catch (error) {
      // A peer that has answered already may refuse the upload; then its answer is what counts.
      const remote = this.#remote ?? first;
      const trouble = troubleReply(error, deadline, log);
      if (!deadline.isEnded) {
        await remote.read(deadline).catch((error: unknown) => log.debug({ error }, 'no answer after an upload'));
      }
      if (remote.view.data !== undefined) return;
      this.#isNotOffered = isNotOffered(error);
      this.#fail(trouble);
    }
  }

  /** The message without its parsed form, in a transaction of its own. */
  async #handOverPlain(body: Body, rcpts: readonly Mailbox[], deadline: Deadline): Promise<void> {
    const show = this.#replies.listener();
    await this.#cancel();
    const filterOutput = { ...this.#ask.filterOutput, ...notesOf(body).filterOutput };
    const envelope = { ask: { ...this.#ask, filterOutput }, from: this.#from as Mailbox, rcpts };
    const start = await startAnew(this.#peer, this.#options.endpoint, envelope, deadline, show);
    this.#remote = start.remote;
    this.#replies.follow(start.remote);
    if (start.refusal !== undefined) this.#fail(start.refusal);
    else await start.remote.upload(body, this.#options.chunkSize, deadline);
  }

  /** Runs a step when those before it are done; nothing is started once the exchange failed or closed. */
  #write(step: (remote: RemoteTransaction) => Promise<void>): Promise<void> {
    this.#writes = this.#writes.then(async () => {
      const remote = this.#remote;
      if (remote === undefined || this.#replies.failure !== undefined) return;
      await step(remote);
      this.#lastWriteAt = this.#peer.deps.clock.monotonicMs();
    });
    return this.#writes;
  }

  async #orFail(step: Promise<void>, deadline: Deadline): Promise<void> {
    try {
      await step;
    } catch (error) {
      this.#fail(troubleReply(error, deadline, this.#peer.deps.log));
    }
  }

  #fail(response: Response): void {
    this.#calm();
    this.#replies.fail(response);
  }

  #reply(pick: (view: PeerView) => Response | undefined, timeoutMs: number): Promise<Response> {
    return this.#replies.wait(pick, this.#deadline(timeoutMs));
  }

  #deadline(ms: number): Deadline {
    return this.#deadlines.start(ms);
  }

  #keepAlive(): void {
    const { clock, log } = this.#peer.deps;
    if (this.#replies.failure !== undefined) return;
    this.#calm = keepAlive({
      clock,
      intervalMs: this.#options.refreshIntervalMs,
      lastHeardAt: () => this.#lastWriteAt,
      beat: () =>
        this.#write(async (remote) => {
          const deadline = this.#deadline(this.#ask.rcptTimeoutMs);
          // The next request will tell whether a failure matters.
          await remote.heartbeat(deadline).catch((error: unknown) => log.debug({ error }, 'a heartbeat failed'));
          deadline.clear();
        }),
    });
  }

  async #cancel(): Promise<void> {
    if (this.#remote !== undefined) await cancelRemote(this.#peer, this.#remote);
  }
}

function refusedMail({ mail }: PeerView): Response | undefined {
  return mail === undefined || isOk(mail) ? undefined : mailFailed(mail);
}

function isRefused(answer: Response | undefined): boolean {
  return answer !== undefined && !isOk(answer);
}
