/**
 * One message on its way in: the steps that were said and answered, and its files.
 *
 *   create → mail, rcpt… answered → (parsed JSON, its parts) → body → data answered
 *
 * The message is decided once its body and all announced parts are complete, in whatever order they came.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { LiveTransaction } from '../core/live.ts';
import { mailFailed, rcptsFailed } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import { RequestProblem } from '../http/service.ts';
import { fileBody } from './file-body.ts';
import { messageFile, parsedFile, partFile } from './file-names.ts';
import type { EnvelopePart, Json } from './received-envelope.ts';
import { partIds } from './received-envelope.ts';
import { ReceivedFile } from './received-file.ts';
import type { Decide, ReceivedEnvelope, ReceivedMessage } from './received-message.ts';
import { storeMessage } from './store-message.ts';

export interface ReceiverContext {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly decide: Decide;
  readonly onMessage: (message: ReceivedMessage) => void | Promise<void>;
}

export class ReceivedTransaction {
  readonly live: LiveTransaction;
  readonly message: ReceivedFile;
  readonly parts = new Map<string, ReceivedFile>();
  /** When it was last touched. */
  usedAt: number;
  readonly #context: ReceiverContext;
  #envelope: Json = {};
  #origin: EnvelopePart['origin'] = {};
  #parsed: Json | undefined;
  /** Set once the message is complete. */
  #deciding: Promise<void> | undefined;

  constructor(id: string, context: ReceiverContext) {
    this.live = new LiveTransaction(id);
    this.#context = context;
    this.message = new ReceivedFile(join(context.dir, messageFile(id)));
    this.usedAt = context.clock.monotonicMs();
  }

  get origin(): EnvelopePart['origin'] {
    return this.#origin;
  }

  get isParsed(): boolean {
    return this.#parsed !== undefined;
  }

  /** It is complete, and the application is thinking. */
  get isBeingDecided(): boolean {
    return this.#deciding !== undefined && !this.isOver;
  }

  get isOver(): boolean {
    return this.live.state.replies.data !== undefined || this.live.state.cancelled;
  }

  /** Records what was said and answers each step. Throws `IllegalStepError` for a step out of order. */
  async say(json: Json, said: EnvelopePart): Promise<void> {
    const { live } = this;
    const known = live.state.rcptTo.length;
    if (said.rcptTo.length > 0 && (said.rcptToListOffset ?? (known === 0 ? 0 : -1)) !== known) {
      throw new RequestProblem(400, `must be ${known}`, { pointer: '/rcpt_to_list_offset' });
    }
    this.#envelope = { ...this.#envelope, ...json };
    this.#origin = { ...this.#origin, ...said.origin };
    for (const [filter, value] of Object.entries(said.filterOutput)) live.apply({ type: 'signal', filter, value });
    if (said.mailFrom !== undefined && live.state.mailFrom === undefined) {
      live.apply({ type: 'mail', from: said.mailFrom });
      const { address } = said.mailFrom;
      const response = await this.#ask({ phase: 'mail', from: address, envelope: this.#seen() });
      live.apply({ type: 'mailReply', response });
    }
    for (const to of said.rcptTo) {
      live.apply({ type: 'rcpt', to });
      const index = live.state.rcptTo.length - 1;
      const refusal = live.state.replies.mail;
      const response =
        refusal !== undefined && !isOk(refusal)
          ? mailFailed(refusal)
          : await this.#ask({ phase: 'rcpt', to: to.address, envelope: this.#seen() });
      live.apply({ type: 'rcptReply', index, response });
    }
  }

  /** The very same parsed message is here already. */
  hasAnnounced(json: Json): boolean {
    return this.#parsed !== undefined && isDeepStrictEqual(json, this.#parsed);
  }

  /** Takes the parsed message and announces its parts. Throws `RequestProblem` 400 or 409. */
  announce(json: Json): void {
    if (this.#parsed !== undefined) throw new RequestProblem(409, 'another parsed message is here already');
    if (this.message.isFinalized || this.isOver) throw new RequestProblem(409, 'the message is complete already');
    const files = [...partIds(json)].map((id) => [id, partFile(this.live.id, id)] as const);
    if (files.length > limits.messageBuilderParts) throw new RequestProblem(400, 'too many parts');
    for (const [id, file] of files) {
      if (file === undefined) throw new RequestProblem(400, `the part id is too long: ${id.slice(0, 50)}…`);
      this.parts.set(id, new ReceivedFile(join(this.#context.dir, file)));
    }
    this.#parsed = json;
    this.live.apply({ type: 'touch' });
  }

  /** Looks whether everything is here now, and if so begins to decide; wakes who waits for the progress. */
  progressed(): void {
    this.live.apply({ type: 'touch' });
    const files = [this.message, ...this.parts.values()];
    if (this.isOver || this.#deciding !== undefined || !files.every((file) => file.isFinalized)) return;
    this.live.apply({ type: 'body', body: fileBody(this.message) });
    this.#deciding = this.#finish();
  }

  /** Waits a moment for a decision that is being made, so that the first look after the last upload finds it. */
  async linger(): Promise<void> {
    if (this.#deciding === undefined || this.isOver) return;
    const timer = new AbortController();
    const late = new AbortController();
    void this.pause(limits.receiverLingerMs, timer.signal).then(() => late.abort());
    await this.live.until(() => this.isOver, late.signal);
    timer.abort();
  }

  /** Bytes that come in: as long as they do, the transaction is not idle. */
  async *inUse(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
    for await (const chunk of bytes) {
      this.usedAt = this.#context.clock.monotonicMs();
      yield chunk;
    }
  }

  /** Waits by the receiver's clock. */
  pause(ms: number, signal: AbortSignal): Promise<void> {
    return this.#context.clock.sleep(ms, signal);
  }

  /** Ends it and removes what came so far; when it is complete already, waits until it is decided instead. */
  async cancel(): Promise<void> {
    await this.#deciding;
    if (this.isOver) return;
    this.live.apply({ type: 'cancel' });
    await this.discard();
  }

  async discard(): Promise<void> {
    await Promise.all([this.message, ...this.parts.values()].map((file) => file.discard()));
  }

  #seen(): ReceivedEnvelope {
    const { mailFrom, rcptTo, filterOutput } = this.live.state;
    const { remoteHost } = this.#origin;
    return {
      id: this.live.id,
      ...(mailFrom && { mailFrom: mailFrom.address }),
      rcptTo: rcptTo.map((to) => to.address),
      ...(remoteHost && { remoteHost }),
      filterOutput,
    };
  }

  async #finish(): Promise<void> {
    const { log, onMessage } = this.#context;
    const { message, response } = await this.#decideData();
    if (!isOk(response)) {
      await this.discard().catch((error: unknown) =>
        log.error({ error, tx: this.live.id }, 'refused mail stays behind'),
      );
    }
    this.live.apply({ type: 'dataReply', response });
    if (!isOk(response)) return;
    try {
      await onMessage(message);
    } catch (error) {
      // The router has its answer; what the application does with the stored message is its own business.
      log.error({ error, tx: this.live.id }, 'onMessage failed; the message is stored');
    }
  }

  /** Acceptance is answered only once everything is on the disk. */
  async #decideData(): Promise<{ readonly message: ReceivedMessage; readonly response: Response }> {
    const message: ReceivedMessage = {
      ...this.#seen(),
      file: this.message.path,
      sizeBytes: this.message.length,
      ...(this.#parsed !== undefined && {
        parsed: this.#parsed,
        parsedFile: join(this.#context.dir, parsedFile(this.live.id)),
      }),
      parts: Object.fromEntries([...this.parts].map(([id, file]) => [id, file.path])),
    };
    const response = this.#precondition() ?? (await this.#ask({ phase: 'data', message }));
    if (!isOk(response)) return { message, response };
    try {
      await storeMessage(this.#context, message, this.#envelope, this.live.state, response);
      return { message, response };
    } catch (error) {
      this.#context.log.error({ error, tx: this.live.id }, 'cannot store the message');
      return { message, response: reply(451, '4.3.0', 'cannot store the message now') };
    }
  }

  #precondition(): Response | undefined {
    const { mail, rcpt } = this.live.state.replies;
    if (mail === undefined || rcpt.length === 0) return reply(503, '5.5.1', 'MAIL and RCPT come before the message');
    if (!isOk(mail)) return mailFailed(mail);
    const answers = rcpt.filter((each) => each !== undefined);
    return answers.some(isOk) ? undefined : rcptsFailed(answers);
  }

  async #ask(step: Parameters<Decide>[0]): Promise<Response> {
    try {
      return (await this.#context.decide(step)) ?? ACCEPTED[step.phase];
    } catch (error) {
      this.#context.log.error({ error, tx: this.live.id, phase: step.phase }, 'decide failed');
      return reply(451, '4.3.0', 'internal error, try again later');
    }
  }
}

const ACCEPTED = {
  mail: reply(250, '2.1.0', 'ok'),
  rcpt: reply(250, '2.1.5', 'ok'),
  data: reply(250, '2.0.0', 'ok'),
} as const;
