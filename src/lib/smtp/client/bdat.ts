/**
 * Sends a message with BDAT (RFC 3030): chunks with a length in front, no dots and no escape. Lines end in CRLF all the same: signatures are made over
 * that form, and a server that passes the message on with DATA would change what it was given.
 */
import type { Body } from '../../core/body.ts';
import { isOk, type Response } from '../../core/response.ts';
import { inDoubt } from '../../core/uncertainty.ts';
import { AFTER_MESSAGE, unreadable } from './data.ts';
import type { Dialogue } from './dialogue.ts';
import { DotStuffer } from './dot-stuffer.ts';

/** Answers with `replies` responses, or with a single one for all recipients when a chunk before the last was refused. */
export async function sendBdat(
  dialogue: Dialogue,
  body: Body,
  replies: number,
  chunkBytes: number,
): Promise<readonly Response[]> {
  const transfer = new Transfer(dialogue, replies);
  if (body.size === 0) return transfer.last(Buffer.alloc(0));
  try {
    for await (const { bytes, isLast } of pieces(body, chunkBytes)) {
      if (isLast) return await transfer.last(bytes);
      const refusal = await transfer.chunk(bytes);
      if (refusal !== undefined) return [refusal];
    }
  } catch {
    // The length of the chunks that were sent is true, but the end is missing.
  }
  return unreadable(dialogue);
}

class Transfer {
  readonly #dialogue: Dialogue;
  readonly #replies: number;
  /** Of the first chunk that was not accepted. */
  #refusal: Response | undefined;

  constructor(dialogue: Dialogue, replies: number) {
    this.#dialogue = dialogue;
    this.#replies = replies;
  }

  /** Sends a chunk that is not the last; with pipelining its reply is looked at when it comes. */
  async chunk(bytes: Buffer): Promise<Response | undefined> {
    const answer = this.#dialogue.expect('at BDAT').then((response) => {
      if (!isOk(response)) this.#refusal ??= response;
    });
    if (!this.#dialogue.write([Buffer.from(`BDAT ${bytes.length}\r\n`), bytes])) await this.#dialogue.drained();
    if (!this.#dialogue.pipelining) await answer;
    return this.#refusal;
  }

  async last(bytes: Buffer): Promise<readonly Response[]> {
    const answers = Array.from({ length: this.#replies }, () => this.#answer());
    this.#dialogue.write([Buffer.from(`BDAT ${bytes.length} LAST\r\n`), bytes]);
    const responses = await Promise.all(answers);
    return this.#refusal === undefined ? responses : [this.#refusal];
  }

  #answer(): Promise<Response> {
    return new Promise((resolve) => {
      this.#dialogue.await({
        step: AFTER_MESSAGE,
        settle: (response, isOwnWord) => resolve(isOwnWord ? inDoubt(response) : response),
      });
    });
  }
}

interface Piece {
  readonly bytes: Buffer;
  /** The body is as long as it said, and this is its end. */
  readonly isLast: boolean;
}

async function* pieces(body: Body, chunkBytes: number): AsyncGenerator<Piece> {
  const lineEnds = new DotStuffer(body.hasOnlyCrlf, false);
  let readBytes = 0;
  for await (const chunk of body.chunks()) {
    readBytes += chunk.length;
    const isEnd = readBytes === body.size;
    const pieces: Buffer[] = [];
    lineEnds.next(chunk, pieces);
    if (isEnd) pieces.push(lineEnds.missing());
    const wire = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
    for (let start = 0; start < wire.length; start += chunkBytes) {
      const bytes = wire.subarray(start, start + chunkBytes);
      yield { bytes, isLast: isEnd && start + bytes.length === wire.length };
    }
  }
}
