/**
 * Text of one charset as UTF-8 with LF at the ends of lines, while it streams by. Bytes that have no meaning in the charset become U+FFFD.
 * How the text is cut makes no difference, so that what is measured once comes out the same when it is read later.
 */
import { TextDecoder } from 'node:util';

/** A charset that was settled on: a name `TextDecoder` knows, or Latin-1, which gives every byte a meaning. */
export type TextCharset = { readonly name: string } | 'latin1';

export class UnicodeText {
  readonly #decoder: TextDecoder | undefined;
  /** The last character was a CR, which may belong to a line end. */
  #endsInCr = false;

  constructor(charset: TextCharset) {
    this.#decoder = charset === 'latin1' ? undefined : new TextDecoder(charset.name, { ignoreBOM: true });
  }

  write(bytes: Buffer): Buffer {
    return this.#normalised(this.#decoder?.decode(bytes, { stream: true }) ?? bytes.toString('latin1'));
  }

  end(): Buffer {
    const last = this.#normalised(this.#decoder?.decode() ?? '');
    return this.#endsInCr ? Buffer.concat([last, Buffer.from('\r')]) : last;
  }

  #normalised(text: string): Buffer {
    if (text === '') return Buffer.alloc(0);
    const all = this.#endsInCr ? `\r${text}` : text;
    this.#endsInCr = all.endsWith('\r');
    return Buffer.from((this.#endsInCr ? all.slice(0, -1) : all).replaceAll('\r\n', '\n'));
  }
}
