/**
 * What a sender asked to be told about one recipient (RFC 3461 §4): the parameters RET and ENVID of MAIL, NOTIFY and ORCPT of RCPT, as they
 * may be written and as they are meant.
 */
import type { EsmtpParam, Mailbox } from './mailbox.ts';
import { findParam } from './mailbox.ts';
import { decodeXtext, isXtext } from './xtext.ts';

export interface TypedAddress {
  /** `rfc822`, or `utf-8` (RFC 6533). */
  readonly type: string;
  readonly address: string;
}

export interface DsnRequest {
  readonly notify: { readonly success: boolean; readonly failure: boolean; readonly delay: boolean };
  /** The whole message is to come back with a failure (RET=FULL). */
  readonly returnsMessage: boolean;
  /** ENVID, decoded. */
  readonly envelopeId?: string;
  /** ORCPT, decoded. */
  readonly originalRecipient?: TypedAddress;
}

/** RFC 3461 §4.4 and §4.2: lengths of the values as they are written. */
const ENVID_CHARS = 100;
const ORCPT_CHARS = 500;
const NOTIFY = /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2})$/i;
const ORCPT = /^([A-Za-z0-9-]+);(.+)$/su;
/** Printable ASCII, spaces included: what the decoded values may consist of. */
const PRINTABLE = /^[\x20-\x7e]+$/;

/** The keywords of RFC 3461; a hop that does not know them is offered the message without them. */
export function isDsnParam({ keyword }: EsmtpParam): boolean {
  return /^(?:RET|ENVID|NOTIFY|ORCPT)$/i.test(keyword);
}

export function withoutDsnParams(box: Mailbox): Mailbox {
  return box.params.some(isDsnParam) ? { ...box, params: box.params.filter((param) => !isDsnParam(param)) } : box;
}

/** Whether the value of one of these parameters may be written like this; any other parameter is none of our business. */
export function isValidDsnParam({ keyword, value }: EsmtpParam): boolean {
  switch (keyword.toUpperCase()) {
    case 'RET':
      return value !== undefined && /^(?:FULL|HDRS)$/i.test(value);
    case 'ENVID':
      return value !== undefined && value.length <= ENVID_CHARS && isXtext(value) && PRINTABLE.test(decodeXtext(value));
    case 'NOTIFY':
      return value !== undefined && NOTIFY.test(value);
    case 'ORCPT':
      return value !== undefined && value.length <= ORCPT_CHARS && parseOrcpt(value) !== undefined;
    default:
      return true;
  }
}

/** What a sender asked that said nothing of it, as nearly all do. */
const NOTHING_ASKED: DsnRequest = { notify: { success: false, failure: true, delay: true }, returnsMessage: false };

/**
 * What was asked for a recipient. A parameter that is badly written says nothing. Without NOTIFY a failure is reported, and so may be a
 * delay (RFC 3461 §4.1).
 */
export function dsnRequest(from: Mailbox | undefined, to: Mailbox): DsnRequest {
  if (to.params.length === 0 && (from === undefined || from.params.length === 0)) return NOTHING_ASKED;
  const envelopeId = from && validValue(from, 'ENVID');
  const orcpt = validValue(to, 'ORCPT');
  const originalRecipient = orcpt === undefined ? undefined : parseOrcpt(orcpt);
  return {
    notify: notifyOf(validValue(to, 'NOTIFY')),
    returnsMessage: from !== undefined && validValue(from, 'RET')?.toUpperCase() === 'FULL',
    ...(envelopeId !== undefined && { envelopeId: decodeXtext(envelopeId) }),
    ...(originalRecipient !== undefined && { originalRecipient }),
  };
}

function notifyOf(value: string | undefined): DsnRequest['notify'] {
  if (value === undefined) return { success: false, failure: true, delay: true };
  const words = value.toUpperCase().split(',');
  return { success: words.includes('SUCCESS'), failure: words.includes('FAILURE'), delay: words.includes('DELAY') };
}

function validValue(box: Mailbox, keyword: string): string | undefined {
  const param = findParam(box, keyword);
  return param !== undefined && isValidDsnParam(param) ? param.value : undefined;
}

/** RFC 3461 §4.2; for the type utf-8 RFC 6533 §3, where characters may stand as they are or as `\x{…}`. */
function parseOrcpt(value: string): TypedAddress | undefined {
  const [, type = '', text = ''] = ORCPT.exec(value) ?? [];
  if (type === '') return undefined;
  if (type.toLowerCase() === 'utf-8') {
    const isClean = /^[^\x00-\x20\x7f+=]+$/u.test(text) || isXtext(text);
    return isClean ? { type: 'utf-8', address: decodeUtf8Address(text) } : undefined;
  }
  const address = decodeXtext(text);
  return isXtext(text) && PRINTABLE.test(address) ? { type: type.toLowerCase(), address } : undefined;
}

/** RFC 6533 §3: `\x{F6}` stands for a character. What is no character stays as it is written. */
function decodeUtf8Address(text: string): string {
  return decodeXtext(text).replace(/\\x\{([0-9A-F]{2,6})\}/g, (whole, hex: string) => {
    const code = Number.parseInt(hex, 16);
    const isText = code > 0x1f && code !== 0x7f && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return isText ? String.fromCodePoint(code) : whole;
  });
}
