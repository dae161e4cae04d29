/** A new bearer token for the REST API, with the entry its hash gets in the file of tokens. */
import { hashSecret, mintSecret } from '../auth/secrets.ts';
import type { Rng } from '../core/deps.ts';
import { UserError } from '../core/errors.ts';

export interface TokenAsk {
  /** The key of the entry; default: the first sender, `trusted`, or `operator`. */
  readonly name?: string;
  readonly senders: readonly string[];
  readonly isTrusted: boolean;
  readonly isOperator: boolean;
}

export interface MintedToken {
  readonly token: string;
  readonly name: string;
  readonly entry: {
    readonly hash: string;
    readonly senders?: readonly string[];
    readonly trusted?: true;
    readonly operator?: true;
  };
}

/** Throws `UserError` for a token that would be for nothing, or for two things that exclude each other. */
export function mintToken(ask: TokenAsk, rng: Pick<Rng, 'bytes'>): MintedToken {
  const { senders, isTrusted, isOperator } = ask;
  if (senders.length === 0 && !isTrusted && !isOperator) {
    throw new UserError('a token is for something: add --sender NAME, --trusted, or --operator');
  }
  if (senders.length > 0 && isOperator) {
    throw new UserError('an operator acts for every sender: leave out --sender, or --operator');
  }
  const token = mintSecret(rng);
  const entry = {
    hash: hashSecret(token),
    ...(senders.length > 0 && { senders }),
    ...(isTrusted && { trusted: true as const }),
    ...(isOperator && { operator: true as const }),
  };
  return { token, name: ask.name ?? senders[0] ?? (isOperator ? 'operator' : 'trusted'), entry };
}
