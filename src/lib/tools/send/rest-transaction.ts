/** A REST client of a router: creates a transaction, uploads to it, follows it. Whatever goes wrong is a `UserError` with an exit status. */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { Clock } from '../../core/deps.ts';
import { exitCodes, UserError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { type Deadline, startDeadline } from '../../http/deadline.ts';
import type { Trust } from '../../http/http-client.ts';
import {
  type HttpAnswer,
  type HttpAsk,
  type HttpSender,
  HttpTrouble,
  headerOf,
  httpRequest,
  isJsonObject,
  jsonObject,
  resolveUrl,
} from '../../http/request.ts';
import { readVerdict } from '../verdict.ts';
import type { Json, LocalFile } from './submission.ts';

/** Nobody answers at the router's address: other recipients would fare no better. */
export class UnreachableError extends UserError {}

export interface RestTransaction {
  readonly url: URL;
  /** The newest JSON. */
  readonly view: Json;
  readonly etag?: string;
}

export interface RestDeps {
  readonly http: HttpSender;
  readonly clock: Clock;
  /** Default: a server with a good certificate, and no token. */
  readonly trust?: Trust;
}

export async function createTransaction(deps: RestDeps, url: URL, json: Json): Promise<RestTransaction> {
  const headers = { 'content-type': 'application/json' };
  const ask = { method: 'POST', url, headers, body: JSON.stringify(json), isOnce: true } as const;
  const answer = await requestRouter(deps, ask, limits.sendRequestMs);
  if (answer.status !== 201) throw refused('the router refused the message', answer);
  const location = headerOf(answer, 'location');
  const at = location === undefined ? undefined : resolveUrl(location, answer.url);
  const view = jsonObject(answer);
  if (at === undefined || view === undefined) throw protocolError(`${url.href} did not answer as a router`);
  return { url: at, view, ...etagOf(answer) };
}

/** Uploads a whole body or part. */
export async function upload(deps: RestDeps, url: URL, source: Buffer | LocalFile): Promise<void> {
  const size = Buffer.isBuffer(source) ? source.length : source.sizeBytes;
  const body = (): Readable => (Buffer.isBuffer(source) ? Readable.from([source]) : createReadStream(source.path));
  const ask = { method: 'PUT', url, headers: { 'content-length': String(size) }, body } as const;
  const answer = await requestRouter(deps, ask, limits.sendUploadMs);
  if (answer.status !== 200) throw refused('the router refused the upload', answer);
}

/** Ends a transaction that cannot be completed; best effort, since the router forgets it by itself some time. */
export async function cancelTransaction(deps: RestDeps, { url }: RestTransaction): Promise<void> {
  try {
    await requestRouter(deps, { method: 'POST', url: new URL(`${url.href}/cancel`) }, limits.cancelMs);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
}

/** Reads a transaction once. */
export async function readTransaction(deps: RestDeps, tx: RestTransaction): Promise<RestTransaction> {
  const answer = await requestRouter(deps, { method: 'GET', url: tx.url }, limits.sendRequestMs);
  return newer(tx, answer);
}

/** Follows a transaction with hanging GETs until its verdict is settled or the deadline passes. */
export async function follow(
  deps: RestDeps,
  tx: RestTransaction,
  deadline: Deadline,
  onNews: (tx: RestTransaction) => void = () => undefined,
): Promise<RestTransaction> {
  let known = tx;
  let isHanging = true;
  while (!readVerdict(known.view).isSettled && deadline.leftMs() > 0) {
    const startedAt = deps.clock.now();
    const answer = await poll(deps, known, isHanging, deadline);
    // Some gateways answer 500 when nothing happened: a plain GET tells (protocol §1.4).
    isHanging = answer === undefined || answer.status < 500;
    const before = known.etag;
    if (answer !== undefined && (answer.status === 200 || answer.status === 404)) known = newer(known, answer);
    if (known.etag !== before) onNews(known);
    const pauseMs = limits.pollPauseMs - (deps.clock.now() - startedAt);
    if (known.etag === before && pauseMs > 0 && !readVerdict(known.view).isSettled) {
      await deps.clock.sleep(pauseMs, deadline.signal);
    }
  }
  return known;
}

/** One GET; `undefined` when it failed below HTTP, which may pass. */
async function poll(
  { http, trust = true }: RestDeps,
  { url, etag }: RestTransaction,
  isHanging: boolean,
  deadline: Deadline,
): Promise<HttpAnswer | undefined> {
  const patience = Math.max(1, Math.floor(Math.min(deadline.leftMs(), limits.hangingGetMs) / 1000));
  const headers: Record<string, string> =
    isHanging && etag !== undefined ? { 'if-none-match': etag, 'request-timeout': String(patience) } : {};
  try {
    return await httpRequest(http, trust, { method: 'GET', url, headers, use: 'poll', signal: deadline.signal });
  } catch (error) {
    if (error instanceof HttpTrouble) return undefined;
    throw error;
  }
}

function newer(tx: RestTransaction, answer: HttpAnswer): RestTransaction {
  if (answer.status === 404)
    throw new UserError(`the router does not know ${tx.url.href} any more`, exitCodes.tempFail);
  const view = jsonObject(answer);
  return answer.status === 200 && view !== undefined ? { url: tx.url, view, ...etagOf(answer) } : tx;
}

/** One request with its deadline; throws `UserError` when there is no answer. */
export async function requestRouter(
  { http, clock, trust = true }: RestDeps,
  ask: Omit<HttpAsk, 'signal'>,
  timeoutMs: number,
): Promise<HttpAnswer> {
  const deadline = startDeadline(clock, timeoutMs);
  try {
    return await httpRequest(http, trust, { ...ask, signal: deadline.signal });
  } catch (error) {
    if (!(error instanceof HttpTrouble)) throw error;
    throw unreachable(ask.url, error);
  } finally {
    deadline.clear();
  }
}

function unreachable(url: URL, trouble: HttpTrouble): UserError {
  const { code } = (trouble.cause ?? {}) as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') {
    const advice = 'Is a router running there? "koukan serve" starts one; --url names another.';
    return new UnreachableError(`cannot reach ${url.origin}: connection refused. ${advice}`, exitCodes.tempFail);
  }
  if (code === 'ENOTFOUND') {
    return new UnreachableError(`cannot reach ${url.origin}: there is no such host. Check --url.`, exitCodes.tempFail);
  }
  return new UnreachableError(`cannot reach ${url.origin}: ${trouble.message}`, exitCodes.tempFail);
}

/** What the router said against it: a problem document, or text. */
export function refused(what: string, answer: HttpAnswer, ofUnknown: number = exitCodes.usage): UserError {
  const json = jsonObject(answer);
  const pointer = isJsonObject(json) && typeof json.pointer === 'string' ? `${json.pointer}: ` : '';
  const detail = typeof json?.detail === 'string' ? json.detail : answer.body.toString('utf8').slice(0, 200).trim();
  // A tag that the sender has not is asked for in the entity, and was given as a flag, like the sender.
  const isUnknown = answer.status === 404 || answer.status === 405 || json?.pointer === '/sender/tag';
  return new UserError(
    `${what}: ${answer.status} ${pointer}${detail}`.trimEnd(),
    isUnknown ? ofUnknown : exitCodeOf(answer.status),
  );
}

function exitCodeOf(status: number): number {
  if (status >= 500 || status === 408 || status === 429) return exitCodes.tempFail;
  if (status === 401 || status === 403) return exitCodes.noPerm;
  return status >= 400 ? exitCodes.dataErr : exitCodes.protocol;
}

function protocolError(text: string): UserError {
  return new UserError(text, exitCodes.protocol);
}

function etagOf(answer: HttpAnswer): { readonly etag?: string } {
  const etag = headerOf(answer, 'etag');
  return etag === undefined ? {} : { etag };
}
