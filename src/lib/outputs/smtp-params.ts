/**
 * Fits the envelope to what the destination offers (protocol §8.5): which ESMTP parameters can go, which can be left out without harm, and
 * which cannot be had, so that the destination's lack is the answer.
 */
import { domainToASCII } from 'node:url';
import type { EsmtpParam, Mailbox } from '../core/mailbox.ts';
import { type Response, reply } from '../core/response.ts';
import { type Capabilities, maxMessageBytes } from '../smtp/client/capabilities.ts';

/** The envelope part as it can be sent, or the refusal. */
export type Fitted = { readonly box: Mailbox } | { readonly refusal: Response };

/** Parameters that come with an extension of another name. Without DSN or AUTH they are to be left out (RFC 3461 §5.2.2, RFC 4954 §5). */
const OPTIONAL: Readonly<Record<string, string>> = {
  RET: 'DSN',
  ENVID: 'DSN',
  NOTIFY: 'DSN',
  ORCPT: 'DSN',
  AUTH: 'AUTH',
};
const EXTENSION: Readonly<Record<string, string>> = {
  BY: 'DELIVERBY',
  HOLDFOR: 'FUTURERELEASE',
  HOLDUNTIL: 'FUTURERELEASE',
  SOLICIT: 'NO-SOLICITING',
};

/** What is known at MAIL of what comes later. */
export interface MailFacts {
  /** The real size of the message. */
  readonly sizeBytes: number | undefined;
  /** Addresses of the recipients asked for so far. */
  readonly rcpts: readonly string[];
}

export function fitMail(from: Mailbox, offered: Capabilities, { sizeBytes, rcpts }: MailFacts): Fitted {
  const isPlain = from.params.length === 0 && sizeBytes === undefined && isAscii(from.address);
  if (isPlain && rcpts.every(isAscii)) return { box: from };
  const params: EsmtpParam[] = [];
  for (const param of from.params) {
    const fitted = fitMailParam(param, offered);
    if (fitted === 'drop') continue;
    if ('code' in fitted) return { refusal: fitted };
    params.push(fitted);
  }
  const tooLarge = sizeRefusal(sizeBytes ?? declaredSize(from), offered);
  if (tooLarge !== undefined) return { refusal: tooLarge };
  if (sizeBytes !== undefined && offered.has('SIZE')) params.push({ keyword: 'SIZE', value: String(sizeBytes) });
  const address = fitAddress(from.address, hasSmtputf8(params), offered);
  if (address === undefined) return { refusal: smtputf8Missing };
  const needsUtf8 = !isAscii(address) || rcpts.some((rcpt) => !isAscii(localPart(rcpt)));
  if (needsUtf8 && offered.has('SMTPUTF8') && !hasSmtputf8(params)) params.push({ keyword: 'SMTPUTF8' });
  return { box: { address, params } };
}

/** `smtputf8` says whether MAIL carries it. */
export function fitRcpt(to: Mailbox, offered: Capabilities, smtputf8: boolean): Fitted {
  if (to.params.length === 0 && isAscii(to.address)) return { box: to };
  const params: EsmtpParam[] = [];
  for (const param of to.params) {
    const fitted = fitParam(param, 'RCPT', offered);
    if (fitted === 'drop') continue;
    if ('code' in fitted) return { refusal: fitted };
    params.push(fitted);
  }
  const address = fitAddress(to.address, smtputf8, offered);
  return address === undefined ? { refusal: smtputf8Missing } : { box: { address, params } };
}

/** The refusal for a message larger than the destination takes (RFC 1870 §6.1). */
export function sizeRefusal(sizeBytes: number | undefined, offered: Capabilities): Response | undefined {
  const largest = maxMessageBytes(offered);
  if (sizeBytes === undefined || largest === undefined || sizeBytes <= largest) return undefined;
  return reply(552, '5.3.4', `message size ${sizeBytes} exceeds the ${largest} bytes the destination takes`);
}

export function hasSmtputf8(params: readonly EsmtpParam[]): boolean {
  return params.some((param) => param.keyword.toUpperCase() === 'SMTPUTF8');
}

const smtputf8Missing = reply(553, '5.6.7', 'a non-ASCII address, and the destination does not offer SMTPUTF8');

function fitMailParam(param: EsmtpParam, offered: Capabilities): EsmtpParam | Response | 'drop' {
  const keyword = param.keyword.toUpperCase();
  // Header fields were added since the size was declared: the real one is put in when it is known.
  if (keyword === 'SIZE') return 'drop';
  if (keyword !== 'BODY') return fitParam(param, 'MAIL', offered);
  const kind = param.value?.toUpperCase();
  if (kind === undefined) return reply(501, '5.5.4', 'BODY needs a value');
  // Whether the message needs it is seen when the message is there; many declare it for any message.
  if (kind === '8BITMIME' || kind === '7BIT') return offered.has('8BITMIME') ? param : 'drop';
  return offered.has(kind) ? param : reply(504, '5.5.4', `body=${param.value} and not advertised`);
}

function fitParam(param: EsmtpParam, verb: 'MAIL' | 'RCPT', offered: Capabilities): EsmtpParam | Response | 'drop' {
  const keyword = param.keyword.toUpperCase();
  const optional = OPTIONAL[keyword];
  if (optional !== undefined) return offered.has(optional) ? param : 'drop';
  if (offered.has(EXTENSION[keyword] ?? keyword)) return param;
  return reply(504, '5.5.4', `smtp_endpoint: ${verb} esmtp param not advertised by peer: ${param.keyword}`);
}

function declaredSize(from: Mailbox): number | undefined {
  const value = from.params.find((param) => param.keyword.toUpperCase() === 'SIZE')?.value;
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** The address as it can be sent; `undefined` when that takes SMTPUTF8 and there is none. */
function fitAddress(address: string, smtputf8: boolean, offered: Capabilities): string | undefined {
  if (isAscii(address) || smtputf8) return address;
  const local = localPart(address);
  // RFC 6531 §3.7.1: a domain has an ASCII form, a local part has none.
  const domain = isAscii(local) ? domainToASCII(address.slice(local.length + 1)) : '';
  if (domain !== '') return `${local}@${domain}`;
  return offered.has('SMTPUTF8') ? address : undefined;
}

function localPart(address: string): string {
  const at = address.lastIndexOf('@');
  return at === -1 ? address : address.slice(0, at);
}

function isAscii(text: string): boolean {
  return /^[\u0000-\u007f]*$/.test(text);
}
