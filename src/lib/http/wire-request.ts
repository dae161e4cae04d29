/** Request JSON to what a service is asked: checks shape and bounds, and says which field is wrong. Nothing here judges mail. */
import type { z } from 'zod';
import type { Origin } from '../core/envelope.ts';
import { limits } from '../core/limits.ts';
import { type Mailbox, mailbox } from '../core/mailbox.ts';
import { type BodyAsk, type CreateAsk, RequestProblem, type UpdateAsk } from './service.ts';
import { bytesText } from './text-bytes.ts';
import { isUsualCreate, isUsualUpdate } from './usual-json.ts';
import { type CreateJson, createSchema, type MailboxJson, type UpdateJson, updateSchema } from './wire-schema.ts';

/** Reads the entity of a create; throws `RequestProblem` 400. */
export function readCreate(entity: Buffer): CreateAsk {
  const json = parseJson(entity);
  return createAsk(isUsualCreate(json) ? json : check(createSchema, notTooDeep(json)));
}

/** Reads the entity of a PATCH that is not a heartbeat; throws `RequestProblem` 400. */
export function readUpdate(entity: Buffer): UpdateAsk {
  const json = parseJson(entity);
  if (isUsualUpdate(json)) return updateAsk(json);
  notTooDeep(json);
  if (isRecord(json) && 'body' in json) {
    throw new RequestProblem(400, 'the body is uploaded with PUT', { pointer: '/body' });
  }
  return updateAsk(check(updateSchema, isRecord(json) ? withoutForeignOffsets(json) : json));
}

function createAsk(json: CreateJson): CreateAsk {
  const { sender, mail_from, rcpt_to, filter_output } = json;
  const body = json.body === undefined ? undefined : bodyAsk(json.body);
  const ask: Draft<CreateAsk> = { rcptTo: (rcpt_to ?? []).map(mailboxOf) };
  addOrigin(ask, json);
  if (sender?.tag !== undefined) ask.tag = sender.tag;
  if (mail_from) ask.mailFrom = mailboxOf(mail_from);
  if (body) ask.body = body;
  if (filter_output) ask.filterOutput = filter_output;
  return ask;
}

/** While it is being put together. To add what is there costs less than to join objects that have it or not. */
type Draft<T> = { -readonly [K in keyof T]: T[K] };

function updateAsk(json: UpdateJson): UpdateAsk {
  const { mail_from, rcpt_to, rcpt_to_list_offset, filter_output } = json;
  const ask: Draft<UpdateAsk> = {};
  if (mail_from) ask.mailFrom = mailboxOf(mail_from);
  if (rcpt_to) ask.rcptTo = rcpt_to.map(mailboxOf);
  if (rcpt_to_list_offset !== undefined) ask.rcptToListOffset = rcpt_to_list_offset;
  if (filter_output) ask.filterOutput = filter_output;
  return ask;
}

function addOrigin(origin: Draft<Origin>, { remote_host, local_host, smtp_meta }: CreateJson): void {
  if (remote_host) origin.remoteHost = { host: remote_host[0], port: remote_host[1] };
  if (local_host) origin.localHost = { host: local_host[0], port: local_host[1] };
  if (smtp_meta === undefined) return;
  origin.smtpMeta = {
    ehloHost: smtp_meta.ehlo_host ?? '',
    esmtp: smtp_meta.esmtp ?? false,
    tls: smtp_meta.tls ?? false,
    auth: smtp_meta.auth ?? false,
  };
}

function mailboxOf({ m, e }: MailboxJson): Mailbox {
  return mailbox(
    m,
    (e ?? []).map(({ k, p }) => (p === undefined ? { keyword: k } : { keyword: k, value: p })),
  );
}

/** `{}` and an empty builder mean that the message comes later. */
function bodyAsk(json: NonNullable<CreateJson['body']>): BodyAsk | undefined {
  const { inline, reuse_uri, message_builder } = json;
  if (inline !== undefined) return { kind: 'inline', text: inline };
  if (reuse_uri !== undefined) return { kind: 'reuse', uri: reuse_uri };
  if (message_builder === undefined || Object.keys(message_builder).length === 0) return undefined;
  return { kind: 'builder', spec: message_builder };
}

/** Upstream's deltas may carry offsets of lists that a PATCH does not have; they say nothing. */
function withoutForeignOffsets(json: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(json).filter(([key]) => key === 'rcpt_to_list_offset' || !key.endsWith('_list_offset')),
  );
}

const BYTE_ORDER_MARK = '\ufeff';

function parseJson(entity: Buffer): unknown {
  const text = bytesText(entity);
  if (text === undefined) throw new RequestProblem(400, 'invalid JSON: not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  } catch (error) {
    throw new RequestProblem(400, `invalid JSON: ${(error as SyntaxError).message}`);
  }
  return value;
}

function notTooDeep(value: unknown): unknown {
  if (isDeeperThan(value, limits.requestJsonDepth)) throw new RequestProblem(400, 'the JSON is nested too deeply');
  return value;
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  for (const key in value) {
    if (isDeeperThan((value as Readonly<Record<string, unknown>>)[key], depth - 1)) return true;
  }
  return false;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
  throw new RequestProblem(400, issue.message, { pointer: jsonPointer(path) });
}

/** RFC 6901 §3 and §4. */
function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
