/** An output whose message comes with a guard: what the filters read costs nothing, and whoever sends it asks first (see `ExchangeInit`). */
import type { Body } from '../core/body.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { Response } from '../core/response.ts';

export class GuardedOutput implements Exchange {
  readonly #output: Exchange;
  readonly #guard: (body: Body) => Body;

  constructor(output: Exchange, guard: (body: Body) => Body) {
    this.#output = output;
    this.#guard = guard;
  }

  mail(from: Mailbox): Promise<Response> {
    return this.#output.mail(from);
  }

  rcpt(to: Mailbox): Promise<Response> {
    return this.#output.rcpt(to);
  }

  data(body: Body): Promise<Response> {
    return this.#output.data(this.#guard(body));
  }

  close(): Promise<void> {
    return this.#output.close();
  }
}
