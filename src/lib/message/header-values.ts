/**
 * The headers of a message-builder JSON as header fields (protocol §3.1). Names are matched without regard to case. Rendering is the
 * validation too: what cannot be written is a `FieldError`, found when the transaction is created.
 */
import { domainToASCII } from 'node:url';
import addressParser from 'nodemailer/lib/addressparser';
import { parseAddress } from '../core/mailbox.ts';
import { formatDate } from './date.ts';
import { encodePhrase, encodeText, FieldError, mustBeHeaderText, writeField } from './header-field.ts';

/** RFC 5322 §3.6: fields that may occur once. */
export const UNIQUE_HEADERS: ReadonlySet<string> = new Set(
  'date from sender reply-to to cc bcc message-id in-reply-to references subject'.split(' '),
);

/** RFC 5322 §2.2: printable ASCII but the colon. */
const FIELD_NAME = /^[!-9;-~]{1,200}$/;
const ADDRESS_HEADERS = new Set('from to cc bcc'.split(' '));
/** Upstream takes these as text only; they hold addresses all the same, so names in them are encoded one by one. */
const ADDRESS_TEXT_HEADERS = new Set('sender reply-to resent-from resent-sender resent-to resent-cc'.split(' '));
const ID_HEADERS = new Set('message-id in-reply-to references'.split(' '));
/** A blind copy is blind because no recipient sees it (RFC 5322 §3.6.3): recipients come from the envelope alone. */
const NEVER_WRITTEN = new Set('bcc resent-bcc'.split(' '));
/** 9999-12-31T23:59:59Z: a four-digit year is all RFC 5322 can say. */
const UNIX_SECS_MAX = 253_402_300_799;

/** One header as a field with its CRLF, or `''` when it is left out. Throws `FieldError`. */
export function renderHeader(name: string, value: unknown): string {
  const key = name.toLowerCase();
  if (!FIELD_NAME.test(name)) throw new FieldError('is not a header name: printable ASCII without spaces or a colon');
  if (key.startsWith('content-')) throw new FieldError('is written by the message builder itself');
  // The builder writes its own; a copied header list may well hold one.
  if (key === 'mime-version') return '';
  const text = renderValue(key, value);
  return text === undefined || NEVER_WRITTEN.has(key) ? '' : writeField(name, text);
}

function renderValue(key: string, value: unknown): string | undefined {
  if (ADDRESS_HEADERS.has(key) || (ADDRESS_TEXT_HEADERS.has(key) && Array.isArray(value))) return addressList(value);
  if (key === 'date') return dateValue(value);
  if (ID_HEADERS.has(key)) return idList(key, value);
  if (typeof value !== 'string') throw new FieldError('must be a string');
  mustBeHeaderText(value);
  if (ADDRESS_TEXT_HEADERS.has(key) && /[^\x00-\x7f]/.test(value)) return addressList(value);
  return encodeText(value);
}

/** `[{address, display_name}]`, or the text of an address list; an empty list leaves the header out. */
function addressList(value: unknown): string | undefined {
  if (typeof value === 'string') {
    mustBeHeaderText(value);
    const boxes = addressParser(value, { flatten: true });
    if (boxes.length === 0) throw new FieldError('holds no address');
    return boxes.map((box) => mailboxText(box.address ?? '', box.name ?? '', '')).join(', ');
  }
  if (!Array.isArray(value)) throw new FieldError('must be a list of {"address", "display_name"}');
  const boxes = value.map((item: unknown, i) => {
    const path = `/${i}`;
    if (!isObject(item)) throw new FieldError('must be an object with "address"', path);
    const unknown = Object.keys(item).find((key) => key !== 'address' && key !== 'display_name');
    if (unknown !== undefined) throw new FieldError(`unknown key "${unknown}"`, path);
    const { address, display_name: name = '' } = item;
    if (typeof address !== 'string') throw new FieldError('"address" must be a string', path);
    if (typeof name !== 'string') throw new FieldError('must be a string', `${path}/display_name`);
    return mailboxText(address, name, path);
  });
  return boxes.length === 0 ? undefined : boxes.join(', ');
}

function mailboxText(address: string, name: string, path: string): string {
  mustBeHeaderText(name, path === '' ? '' : `${path}/display_name`);
  const addressPath = path === '' ? '' : `${path}/address`;
  const parts = parseAddress(address);
  if (parts === undefined || parts.domain === '') throw new FieldError('is not an address like user@host', addressPath);
  // A local part outside ASCII needs an internationalised header (RFC 6532) and leaves nothing to gain from A-labels.
  const isPlainLocal = /^[\x00-\x7f]*$/.test(parts.localPart);
  const domain = isPlainLocal && /[^\x00-\x7f]/.test(parts.domain) ? domainToASCII(parts.domain) : parts.domain;
  if (domain === '') throw new FieldError('has a domain that is no host name', addressPath);
  const bare = `${parts.localPart}@${domain}`;
  return name.trim() === '' ? bare : `${encodePhrase(name)} <${bare}>`;
}

/** `{unix_secs, tz_offset}`, the offset in seconds east of UTC; or a date as text. */
function dateValue(value: unknown): string {
  if (typeof value === 'string') {
    mustBeHeaderText(value);
    if (!/^[\x20-\x7e]+$/.test(value) || Number.isNaN(Date.parse(value))) throw new FieldError('is not a date');
    return value;
  }
  if (!isObject(value)) throw new FieldError('must be an object with "unix_secs"');
  const unknown = Object.keys(value).find((key) => key !== 'unix_secs' && key !== 'tz_offset');
  if (unknown !== undefined) throw new FieldError(`unknown key "${unknown}"`);
  const { unix_secs: secs, tz_offset: offset } = value;
  if (typeof secs !== 'number' || !Number.isInteger(secs) || secs <= 0 || secs > UNIX_SECS_MAX) {
    throw new FieldError('must be whole seconds since 1970, greater than 0', '/unix_secs');
  }
  if (offset === undefined || offset === null) return formatDate(secs * 1000);
  if (typeof offset !== 'number' || !Number.isInteger(offset) || Math.abs(offset) >= 86_400) {
    throw new FieldError('must be whole seconds east of UTC, less than a day', '/tz_offset');
  }
  return formatDate(secs * 1000, Math.trunc(offset / 60));
}

/** Ids without their angle brackets, or the header's own text with them. */
function idList(key: string, value: unknown): string | undefined {
  if (typeof value === 'string' && /^\s*(?:<[^<>\s]+>\s*)+$/.test(value)) {
    return idList(key, value.trim().split(/(?<=>)\s*/));
  }
  if (!Array.isArray(value)) throw new FieldError('must be a list of message ids without angle brackets');
  const ids = value.map((item: unknown, i) => {
    const id = typeof item === 'string' ? item.replace(/^<(.*)>$/s, '$1') : '';
    if (!/^[^\s<>\x00-\x1f\x7f]+$/.test(id)) throw new FieldError('must be a message id like left@right', `/${i}`);
    return `<${id}>`;
  });
  if (key === 'message-id' && ids.length > 1) throw new FieldError('must be one id');
  return ids.length === 0 ? undefined : ids.join(' ');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
