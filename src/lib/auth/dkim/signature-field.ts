/**
 * Reads a DKIM-Signature (RFC 6376 §3.5), or the ARC-Message-Signature that has the same form (RFC 8617 §4.1.2), and finds everything that
 * keeps it from being verified at all (RFC 6376 §6.1.1).
 */
import { isUtf8 } from 'node:buffer';
import { asciiDomain, isWithin } from '../../message/ascii-domain.ts';
import type { BodyCanonicalization } from './body-hash.ts';
import type { KeyType } from './public-key.ts';
import type { HeaderCanonicalization, RawField } from './raw-field.ts';
import { parseTagList, type TagList, withoutSpaces } from './tag-list.ts';

/** What the field says, as far as it can be read. */
export interface SignatureField {
  readonly field: RawField;
  readonly tags: TagList;
  /** `a=` in lower case. */
  readonly algorithm: string;
  /** `d=` and `s=` as DNS has them; `''` when they are missing or no names. */
  readonly domain: string;
  readonly selector: string;
  readonly identity?: string;
  /** `h=` in lower case. */
  readonly headers: readonly string[];
  readonly timestamp?: number;
  readonly expiration?: number;
  /** Present when it can be verified. */
  readonly verifiable?: Verifiable;
  /** Present when it cannot. */
  readonly problem?: SignatureProblem;
}

export interface SignatureProblem {
  readonly comment: string;
  readonly isUnknownAlgorithm: boolean;
}

export interface Verifiable {
  readonly keyType: KeyType;
  readonly canonicalization: { readonly header: HeaderCanonicalization; readonly body: BodyCanonicalization };
  /** `l=`: only so many bytes of the canonical body are signed. */
  readonly bodyLength?: number;
  /** `bh=`, base64. */
  readonly bodyHash: string;
  readonly signature: Buffer;
}

export type SignatureKind = 'dkim' | 'ams';

export function signatureField(field: RawField, kind: SignatureKind, nowMs: number): SignatureField {
  const tags = parseTagList(field.raw.slice(field.raw.indexOf(':') + 1));
  const known = tags ?? new Map<string, string>();
  const timestamp = seconds(known.get('t'));
  const expiration = seconds(known.get('x'));
  const identity = kind === 'dkim' ? known.get('i') : undefined;
  const read = {
    field,
    tags: known,
    algorithm: withoutSpaces(known.get('a') ?? '').toLowerCase(),
    domain: asciiDomain(decoded(known.get('d') ?? '')) ?? '',
    selector: asciiDomain(decoded(known.get('s') ?? '')) ?? '',
    ...(identity !== undefined && { identity: decoded(withoutSpaces(identity)) }),
    headers: headerNames(known.get('h') ?? ''),
    ...(timestamp !== undefined && { timestamp }),
    ...(expiration !== undefined && { expiration }),
  };
  if (tags === undefined) return { ...read, problem: malformed('the field is malformed') };
  const problem = problemOf(read, kind, nowMs);
  if (problem !== undefined) return { ...read, problem };
  const verifiable = verifiableOf(read, kind);
  return verifiable === undefined
    ? { ...read, problem: malformed('the signature is malformed') }
    : { ...read, verifiable };
}

function problemOf(
  { tags, algorithm, domain, selector, identity, headers, timestamp, expiration }: Omit<SignatureField, 'verifiable'>,
  kind: SignatureKind,
  nowMs: number,
): SignatureProblem | undefined {
  if (kind === 'dkim' && tags.get('v') !== '1') return malformed('unknown version');
  for (const name of ['a', 'b', 'bh', 'd', 's', 'h']) {
    if ((tags.get(name) ?? '') === '') return malformed(`no ${name}=`);
  }
  if (domain === '' || selector === '') return malformed('the signing domain or selector is no name');
  // RFC 8301 §3.1: rsa-sha1 must not be accepted.
  if (!['rsa-sha256', 'ed25519-sha256'].includes(algorithm)) {
    return { comment: 'unknown or forbidden algorithm', isUnknownAlgorithm: true };
  }
  if (!headers.includes('from')) return malformed('From is not signed');
  if (identity !== undefined && !isWithin(asciiDomain(agentDomain(identity)) ?? '', domain)) {
    return malformed('the agent is not in the signing domain');
  }
  if (tags.has('x') && expiration === undefined) return malformed('the expiration is no time');
  if (expiration !== undefined && timestamp !== undefined && expiration <= timestamp) {
    return malformed('expired before it was made');
  }
  return expiration !== undefined && expiration * 1000 < nowMs ? malformed('the signature has expired') : undefined;
}

function verifiableOf(
  { tags, algorithm }: Pick<SignatureField, 'tags' | 'algorithm'>,
  kind: SignatureKind,
): Verifiable | undefined {
  // RFC 8617 does not say; those who seal without `c=` mean relaxed.
  const defaults = kind === 'dkim' ? 'simple/simple' : 'relaxed/relaxed';
  const [header = '', body = 'simple'] = withoutSpaces(tags.get('c') ?? defaults)
    .toLowerCase()
    .split('/');
  const length = tags.get('l');
  const signature = withoutSpaces(tags.get('b') ?? '');
  const bodyHash = withoutSpaces(tags.get('bh') ?? '');
  const isReadable =
    isCanonicalization(header) &&
    isCanonicalization(body) &&
    (length === undefined || /^\d{1,15}$/.test(length)) &&
    [signature, bodyHash].every((text) => /^[A-Za-z0-9+/]+={0,2}$/.test(text));
  if (!isReadable) return undefined;
  return {
    keyType: algorithm.startsWith('rsa') ? 'rsa' : 'ed25519',
    canonicalization: { header, body },
    ...(length !== undefined && { bodyLength: Number(length) }),
    bodyHash,
    signature: Buffer.from(signature, 'base64'),
  };
}

function malformed(comment: string): SignatureProblem {
  return { comment, isUnknownAlgorithm: false };
}

function isCanonicalization(text: string): text is 'relaxed' | 'simple' {
  return text === 'relaxed' || text === 'simple';
}

/** Fields are read byte for byte; internationalised names are UTF-8 (RFC 8616). */
function decoded(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : latin1;
}

function agentDomain(identity: string): string {
  return identity.slice(identity.lastIndexOf('@') + 1);
}

function headerNames(value: string): readonly string[] {
  const names = withoutSpaces(value).toLowerCase().split(':');
  return names.filter((name) => name !== '');
}

/** Whole seconds since 1970; twelve digits reach further than anybody's mail. */
function seconds(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,12}$/.test(value) ? Number(value) : undefined;
}
