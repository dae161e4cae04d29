/** Judges the parameters of MAIL and RCPT against what was offered in EHLO: what was not offered is refused, never silently dropped. */
import { type EsmtpParam, findParam, type Mailbox, mailbox } from '../../core/mailbox.ts';
import { type Response, reply } from '../../core/response.ts';

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
const withDsn =
  (keyword: string, rule: Rule): Rule =>
  (value, offer) =>
    offer.offersDsn ? rule(value, offer) : notOffered(keyword);

const XTEXT = /^(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})+$/;

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
  AUTH: (value, offer) => (offer.offersAuth ? matching('AUTH', XTEXT)(value, offer) : notOffered('AUTH')),
  RET: withDsn('RET', matching('RET', /^(?:FULL|HDRS)$/i)),
  ENVID: withDsn('ENVID', matching('ENVID', XTEXT)),
};

const rcptRules: Readonly<Record<string, Rule>> = {
  NOTIFY: withDsn(
    'NOTIFY',
    matching('NOTIFY', /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2})$/i),
  ),
  ORCPT: withDsn('ORCPT', matching('ORCPT', /^[A-Za-z0-9-]+;.+$/u)),
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
  return checkParams(to.params, rcptRules, offer) ?? checkCharset(to.address, smtpUtf8);
}

export function isSmtpUtf8(from: Mailbox): boolean {
  return findParam(from, 'SMTPUTF8') !== undefined;
}

/** What goes upstream: AUTH= is a claim of the client that a relay must not repeat as its own (RFC 4954 §5). */
export function forwardedMail(from: Mailbox): Mailbox {
  return mailbox(
    from.address,
    from.params.filter((param) => param.keyword.toUpperCase() !== 'AUTH'),
  );
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
  return smtpUtf8 || /^[\x00-\x7f]*$/.test(address)
    ? undefined
    : reply(553, '5.6.7', 'a non-ASCII address needs SMTPUTF8');
}
