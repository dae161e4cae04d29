/**
 * Who is calling the REST API: what a route or a service needs to know of it, however it was found out (a token, a client certificate, the
 * address of the peer). `access.ts` finds out; routes ask `callerOf`; services decide with `actsFor` what is there for this caller at all.
 */
import { must } from '../core/errors.ts';
import { RequestProblem } from './service.ts';

export interface Caller {
  /** For logs and counters: `token acme`, `certificate gateway.example.com`, `peer 203.0.113.7`. Never a secret. */
  readonly name: string;
  /** The senders it may submit as, and whose transactions it may see and change. */
  readonly senders: 'any' | ReadonlySet<string>;
  /** A gateway or a router: believed about `remote_host`, `local_host`, `smtp_meta` and `filter_output`. */
  readonly isTrusted: boolean;
  /** May list transactions, read metrics, and see, try again and cancel what belongs to anybody. */
  readonly isOperator: boolean;
}

/** The process itself, and whoever is let in without being asked (a test, the example receiver). */
export const itself: Caller = { name: 'itself', senders: 'any', isTrusted: true, isOperator: true };

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route sees the request: `callerOf`. */
    caller: Caller | undefined;
  }
}

/** A request whose caller is known by now. */
export interface Called {
  readonly caller: Caller | undefined;
}

/** Who made this request: known before any route sees it. */
export function callerOf(request: Called): Caller {
  const { caller } = request;
  must(caller !== undefined, 'every request is asked who it is from, before a route sees it');
  return caller;
}

/** Whether it may submit as this sender; without a caller, the process itself asks. */
export function actsFor(caller: Caller | undefined, sender: string): boolean {
  return caller === undefined || caller.senders === 'any' || caller.senders.has(sender);
}

/** Whether the transactions of this sender are there for it at all. */
export function sees(caller: Caller | undefined, sender: string): boolean {
  return caller?.isOperator === true || actsFor(caller, sender);
}

/** Throws a `RequestProblem` 403 unless the caller is an operator. */
export function requireOperator(caller: Caller): void {
  if (!caller.isOperator) throw new RequestProblem(403, 'this needs a token of an operator');
}
