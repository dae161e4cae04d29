/** A bearer token that was handed over as it is, and which peer is shown it. */
import { exitCodes, UserError } from '../core/errors.ts';
import type { Trust } from './http-client.ts';

/** What stands in an Authorization header unharmed (RFC 6750 §2.1). */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** A token that was handed over as it is; `where` says from where, for the `UserError` that is thrown when it cannot be one. */
export function tokenTrust(url: URL, token: string, where: string): Trust {
  const checked = checkedToken(token, where);
  return { token: () => checked, isTokenForTlsOnly: url.protocol === 'https:' };
}

/** Never quotes the text: it is a secret, or a piece of one. */
export function checkedToken(text: string, where: string): string {
  const token = text.trim();
  if (TOKEN.test(token)) return token;
  const why = token === '' ? 'is empty' : 'is no token: one line of A-Z, a-z, 0-9 and ._~+/- is expected';
  throw new UserError(`${where} ${why}`, exitCodes.config);
}
