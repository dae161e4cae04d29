/** What one SMTP session of the generator says, as bytes that are there before the first message. */
import { senderAddress } from './message.mjs';
import { Stamp } from './stamp.mjs';

/** Larger messages are written in two pieces, of which all sessions share the second one. */
const ONE_PIECE_BYTES = 262_144;
const MAIL = `MAIL FROM:<${senderAddress}>\r\n`;

export const HELLO = 'EHLO source.example\r\n';
export const DATA = Buffer.from('DATA\r\n');
export const QUIT = 'QUIT\r\n';
export const RESET = 'RSET\r\n';

export class SmtpScript {
  mail = Buffer.from(MAIL);
  #rcptCount;
  #rcpt;
  #envelope;
  #message;
  #rest;

  constructor({ kind, rcpts }) {
    this.#rcptCount = rcpts;
    const rcpt = `RCPT TO:<${kind.recipient}>\r\n`;
    this.#rcpt = new Stamp(rcpt);
    this.#envelope = new Stamp(`${MAIL}${rcpt}DATA\r\n`);
    const { head, rest } = kind.wire;
    const isOnePiece = rest.length <= ONE_PIECE_BYTES;
    this.#message = new Stamp(isOnePiece ? Buffer.concat([Buffer.from(head), rest]) : head);
    this.#rest = isOnePiece ? undefined : rest;
  }

  /** Recipient `index` of a message; each recipient of a run has a number of its own. */
  rcpt(number, index) {
    return this.#rcpt.of(number * this.#rcptCount + index);
  }

  /** MAIL, every RCPT and DATA, for those who need not wait for each reply (RFC 2920). */
  envelope(number) {
    if (this.#rcptCount === 1) return this.#envelope.of(number);
    const rcpts = Array.from({ length: this.#rcptCount }, (_, i) => Buffer.from(this.rcpt(number, i)));
    return Buffer.concat([this.mail, ...rcpts, DATA]);
  }

  writeMessage(socket, number) {
    const message = this.#message.of(number);
    if (this.#rest === undefined) {
      socket.write(message);
      return;
    }
    socket.cork();
    socket.write(message);
    socket.write(this.#rest);
    socket.uncork();
  }
}
