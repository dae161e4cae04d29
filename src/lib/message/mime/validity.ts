/**
 * How well-formed a message is, as one of four levels (protocol §7.2): the highest whose requirements, and those of all below it, are met.
 * It says what is, not what should become of it.
 */
import type { Body } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import type { MessageValidation } from '../../core/signals/message-validation.ts';
import type { HeaderField } from '../headers.ts';
import { parseAddressField } from './addresses.ts';
import { fromAddresses } from './from-addresses.ts';
import { type MimeDefect, type MimePart, walkParts } from './part.ts';
import { readDate } from './read-date.ts';
import { scanMime } from './scan.ts';
import type { PartSink } from './scanner.ts';
import { transferDecoder } from './transfer-decoder.ts';

/** How deep a message may nest and still have no fault. */
const VALID_DEPTH_MAX = 20;

const ADDRESS_FIELDS = new Set(
  'from sender reply-to to cc bcc resent-from resent-sender resent-to resent-cc resent-bcc'.split(' '),
);
/** The header cannot be told from the content with certainty. */
const HEADER_BROKEN: readonly MimeDefect[] = ['lineWithoutColon', 'missingSeparator'];
/** The charset is named correctly for somebody; only we cannot decode it. */
const HARMLESS: readonly MimeDefect[] = ['unknownCharset'];

export interface ValidityAsk {
  /** The sender announced SMTPUTF8: headers may hold UTF-8 (RFC 6532). */
  readonly utf8: boolean;
}

/** Reads the body once. Never throws for what is in it. */
export async function validateMessage(body: Body, ask: ValidityAsk): Promise<MessageValidation> {
  return validityOf(await scanMime(body, { depthMax: VALID_DEPTH_MAX, sinkFor: base64Check }), ask);
}

/** Only base64 can be wrong: quoted-printable and the rest mean something whatever they are. */
function base64Check({ encoding }: MimePart): PartSink | undefined {
  if (encoding !== 'base64') return undefined;
  const decoder = transferDecoder(encoding);
  return {
    write: (bytes) => void decoder.write(bytes),
    end: () => {
      decoder.end();
      return decoder.isFaulty ? 'badBase64' : undefined;
    },
  };
}

function validityOf(message: MimePart, { utf8 }: ValidityAsk): MessageValidation {
  const from = fromAddresses(message.headers);
  const headerFrom = from.length === 0 ? {} : { headerFrom: from };
  const broken = brokenHeader(message);
  if (broken !== undefined) return { status: 'NONE', err: broken, ...headerFrom };
  const receivedHeaderCount = message.headers.filter(({ name }) => name.toLowerCase() === 'received').length;
  const facts = { receivedHeaderCount, ...headerFrom };
  const err = faultyHeader(message, utf8);
  if (err !== undefined) return { status: 'BASIC', err, ...facts };
  for (const part of walkParts(message)) {
    if (hasFault(part, utf8)) return { status: 'MEDIUM', err: 'mime tree', ...facts };
  }
  return { status: 'HIGH', ...facts };
}

/** What keeps a message from BASIC. */
function brokenHeader({ defects, isSeparated, start, end }: MimePart): string | undefined {
  const isContentAtOnce = defects.includes('missingSeparator') && start < end;
  const isCut = defects.includes('headerTooLong') || (!isSeparated && !isContentAtOnce);
  if (isCut) return `couldn't find end of rfc822 headers in ${limits.messageHeaderBytes}`;
  return defects.some((defect) => HEADER_BROKEN.includes(defect)) ? 'MissingHeaderBodySeparatorDefect' : undefined;
}

/** What keeps it from MEDIUM. */
function faultyHeader(message: MimePart, utf8: boolean): string | undefined {
  if (!hasCleanBytes(message, utf8)) return 'invalid text encoding in headers';
  for (const name of ['from', 'date', 'message-id']) {
    const fields = message.headers.filter((field) => field.name.toLowerCase() === name);
    const [field] = fields;
    if (field === undefined || fields.length > 1) return `missing/multiple ${name}`;
    if (!isSound(field) || field.value === '') return `invalid ${name}`;
  }
  return undefined;
}

/** What keeps it from HIGH. */
function hasFault(part: MimePart, utf8: boolean): boolean {
  return (
    part.defects.some((defect) => !HARMLESS.includes(defect)) ||
    !hasCleanBytes(part, utf8) ||
    !part.headers.every(isSound)
  );
}

function hasCleanBytes({ defects, headerCharset }: MimePart, utf8: boolean): boolean {
  if (defects.includes('controlCharacter')) return false;
  return headerCharset === 'ascii' || (utf8 && headerCharset === 'utf8');
}

/** A field of a known form has that form. */
function isSound({ name, value }: HeaderField): boolean {
  const key = name.toLowerCase();
  if (ADDRESS_FIELDS.has(key)) {
    const { addresses, isSound: isList } = parseAddressField(value);
    return isList && (key !== 'from' || addresses.length > 0);
  }
  if (key === 'date' || key === 'resent-date') return readDate(value) !== undefined;
  // RFC 5322 §3.6.4.
  if (key === 'message-id' || key === 'resent-message-id') return MESSAGE_ID.test(value);
  return true;
}

const MESSAGE_ID = /^(?:\([^()]*\)\s*)?<[^<>\s@]+@[^<>\s]+>(?:\s*\([^()]*\))?$/;
