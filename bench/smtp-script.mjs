/** What one SMTP session of the generator says, as bytes that are there before the first message. */
import { senderAddress } from './message.mjs';
import { Stamp } from './stamp.mjs';

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
  #messageOf;

  constructor({ mix, rcpts }) {
    this.#rcptCount = rcpts;
    const rcpt = `RCPT TO:<${mix.recipient}>\r\n`;
    this.#rcpt = new Stamp(rcpt);
    this.#envelope = new Stamp(`${MAIL}${rcpt}DATA\r\n`);
    this.#messageOf = mix.prepare((kind) => new Stamp(kind.wire));
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

  /** The answer to the last one is there, so nobody reads the bytes of that any more. */
  writeMessage(socket, number) {
    socket.write(this.#messageOf(number).of(number));
  }
}
