/** Sends a message with DATA (RFC 5321 §4.1.1.4). */
import { type Body, smallBytes } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import { isOk, type Response, reply } from '../../core/response.ts';
import { inDoubt } from '../../core/uncertainty.ts';
import type { Awaiting, Dialogue } from './dialogue.ts';
import { DotStuffer } from './dot-stuffer.ts';

/** The message went out whole; without an answer nobody knows whether the server has taken it. */
export const AFTER_MESSAGE = 'after the final dot, before the reply: the message may have been delivered';
const DURING_MESSAGE = 'in the middle of the message';

/** The bytes could not be had; what was sent of them must not look complete, so the connection goes too. */
export function unreadable(dialogue: Dialogue): readonly Response[] {
  const answer = reply(451, '4.3.0', 'the message could not be read');
  dialogue.destroy(() => answer);
  return [answer];
}

/**
 * `hear` gets `replies` responses, or a single one for all recipients when the message did not go out whole. A message in memory leaves in the
 * callback that brings the server's word to go on.
 */
export function sendData(
  dialogue: Dialogue,
  body: Body,
  replies: number,
  hear: (answers: readonly Response[]) => void,
): void {
  const transfer = new DataTransfer(dialogue, body, replies, hear);
  dialogue.command('DATA', transfer);
  dialogue.flush();
}

/** Waits for the word to go on, and then for the answers. */
class DataTransfer implements Awaiting {
  step = 'at DATA';
  readonly #dialogue: Dialogue;
  readonly #body: Body;
  readonly #replies: number;
  readonly #hear: (answers: readonly Response[]) => void;
  readonly #stuffer: DotStuffer;
  readonly #answers: Response[] = [];
  #isOver = false;

  constructor(dialogue: Dialogue, body: Body, replies: number, hear: (answers: readonly Response[]) => void) {
    this.#dialogue = dialogue;
    this.#body = body;
    this.#replies = replies;
    this.#hear = hear;
    this.#stuffer = new DotStuffer(body.hasOnlyCrlf);
  }

  settle(response: Response, isOwnWord: boolean): void {
    if (this.step === AFTER_MESSAGE) {
      this.#answers.push(isOwnWord ? inDoubt(response) : response);
      if (this.#answers.length === this.#replies) this.#end(this.#answers);
    } else if (this.step === DURING_MESSAGE) this.#end([earlyAnswer(this.#dialogue, response)]);
    else if (response.code === 354) this.#send();
    else if (response.code >= 400) this.#end([response]);
    else this.#end([protocolError(this.#dialogue, `unexpected reply ${response.code} at DATA`)]);
  }

  #end(answers: readonly Response[]): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#hear(answers);
  }

  #send(): void {
    this.step = DURING_MESSAGE;
    // Awaited from now on, because a server that has had enough may say so, or hang up, before the end.
    for (let i = 0; i < this.#replies; i += 1) this.#dialogue.await(this);
    if (this.#body.inMemory !== undefined || this.#body.whole !== undefined) this.#sendSmall();
    else void this.#sendChunks();
  }

  #sendSmall(): void {
    try {
      const bytes = smallBytes(this.#body);
      if (bytes instanceof Promise) bytes.then(this.#sendWhole).catch(this.#cannotBeRead);
      else this.#sendWhole(bytes);
    } catch {
      this.#cannotBeRead();
    }
  }

  readonly #sendWhole = (bytes: Buffer): void => {
    if (this.#isOver) return;
    if (bytes.length === this.#body.size) this.#finish(this.#stuffer.last(bytes));
    else this.#cannotBeRead();
  };

  #finish(end: readonly Buffer[]): void {
    this.step = AFTER_MESSAGE;
    this.#dialogue.write(end);
  }

  readonly #cannotBeRead = (): void => this.#end(unreadable(this.#dialogue));

  async #sendChunks(): Promise<void> {
    try {
      const last = await this.#writeAllButLast();
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
  async #writeAllButLast(): Promise<readonly Buffer[] | undefined> {
    let readBytes = 0;
    let ready: Buffer[] = [];
    let readyBytes = 0;
    for await (const chunk of this.#body.chunks()) {
      readBytes += chunk.length;
      this.#stuffer.next(chunk, ready);
      readyBytes += chunk.length;
      // A chunk may be small, and a call to the system costs the same for many.
      if (readyBytes < limits.smtpWriteBytes || readBytes === this.#body.size) continue;
      if (!this.#dialogue.write(ready)) await this.#dialogue.drained();
      if (this.#isOver) return undefined;
      ready = [];
      readyBytes = 0;
    }
    return readBytes === this.#body.size && !this.#isOver ? ready : undefined;
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
