/** An exchange that gives the same answer to everything: what stands in for a next hop that cannot be asked. */
import type { Exchange } from '../core/exchange.ts';
import type { Response } from '../core/response.ts';

export function refusing(response: Response): Exchange {
  const answer = (): Promise<Response> => Promise.resolve(response);
  return { mail: answer, rcpt: answer, data: answer, close: () => Promise.resolve() };
}
