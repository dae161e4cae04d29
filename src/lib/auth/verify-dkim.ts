/**
 * Verifies the DKIM signatures of a message (RFC 6376, RFC 8301, RFC 8463) in one pass over its bytes. Whatever the message or DNS says,
 * the answer is a value: a temporary failure of DNS is `temp_err` of that signature.
 */
import type { Body } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { InvariantError } from '../core/errors.ts';
import type { DkimCheck } from '../core/signals/dkim.ts';

export interface VerifyDkimOptions {
  /** Domains besides those of From that count as aligned. */
  readonly extraDomains?: readonly string[];
  /** Ends the waiting for DNS: what is not answered then is `temp_err`. */
  readonly signal?: AbortSignal;
}

export interface VerifiedDkim extends DkimCheck {
  /** The domains of the From addresses as DNS has them, lower case. */
  readonly authorDomains: readonly string[];
}

export async function verifyDkim(
  _body: Body,
  _deps: Pick<Deps, 'clock' | 'dns'>,
  _options: VerifyDkimOptions = {},
): Promise<VerifiedDkim> {
  throw new InvariantError('signatures cannot be verified yet');
}
