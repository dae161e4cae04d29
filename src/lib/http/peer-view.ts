/**
 * A transaction as a REST peer shows it, reduced to what we act on. Peers differ: what is missing, malformed or unknown is passed over, and
 * only what can be relied on is kept (protocol §1.9).
 */
import { limits } from '../core/limits.ts';
import { type Response, reply, responseClass, responseFromText } from '../core/response.ts';
import { isJsonObject } from './request.ts';

/** Every key is always there: each answer makes a new one, and an engine is quick with objects of one shape only. */
export interface PeerView {
  readonly mail: Response | undefined;
  /** In the order of the recipients; ends at the first that is not answered. */
  readonly rcpt: readonly Response[];
  readonly data: Response | undefined;
  /** How many recipients the peer knows of. */
  readonly rcptCount: number;
  /** It will do no more: cancelled, or not tried again. */
  readonly isEnded: boolean;
  /** Where the message is uploaded, as the peer names it. */
  readonly bodyUri: string | undefined;
  /** It behaves as an application that receives mail: uploads must be whole. */
  readonly isReceiver: boolean;
  /** Where it takes the parsed message, as it names the place; only a receiver has one. */
  readonly builderUri: string | undefined;
  /** It has the parsed message. */
  readonly hasParsed: boolean;
  /** The parts of the parsed message that it knows of, by id. */
  readonly parts: ReadonlyMap<string, PeerPart>;
}

/** A part of a parsed message at a receiver. */
export interface PeerPart {
  /** Where it is uploaded, as the peer names it. */
  readonly uri: string;
  readonly isComplete: boolean;
}

const NO_PARTS: ReadonlyMap<string, PeerPart> = new Map();

export const NO_VIEW: PeerView = {
  mail: undefined,
  rcpt: [],
  data: undefined,
  rcptCount: 0,
  isEnded: false,
  bodyUri: undefined,
  isReceiver: false,
  builderUri: undefined,
  hasParsed: false,
  parts: NO_PARTS,
};

const DEFAULT_TEXT = { ok: 'ok', temporary: 'temporary error', permanent: 'permanent error', other: 'error' } as const;

export function readPeerView(json: Readonly<Record<string, unknown>>): PeerView {
  const body = objectAt(json, 'body');
  const blob = objectAt(body, 'blob_status');
  const builder = objectAt(body, 'message_builder');
  return {
    mail: readResponse(json.mail_response),
    rcpt: readResponses(json.rcpt_response),
    data: readResponse(json.data_response),
    rcptCount: Array.isArray(json.rcpt_to) ? json.rcpt_to.length : 0,
    isEnded: json.cancelled === true || typeof json.final_attempt_reason === 'string',
    bodyUri: typeof blob?.uri === 'string' ? blob.uri : undefined,
    isReceiver: blob?.finalized === false || typeof builder?.uri === 'string',
    builderUri: typeof builder?.uri === 'string' ? builder.uri : undefined,
    hasParsed: builder !== undefined && builder.uri === undefined,
    parts: readParts(objectAt(builder, 'blob_status')),
  };
}

/**
 * Joins what was known with what is shown now. A reply once seen stays, whatever a retrying peer shows later, and so does the place to upload
 * to, whose host may differ from answer to answer.
 */
export function mergePeerView(known: PeerView, shown: PeerView): PeerView {
  return {
    mail: known.mail ?? shown.mail,
    rcpt: known.rcpt.length === 0 ? shown.rcpt : [...known.rcpt, ...shown.rcpt.slice(known.rcpt.length)],
    data: known.data ?? shown.data,
    rcptCount: Math.max(known.rcptCount, shown.rcptCount),
    isEnded: shown.isEnded,
    bodyUri: known.bodyUri ?? shown.bodyUri,
    isReceiver: known.isReceiver || shown.isReceiver,
    builderUri: known.builderUri ?? shown.builderUri,
    hasParsed: known.hasParsed || shown.hasParsed,
    parts: mergeParts(known.parts, shown.parts),
  };
}

function mergeParts(
  known: ReadonlyMap<string, PeerPart>,
  shown: ReadonlyMap<string, PeerPart>,
): ReadonlyMap<string, PeerPart> {
  if (shown.size === 0) return known;
  const merged = new Map(known);
  for (const [id, { uri, isComplete }] of shown) {
    const before = known.get(id);
    merged.set(id, { uri: before?.uri ?? uri, isComplete: isComplete || before?.isComplete === true });
  }
  return merged;
}

function readParts(status: Readonly<Record<string, unknown>> | undefined): ReadonlyMap<string, PeerPart> {
  if (status === undefined) return NO_PARTS;
  const parts = new Map<string, PeerPart>();
  for (const id of Object.keys(status)) {
    const part = objectAt(status, id);
    if (typeof part?.uri === 'string') parts.set(id, { uri: part.uri, isComplete: part.finalized === true });
  }
  return parts;
}

function readResponses(value: unknown): readonly Response[] {
  if (!Array.isArray(value)) return [];
  const read = value.slice(0, limits.rcptsPerTransaction).map(readResponse);
  const end = read.indexOf(undefined);
  return (end === -1 ? read : read.slice(0, end)) as readonly Response[];
}

/** A code that is no SMTP reply must not reach an SMTP client as one. */
function readResponse(value: unknown): Response | undefined {
  if (!isJsonObject(value)) return undefined;
  const { code, message } = value;
  if (typeof code !== 'number' || !Number.isInteger(code)) return undefined;
  if (message !== undefined && typeof message !== 'string') return undefined;
  const kind = responseClass({ code, text: '' });
  if (kind === 'other') return reply(450, '4.5.0', `upstream answered ${code}`);
  return responseFromText(code, cleanText(message ?? '') || DEFAULT_TEXT[kind]);
}

const PLAIN = /^[\x20-\x7e\n]*$/;

/** Lines stay lines; any other control character could break out of a reply. */
function cleanText(text: string): string {
  if (text.length <= limits.smtpReplyBytes && PLAIN.test(text)) return text;
  return text
    .slice(0, limits.smtpReplyBytes)
    .replace(/\r\n/g, '\n')
    .replace(/[^\P{Cc}\n]/gu, ' ');
}

function objectAt(
  json: Readonly<Record<string, unknown>> | undefined,
  key: string,
): Readonly<Record<string, unknown>> | undefined {
  const value = json?.[key];
  return isJsonObject(value) ? value : undefined;
}
