/** Sends a message with DATA (RFC 5321 §4.1.1.4). */
import { type Body, type Loan, smallBytes } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import { isOk, type Response, reply } from '../../core/response.ts';
import { inDoubt } from '../../core/uncertainty.ts';
import type { Awaiting, Dialogue } from './dialogue.ts';
import { DotStuffer } from './dot-stuffer.ts';
import { LentMessage } from './lent-message.ts';

/** The message went out whole; without an answer nobody knows whether the server has taken it. */
export const AFTER_MESSAGE = 'after the final dot, before the reply: the message may have been delivered';
const DURING_MESSAGE = 'in the middle of the message';
const AT_LONE_DOT = 'at the end of no message';
const LONE_DOT = Buffer.from('.\r\n');

/** The bytes could not be had; what was sent of them must not look complete, so the connection goes too. */
export function unreadable(dialogue: Dialogue): readonly Response[] {
  const answer = reply(451, '4.3.0', 'the message could not be read');
  dialogue.destroy(() => answer);
  return [answer];
}

/** A message, and who is to hear of it. */
export interface Transfer {
  readonly body: Body;
  /** How many replies come when it went out whole; when it did not, there is one for all recipients. */
  readonly replies: number;
  readonly hear: (answers: readonly Response[]) => void;
}

/**
 * One DATA: waits for the word to go on, and then for the answers. The message may come after the command; one in memory leaves in the callback
 * that brings the server's word.
 */
export class DataTransfer implements Awaiting {
  step = 'at DATA';
  readonly #dialogue: Dialogue;
  readonly #answers: Response[] = [];
  /** The answer to the command. */
  #go: Response | undefined;
  #transfer: Transfer | undefined;
  #stuffer = new DotStuffer();
  #isOver = false;
  /** No message follows. */
  #onWithdrawn: (() => void) | undefined;

  /** Puts the command in line. */
  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue;
    dialogue.command('DATA', this);
  }

  /** The server waits for a message, or may do so soon. */
  get isOpen(): boolean {
    return this.#go === undefined || this.#go.code === 354;
  }

  send(transfer: Transfer): void {
    this.#transfer = transfer;
    this.#stuffer = new DotStuffer(transfer.body.hasOnlyCrlf);
    if (this.#go !== undefined) this.#proceed(this.#go);
  }

  /**
   * There will be no message, because nobody is left to get it; `done` is called when the server has ended its DATA. A server that says to go on
   * all the same is sent the end of an empty message for nobody (RFC 2920 §3.1).
   */
  withdraw(done: () => void): void {
    this.#onWithdrawn = done;
    if (this.#go !== undefined) this.#proceed(this.#go);
  }

  settle(response: Response, isOwnWord: boolean): void {
    if (this.step === AFTER_MESSAGE) {
      this.#answers.push(isOwnWord ? inDoubt(response) : response);
      if (this.#answers.length === this.#transfer?.replies) this.#end(this.#answers);
    } else if (this.step === DURING_MESSAGE) this.#end([earlyAnswer(this.#dialogue, response)]);
    else if (this.step === AT_LONE_DOT) this.#onWithdrawn?.();
    else {
      this.#go = response;
      this.#proceed(response);
    }
  }

  #proceed(go: Response): void {
    if (this.#transfer !== undefined) {
      if (go.code === 354) this.#send(this.#transfer);
      else if (go.code >= 400) this.#end([go]);
      else this.#end([protocolError(this.#dialogue, `unexpected reply ${go.code} at DATA`)]);
    } else if (this.#onWithdrawn !== undefined) {
      if (go.code === 354) this.#endEmpty();
      else this.#onWithdrawn();
    }
  }

  #endEmpty(): void {
    this.step = AT_LONE_DOT;
    this.#dialogue.await(this);
    this.#dialogue.write([LONE_DOT]);
  }

  #end(answers: readonly Response[]): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#transfer?.hear(answers);
  }

  #send({ body, replies }: Transfer): void {
    this.step = DURING_MESSAGE;
    // Awaited from now on, because a server that has had enough may say so, or hang up, before the end.
    for (let i = 0; i < replies; i += 1) this.#dialogue.await(this);
    // It has hung up already: there was the answer, and after it the message may be nobody's any more.
    if (this.#isOver) return;
    const loan = body.lend?.();
    if (loan !== undefined) this.#sendLent(loan, body.size);
    else if (body.inMemory !== undefined || body.whole !== undefined) this.#sendSmall(body);
    else void this.#sendChunks(body);
  }

  #sendLent(loan: Loan, sizeBytes: number): void {
    const message = new LentMessage(loan, this.#dialogue, this.#stuffer);
    const finish = (): void => {
      if (this.#isOver) return;
      if (message.sizeBytes !== sizeBytes) {
        this.#cannotBeRead();
        return;
      }
      this.step = AFTER_MESSAGE;
      message.finish();
    };
    try {
      const wait = message.begin(() => !this.#isOver);
      if (wait !== undefined) {
        void wait.then(finish).catch(this.#cannotBeRead).finally(message.stop);
        return;
      }
      finish();
    } catch {
      this.#cannotBeRead();
    }
    message.stop();
  }

  #sendSmall(body: Body): void {
    const onBytes = (bytes: Buffer): void => this.#sendWhole(bytes, body.size);
    try {
      const bytes = smallBytes(body);
      if (bytes instanceof Promise) bytes.then(onBytes).catch(this.#cannotBeRead);
      else onBytes(bytes);
    } catch {
      this.#cannotBeRead();
    }
  }

  #sendWhole(bytes: Buffer, sizeBytes: number): void {
    if (this.#isOver) return;
    if (bytes.length === sizeBytes) this.#finish(this.#stuffer.last(bytes));
    else this.#cannotBeRead();
  }

  #finish(end: readonly Buffer[]): void {
    this.step = AFTER_MESSAGE;
    this.#dialogue.write(end);
  }

  readonly #cannotBeRead = (): void => this.#end(unreadable(this.#dialogue));

  async #sendChunks(body: Body): Promise<void> {
    try {
      const last = await this.#writeAllButLast(body);
      if (last === undefined) this.#cannotBeRead();
      else this.#finish([...last, this.#stuffer.end()]);
    } catch {
      this.#cannotBeRead();
    }
  }

  /**
   * Answers with what is to leave together with the end; for a message of up to `smtpWriteBytes` that is all of it. `undefined` when the body is
   * not what it said it is, or there is an answer already.
   */
  async #writeAllButLast(body: Body): Promise<readonly Buffer[] | undefined> {
    let readBytes = 0;
    let ready: Buffer[] = [];
    let readyBytes = 0;
    for await (const chunk of body.chunks()) {
      // Who reads on may be asked for the end of the message, which is taken for being about to send it.
      if (this.#isOver) return undefined;
      readBytes += chunk.length;
      this.#stuffer.next(chunk, ready);
      readyBytes += chunk.length;
      // A chunk may be small, and a call to the system costs the same for many.
      if (readyBytes < limits.smtpWriteBytes || readBytes === body.size) continue;
      if (!this.#dialogue.write(ready)) await this.#dialogue.drained();
      if (this.#isOver) return undefined;
      ready = [];
      readyBytes = 0;
    }
    return readBytes === body.size && !this.#isOver ? ready : undefined;
  }
}

/** The connection is in the middle of DATA, which only its end can end. */
function earlyAnswer(dialogue: Dialogue, response: Response): Response {
  if (isOk(response)) return protocolError(dialogue, 'the message was accepted before its end');
  dialogue.destroy();
  return response;
}

function protocolError(dialogue: Dialogue, what: string): Response {
  const answer = reply(450, '4.5.0', `protocol error: ${what}`);
  dialogue.destroy(() => answer);
  return answer;
}
