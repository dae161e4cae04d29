/**
 * A next hop for tests that plays the far end: what it answers depends on the recipient's local part, as with the sink's magic recipients.
 * `rcpttemp`, `rcptperm`, `mailtemp`, `mailperm`, `datatemp`, `dataperm` refuse; `rcpttimeout`, `datatimeout` never answer; anything else is
 * delivered. A test may change its mind with `answers`.
 */
import { type Body, bodyBytes } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import type { Hop, HopAsk } from '../../src/lib/core/hop.ts';
import { type Mailbox, mailbox } from '../../src/lib/core/mailbox.ts';
import { type HopBodyNotes, notesOf } from '../../src/lib/core/parsed-message.ts';
import { isOk, type Response, reply } from '../../src/lib/core/response.ts';

export interface Delivery {
  readonly ask: HopAsk;
  readonly mailFrom: string;
  readonly rcptTo: readonly string[];
  readonly body: string;
  /** What goes with the message. */
  readonly notes: HopBodyNotes;
  /** The envelope with its ESMTP parameters. */
  readonly envelope: { readonly from: Mailbox; readonly to: readonly Mailbox[] };
}

export type FarStage = 'mail' | 'rcpt' | 'data';

export class FarEnd implements Hop {
  readonly deliveries: Delivery[] = [];
  readonly asks: HopAsk[] = [];
  /** Exchanges closed before the far end had answered the message. */
  cancelled = 0;
  /** Asked first; `undefined` leaves it to the magic recipients, `'hang'` never answers. */
  answers: (stage: FarStage, rcpt: string) => Response | 'hang' | undefined = () => undefined;
  #waiters: { readonly count: number; readonly wake: () => void }[] = [];

  open(ask: HopAsk): Exchange {
    this.asks.push(ask);
    return new FarExchange(this, ask);
  }

  delivered(delivery: Delivery): void {
    this.deliveries.push(delivery);
    for (const waiter of this.#waiters) if (this.deliveries.length >= waiter.count) waiter.wake();
  }

  /** Resolves once `count` messages were delivered. */
  received(count: number): Promise<readonly Delivery[]> {
    if (this.deliveries.length >= count) return Promise.resolve(this.deliveries);
    return new Promise((resolve) => this.#waiters.push({ count, wake: () => resolve(this.deliveries) }));
  }
}

const REFUSALS: Readonly<Record<string, Response | 'hang'>> = {
  temp: reply(450, '4.2.0', 'try later'),
  perm: reply(550, '5.1.1', 'no such mailbox'),
  timeout: 'hang',
};

class FarExchange implements Exchange {
  readonly #far: FarEnd;
  readonly #ask: HopAsk;
  #from = mailbox('');
  readonly #accepted: Mailbox[] = [];
  #isDone = false;
  readonly #closed = new AbortController();

  constructor(far: FarEnd, ask: HopAsk) {
    this.#far = far;
    this.#ask = ask;
  }

  async #answer(stage: FarStage, rcpt: string, ok: Response): Promise<Response> {
    const magic = new RegExp(`^${stage}(temp|perm|timeout)`).exec(rcpt)?.[1];
    const answer = this.#far.answers(stage, rcpt) ?? (magic === undefined ? ok : (REFUSALS[magic] ?? ok));
    if (answer !== 'hang') return answer;
    return new Promise((resolve) => {
      this.#closed.signal.addEventListener('abort', () => resolve(reply(450, '4.4.2', 'closed')), { once: true });
    });
  }

  mail(from: Mailbox): Promise<Response> {
    this.#from = from;
    return this.#answer('mail', from.address, reply(250, '2.1.0', 'sender ok'));
  }

  async rcpt(to: Mailbox): Promise<Response> {
    const response = await this.#answer('rcpt', to.address, reply(250, '2.1.5', 'recipient ok'));
    if (isOk(response)) this.#accepted.push(to);
    return response;
  }

  async data(body: Body): Promise<Response> {
    const bytes = await bodyBytes(body);
    const response = await this.#answer('data', this.#accepted[0]?.address ?? '', reply(250, '2.0.0', 'queued as 1'));
    this.#isDone = true;
    if (isOk(response)) {
      const envelope = { from: this.#from, to: [...this.#accepted] };
      const [mailFrom, rcptTo] = [envelope.from.address, envelope.to.map(({ address }) => address)];
      this.#far.delivered({
        ask: this.#ask,
        mailFrom,
        rcptTo,
        body: bytes.toString('latin1'),
        notes: notesOf(body),
        envelope,
      });
    }
    return response;
  }

  close(): Promise<void> {
    if (!this.#isDone && !this.#closed.signal.aborted) this.#far.cancelled += 1;
    this.#closed.abort();
    return Promise.resolve();
  }
}
