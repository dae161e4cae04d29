/**
 * What a router says of a message, read without judging it: a receiver takes whatever a router may send. Known fields are used, and all of
 * them are kept for `<id>.tx.json`.
 */
import type { HostPort, Origin } from '../core/envelope.ts';
import { limits } from '../core/limits.ts';
import { type EsmtpParam, type Mailbox, mailbox } from '../core/mailbox.ts';
import type { FilterOutput } from '../core/transaction.ts';
import { isJsonObject } from '../http/request.ts';
import { RequestProblem } from '../http/service.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface EnvelopePart {
  readonly mailFrom?: Mailbox;
  readonly rcptTo: readonly Mailbox[];
  readonly rcptToListOffset?: number;
  readonly filterOutput: FilterOutput;
  readonly origin: Origin;
}

/** Reads the JSON of a create, a PATCH or a parsed message; throws `RequestProblem` 400. */
export function readJson(entity: Buffer): Json {
  let value: unknown;
  try {
    value = JSON.parse(entity.toString('utf8'));
  } catch (error) {
    throw new RequestProblem(400, `invalid JSON: ${(error as Error).message}`);
  }
  if (!isJsonObject(value)) throw new RequestProblem(400, 'must be a JSON object', { pointer: '' });
  if (isDeeperThan(value, limits.receiverJsonDepth)) throw new RequestProblem(400, 'the JSON is nested too deeply');
  return value;
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeperThan(inner, depth - 1));
}

export function readEnvelope(json: Json): EnvelopePart {
  const { mail_from, rcpt_to, rcpt_to_list_offset: offset, filter_output } = json;
  const rcptTo = rcpt_to ?? [];
  if (!Array.isArray(rcptTo)) throw new RequestProblem(400, 'must be a list', { pointer: '/rcpt_to' });
  if (rcptTo.length > limits.rcptsPerTransaction) throw new RequestProblem(400, 'too many', { pointer: '/rcpt_to' });
  // Silently dropped, it would be awaited in vain.
  if (isJsonObject(json.body) && Object.keys(json.body).length > 0) {
    throw new RequestProblem(400, 'the message is uploaded: PUT …/body', { pointer: '/body' });
  }
  const remoteHost = hostPort(json.remote_host);
  const localHost = hostPort(json.local_host);
  return {
    ...(mail_from !== undefined && mail_from !== null && { mailFrom: readMailbox(mail_from, '/mail_from') }),
    rcptTo: rcptTo.map((each: unknown, i) => readMailbox(each, `/rcpt_to/${i}`)),
    ...(typeof offset === 'number' && { rcptToListOffset: offset }),
    filterOutput: isJsonObject(filter_output) ? filter_output : {},
    origin: { ...(remoteHost && { remoteHost }), ...(localHost && { localHost }) },
  };
}

/** The ids of all parts that a parsed message announces, wherever they stand in its JSON. */
export function partIds(json: unknown): ReadonlySet<string> {
  const ids = new Set<string>();
  const pending: unknown[] = [json];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    const { content } = value as Json;
    if (isJsonObject(content) && typeof content.create_id === 'string') ids.add(content.create_id);
    // Header values may be anything; only parts hold parts.
    const { parts, text_body, related_attachments, file_attachments } = value as Json;
    for (const inner of [parts, text_body, related_attachments, file_attachments]) {
      if (Array.isArray(inner)) pending.push(...inner);
      else if (isJsonObject(inner)) pending.push(inner);
    }
  }
  return ids;
}

function readMailbox(value: unknown, pointer: string): Mailbox {
  if (!isJsonObject(value) || typeof value.m !== 'string') {
    throw new RequestProblem(400, 'must be an object with "m"', { pointer });
  }
  const params = Array.isArray(value.e) ? value.e : [];
  return mailbox(value.m, params.filter(isJsonObject).flatMap(readParam));
}

function readParam({ k, p }: Json): EsmtpParam[] {
  if (typeof k !== 'string') return [];
  return [typeof p === 'string' ? { keyword: k, value: p } : { keyword: k }];
}

function hostPort(value: unknown): HostPort | undefined {
  if (!Array.isArray(value) || typeof value[0] !== 'string' || typeof value[1] !== 'number') return undefined;
  return { host: value[0], port: value[1] };
}
