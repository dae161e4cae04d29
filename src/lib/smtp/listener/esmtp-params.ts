/** Judges the parameters of MAIL and RCPT against what was offered in EHLO: what was not offered is refused, never silently dropped. */
import { isValidDsnParam } from '../../core/dsn-request.ts';
import { type EsmtpParam, findParam, type Mailbox, mailbox } from '../../core/mailbox.ts';
import { type Response, reply } from '../../core/response.ts';
import { isXtext } from '../../core/xtext.ts';

export interface Offer {
  /** EHLO was said: parameters are allowed at all (RFC 5321 §4.1.1.1). */
  readonly isEsmtp: boolean;
  readonly maxBytes: number;
  readonly offersAuth: boolean;
  readonly offersDsn: boolean;
}

type Rule = (value: string | undefined, offer: Offer) => Response | undefined;

const badValue = (keyword: string): Response => reply(501, '5.5.4', `bad value of parameter ${keyword}`);
const notOffered = (keyword: string): Response => reply(555, '5.5.4', `parameter ${keyword} not recognized`);
const matching =
  (keyword: string, pattern: RegExp): Rule =>
  (value) =>
    value !== undefined && pattern.test(value) ? undefined : badValue(keyword);
/** RFC 3461 §4. */
const dsn =
  (keyword: string): Rule =>
  (value, { offersDsn }) => {
    if (!offersDsn) return notOffered(keyword);
    return isValidDsnParam(value === undefined ? { keyword } : { keyword, value }) ? undefined : badValue(keyword);
  };

const mailRules: Readonly<Record<string, Rule>> = {
  // RFC 1870 §6
  SIZE: (value, offer) => {
    if (value === undefined || !/^\d{1,20}$/.test(value)) return badValue('SIZE');
    return Number(value) > offer.maxBytes ? tooBig(offer.maxBytes) : undefined;
  },
  // RFC 6152 §3. BINARYMIME (RFC 3030) is not offered.
  BODY: matching('BODY', /^(?:7BIT|8BITMIME)$/i),
  // RFC 6531 §3.4: no value.
  SMTPUTF8: (value) => (value === undefined ? undefined : badValue('SMTPUTF8')),
  // RFC 4954 §5
  AUTH: (value, { offersAuth }) => {
    if (!offersAuth) return notOffered('AUTH');
    return value !== undefined && isXtext(value) ? undefined : badValue('AUTH');
  },
  RET: dsn('RET'),
  ENVID: dsn('ENVID'),
};

const rcptRules: Readonly<Record<string, Rule>> = {
  NOTIFY: dsn('NOTIFY'),
  ORCPT: dsn('ORCPT'),
};

/** RFC 1870 §6.1 and §6.3. */
export function tooBig(maxBytes: number): Response {
  return reply(552, '5.3.4', `message size exceeds fixed maximum of ${maxBytes} bytes`);
}

/** Refuses MAIL for its parameters or for an address that needs SMTPUTF8. */
export function checkMail(from: Mailbox, offer: Offer): Response | undefined {
  return checkParams(from.params, mailRules, offer) ?? checkCharset(from.address, isSmtpUtf8(from));
}

export function checkRcpt(to: Mailbox, offer: Offer, smtpUtf8: boolean): Response | undefined {
  const wide = smtpUtf8 ? undefined : to.params.find(({ value = '' }) => !isAscii(value));
  return (
    checkParams(to.params, rcptRules, offer) ??
    (wide === undefined ? undefined : badValue(wide.keyword)) ??
    checkCharset(to.address, smtpUtf8)
  );
}

export function isSmtpUtf8(from: Mailbox): boolean {
  return findParam(from, 'SMTPUTF8') !== undefined;
}

/** What goes upstream: AUTH= is a claim of the client that a relay must not repeat as its own (RFC 4954 §5). */
export function forwardedMail(from: Mailbox): Mailbox {
  if (findParam(from, 'AUTH') === undefined) return from;
  const params = from.params.filter((param) => param.keyword.toUpperCase() !== 'AUTH');
  return mailbox(from.address, params);
}

function checkParams(
  params: readonly EsmtpParam[],
  rules: Readonly<Record<string, Rule>>,
  offer: Offer,
): Response | undefined {
  if (params.length > 0 && !offer.isEsmtp) return reply(501, '5.5.4', 'parameters need EHLO');
  for (const { keyword, value } of params) {
    const name = keyword.toUpperCase();
    const refusal = Object.hasOwn(rules, name) ? rules[name]?.(value, offer) : notOffered(keyword);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** RFC 6531 §3.4: an internationalised address needs the extension. */
function checkCharset(address: string, smtpUtf8: boolean): Response | undefined {
  return smtpUtf8 || isAscii(address) ? undefined : reply(553, '5.6.7', 'a non-ASCII address needs SMTPUTF8');
}

function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}
