/** One message on its way in: spooled and looked at while it arrives. What is wrong with it is told at its end, never in the middle. */
import type { Body } from '../../core/body.ts';
import type { Log } from '../../core/deps.ts';
import type { Response } from '../../core/response.ts';
import { notStored } from '../../core/storage-trouble.ts';
import { BodyTooLargeError, type SpoolWriter } from '../../spool/spool-writer.ts';
import { ContentCheck } from './content-check.ts';
import { tooBig } from './esmtp-params.ts';

export type Intake =
  | { readonly body: Body; readonly refusal?: undefined }
  | { readonly refusal: Response; readonly body?: undefined };

export class MessageIntake {
  readonly #writer: SpoolWriter;
  readonly #maxBytes: number;
  readonly #log: Log;
  readonly #check = new ContentCheck();
  #refusal: Response | undefined;
  #size = 0;
  #isDiscarded = false;

  constructor(writer: SpoolWriter, maxBytes: number, log: Log) {
    this.#writer = writer;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  get size(): number {
    return this.#size;
  }

  /** Why the message will be refused, as far as is known. */
  get refusal(): Response | undefined {
    return this.#refusal ?? this.#check.refusal;
  }

  /** So far over the limit that the client is not listened to any longer. */
  get isGrosslyTooBig(): boolean {
    return this.#size > 2 * this.#maxBytes;
  }

  /** Takes the next bytes. After a refusal they are counted and dropped. A promise where they go to a file, which never rejects. */
  take(content: Buffer): Promise<void> | undefined {
    this.#size += content.length;
    this.#check.inspect(content);
    if (this.refusal !== undefined) {
      this.#writer.discard();
      return undefined;
    }
    return this.#writer.append(content)?.catch(this.#fail);
  }

  /** The message is complete. The body is kept until `discard`. A promise where it goes to a file, which never rejects. */
  finish(): Intake | Promise<Intake> {
    this.#check.finish();
    const { refusal } = this;
    if (refusal !== undefined) return { refusal };
    const body = this.#writer.finish(true);
    return body instanceof Promise ? this.#finished(body) : { body };
  }

  async #finished(body: Promise<Body>): Promise<Intake> {
    try {
      return { body: await body };
    } catch (error) {
      this.#fail(error);
      return { refusal: this.#refusal ?? notStored(error) };
    }
  }

  /** Nobody needs the bytes any longer; idempotent. */
  discard(): void {
    this.#isDiscarded = true;
    this.#writer.discard();
  }

  readonly #fail = (error: unknown): void => {
    if (error instanceof BodyTooLargeError) {
      this.#refusal = tooBig(this.#maxBytes);
    } else {
      this.#refusal = notStored(error);
      // A client that goes away takes its message from under the writer.
      if (!this.#isDiscarded) this.#log.error({ error }, 'a message could not be spooled');
    }
    this.#writer.discard();
  };
}
