/** A next hop that records what it is asked and answers what a test told it to. */
import { type Body, bodyBytes } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import type { Hop, HopAsk } from '../../src/lib/core/hop.ts';
import type { Mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';

type Answer = Response | Promise<Response>;

export interface FakeHopScript {
  /** By reverse-path, recipient address; what is not named is accepted. */
  readonly mail?: (from: Mailbox) => Answer | undefined;
  readonly rcpt?: (to: Mailbox) => Answer | undefined;
  /** Called before the body is read. */
  readonly data?: (body: Body) => Answer | undefined;
  /** Keep the bytes of bodies; off for very large ones. Default: on. */
  readonly keepsBodies?: boolean;
}

export interface FakeExchange {
  readonly ask: HopAsk;
  readonly mail: Mailbox[];
  readonly rcpts: Mailbox[];
  /** The message, once it was completely read. */
  body: string | undefined;
  sizeBytes: number | undefined;
  /** `close` was called. */
  isClosed: boolean;
  /** Resolves when `close` is called. */
  readonly closed: Promise<void>;
}

export interface FakeHop extends Hop {
  readonly exchanges: readonly FakeExchange[];
  /** The messages that were answered with data's reply. */
  readonly delivered: readonly FakeExchange[];
}

export function fakeHop(script: FakeHopScript = {}): FakeHop {
  const exchanges: FakeExchange[] = [];
  const delivered: FakeExchange[] = [];
  const open = (ask: HopAsk): Exchange => {
    let markClosed = (): void => undefined;
    const closed = new Promise<void>((resolve) => {
      markClosed = resolve;
    });
    const seen: FakeExchange = {
      ask,
      mail: [],
      rcpts: [],
      body: undefined,
      sizeBytes: undefined,
      isClosed: false,
      closed,
    };
    exchanges.push(seen);
    const mustBeOpen = (): void => {
      if (seen.isClosed) throw new Error('an exchange was asked for something after it was closed');
    };
    return {
      async mail(from) {
        mustBeOpen();
        seen.mail.push(from);
        return (await script.mail?.(from)) ?? reply(250, '2.1.0', 'sender ok');
      },
      async rcpt(to) {
        mustBeOpen();
        seen.rcpts.push(to);
        return (await script.rcpt?.(to)) ?? reply(250, '2.1.5', 'recipient ok');
      },
      async data(body) {
        mustBeOpen();
        const answer = (await script.data?.(body)) ?? reply(250, '2.0.0', 'message ok');
        if (script.keepsBodies !== false) seen.body = (await bodyBytes(body)).toString('latin1');
        seen.sizeBytes = body.size;
        delivered.push(seen);
        return answer;
      },
      close() {
        seen.isClosed = true;
        markClosed();
        return Promise.resolve();
      },
    };
  };
  return { exchanges, delivered, open };
}
