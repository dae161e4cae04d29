/**
 * The memory that a server's words are read into. They are short and dealt with at once, so one small piece does for the whole connection, where
 * Node would make one of 64 KB for each read.
 */
import type { OnReadOpts } from 'node:net';
import { limits } from '../../core/limits.ts';

/** Hears that the first `length` bytes are new; they are overwritten afterwards. */
export type Heard = (bytes: Buffer, length: number) => void;

export class ShortReads {
  readonly #bytes = Buffer.allocUnsafeSlow(limits.smtpReadBytes);
  #hear: Heard | undefined;
  /** What came while nobody listened. */
  #early: Buffer[] = [];

  /** For the socket that is to read this way. */
  readonly onread: OnReadOpts = {
    buffer: this.#bytes,
    callback: (length) => {
      if (this.#hear === undefined) this.#early.push(Buffer.from(this.#bytes.subarray(0, length)));
      else this.#hear(this.#bytes, length);
      return true;
    },
  };

  /** From now on, and of what came before; until somebody else is to hear. */
  listen(hear: Heard): void {
    this.#hear = hear;
    for (const bytes of this.#early.splice(0)) hear(bytes, bytes.length);
  }

  /** What comes now is for whoever has taken the socket over. */
  stop(): void {
    this.#hear = () => undefined;
  }
}
