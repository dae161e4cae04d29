/** What one side of a dialogue says: commands gather until the end of the turn, message bytes leave as soon as what was said before them has. */
import type { Socket } from 'node:net';
import { oncePerTurn } from '../turn-end.ts';

export class Outgoing {
  #socket: Socket;
  /** Lines that leave with the next write. */
  #text = '';
  /** A message that leaves with them, behind them. */
  #message: { readonly bytes: Buffer; readonly onOver: () => void } | undefined;
  #isOver = false;
  readonly #sendSoon = oncePerTurn(() => this.#send());

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Goes on over another socket. */
  moveTo(socket: Socket): void {
    this.#socket = socket;
  }

  /** Nothing leaves any more. */
  end(): void {
    this.#isOver = true;
  }

  /** There is no room for more at present; the socket says `drain` when there is. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Adds a line, which leaves with `flush`. */
  say(line: string): void {
    // Always UTF-8: one byte per character would turn some letters into line ends.
    this.#text += `${line}\r\n`;
  }

  /** Has the lines written at the end of this turn: what it adds until then goes out in the same segment. */
  flush(): void {
    if (this.#text !== '') this.#sendSoon();
  }

  /** As `write`, at the end of this turn. For the only bytes of a message. */
  writeSoon(bytes: Buffer, onOver: () => void): void {
    this.#message = { bytes, onOver };
    this.#sendSoon();
  }

  /** Writes message bytes. `onOver` is called, later, once the system needs none of them any longer, whether they went out or not. */
  write(chunks: readonly Buffer[], onOver?: () => void): void {
    this.#send();
    if (this.#isOver) {
      onOver?.();
      return;
    }
    const isMany = chunks.length > 1;
    // Also those that are never begun are called back, before those that are under way: so all of them are counted.
    const onEach = onOver && countdown(chunks.length, onOver);
    if (isMany) this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk, onEach);
    if (isMany) this.#socket.uncork();
  }

  #send(): void {
    const text = this.#text;
    const message = this.#message;
    this.#text = '';
    this.#message = undefined;
    if (text !== '' && !this.#isOver) this.#socket.write(text, 'utf8');
    if (message !== undefined) this.write([message.bytes], message.onOver);
  }
}

function countdown(count: number, done: () => void): () => void {
  let left = count;
  return () => {
    left -= 1;
    if (left === 0) done();
  };
}
