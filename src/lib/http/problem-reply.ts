/** Errors of a request as answers: problem documents (RFC 9457), redirects, and where an upload stands. Nothing internal leaks. */
import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../core/deps.ts';
import { ConflictError, LeaseLostError, StoreUnavailableError } from '../core/errors.ts';
import { isSystemError } from '../core/storage-trouble.ts';
import { IllegalStepError } from '../core/transaction.ts';
import { formatContentRange } from './content-range.ts';
import { RangeProblem, RedirectProblem, RequestProblem, type UploadProgress } from './service.ts';
import type { ProblemJson } from './wire-schema.ts';

/** An answer that is an error. */
export interface Refusal {
  readonly status: number;
  readonly detail: string;
  readonly pointer?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Which request went wrong. */
export interface Failed {
  readonly method: string;
  readonly url: string;
  /** The pattern of its route. */
  readonly route: string | undefined;
}

/** Answers a request with what went wrong; what is not the client's doing is logged. */
export function replyWithProblem(log: Log, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { method, raw, routeOptions } = request;
  return sendRefusal(reply, loggedRefusal(log, error, { method, url: raw.url ?? '/', route: routeOptions.url }));
}

/** The answer to what went wrong; what is not the client's doing is logged. */
export function loggedRefusal(log: Log, error: unknown, { method, url, route }: Failed): Refusal {
  const refusal = refusalOf(error, url);
  if (refusal.status >= 500 && !(error instanceof RequestProblem)) {
    const facts = { method, route };
    // A store that is away is no bug: no stack, and the store itself has logged why.
    if (refusal.status === 503)
      log.warn(
        { ...facts, why: error instanceof Error ? error.message : error },
        'a request came too early or too late',
      );
    else log.error({ ...facts, error }, 'a request failed');
  }
  return refusal;
}

/** Answers with a problem document. */
export function sendRefusal(reply: FastifyReply, refusal: Refusal): FastifyReply {
  return reply
    .code(refusal.status)
    .headers({ ...refusal.headers, ...PROBLEM_TYPE })
    .send(Buffer.from(problemText(refusal)));
}

export const PROBLEM_TYPE = { 'content-type': 'application/problem+json' } as const;

/** The problem document. */
export function problemText({ status, detail, pointer }: Refusal): string {
  const problem: ProblemJson = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    ...(pointer !== undefined && { pointer }),
  };
  return JSON.stringify(problem);
}

/** The content-range of an upload's answer; nothing is said of an empty one, which the header cannot express. */
export function progressHeader({ length, total }: UploadProgress): string | undefined {
  if (length === 0) return undefined;
  return formatContentRange({ start: 0, end: length, ...(total !== undefined && { total }) });
}

function refusalOf(error: unknown, path: string): Refusal {
  if (error instanceof RequestProblem) {
    const { status, message, pointer, headers } = error;
    return { status, detail: message, headers, ...(pointer !== undefined && { pointer }) };
  }
  if (error instanceof RedirectProblem) {
    return { status: 308, detail: 'in work at another replica', headers: { location: `${error.baseUri}${path}` } };
  }
  if (error instanceof RangeProblem) {
    return {
      status: 416,
      detail: 'invalid range',
      headers: { 'content-range': progressHeader(error.progress) ?? 'bytes */0' },
    };
  }
  if (error instanceof ConflictError) return { status: 412, detail: 'update conflict' };
  if (error instanceof IllegalStepError) return { status: 409, detail: error.message };
  if (error instanceof LeaseLostError) {
    return {
      status: 503,
      detail: 'this replica has no lease on the transaction, try again',
      headers: { 'retry-after': '1' },
    };
  }
  if (error instanceof StoreUnavailableError) {
    return { status: 503, detail: 'the store is not available, try again', headers: { 'retry-after': '1' } };
  }
  // The operating system refused something: a full disk, no more descriptors.
  if (isSystemError(error)) {
    return { status: 503, detail: 'the server cannot take this now, try again', headers: { 'retry-after': '1' } };
  }
  const { statusCode, message } = error as Partial<FastifyError>;
  if (statusCode !== undefined && statusCode >= 400 && statusCode <= 499) {
    return { status: statusCode, detail: message ?? 'bad request' };
  }
  return { status: 500, detail: 'internal error' };
}
