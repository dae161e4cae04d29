/** What a listener says of itself: the same to all its clients, so it is put into lines once. */
import { encodeReply } from './reply-lines.ts';

export interface GreetingFacts {
  /** Our name in the greeting and in the answer to EHLO. */
  readonly hostName: string;
  readonly maxBytes: number;
  readonly enableBdat: boolean;
  readonly offersStartTls: boolean;
  readonly offersAuth: boolean;
}

export class Greetings {
  readonly #facts: GreetingFacts;
  readonly #toEhlo = new Map<string, string>();
  /** RFC 5321 §3.1. */
  readonly opening: string;
  readonly toHelo: string;

  constructor(facts: GreetingFacts) {
    this.#facts = facts;
    this.opening = plain(220, `${facts.hostName} ESMTP Koukan`);
    this.toHelo = plain(250, facts.hostName);
  }

  /** RFC 5321 §4.1.1.1; what is offered depends on TLS. */
  toEhlo(isSecure: boolean, offersDsn: boolean): string {
    const key = `${isSecure} ${offersDsn}`;
    const known = this.#toEhlo.get(key);
    if (known !== undefined) return known;
    const text = [this.#facts.hostName, ...this.#extensions(isSecure, offersDsn)].join('\n');
    const answer = plain(250, text);
    this.#toEhlo.set(key, answer);
    return answer;
  }

  #extensions(isSecure: boolean, offersDsn: boolean): string[] {
    const { maxBytes, offersStartTls, offersAuth, enableBdat } = this.#facts;
    return [
      `SIZE ${maxBytes}`,
      'PIPELINING',
      '8BITMIME',
      'SMTPUTF8',
      'ENHANCEDSTATUSCODES',
      ...(offersDsn ? ['DSN'] : []),
      ...(offersStartTls && !isSecure ? ['STARTTLS'] : []),
      ...(offersAuth && isSecure ? ['AUTH PLAIN LOGIN'] : []),
      ...(enableBdat ? ['CHUNKING'] : []),
      'HELP',
    ];
  }
}

/** Greeting and answers to HELO and EHLO have no enhanced code (RFC 2034 §3). */
function plain(code: number, text: string): string {
  return encodeReply({ code, text }, { isPlain: true });
}
