/** Whether a signature fits the message it stands in: body hash, key, and the signature over the header (RFC 6376 §6.1). */
import { createHash, type KeyObject, verify } from 'node:crypto';
import type { Dns } from '../../core/deps.ts';
import { asciiDomain } from '../../message/ascii-domain.ts';
import type { HashedBody } from './body-hashes.ts';
import { publicKey } from './public-key.ts';
import { canonicalField, type RawField } from './raw-field.ts';
import type { SignatureField, Verifiable } from './signature-field.ts';
import { withoutSignature } from './tag-list.ts';

export interface CheckedSignature {
  readonly result: 'pass' | 'fail' | 'neutral' | 'policy' | 'temperror' | 'permerror';
  readonly comment?: string;
  readonly keyBits?: number;
}

export interface SignedMessage {
  readonly fields: readonly RawField[];
  readonly bodyHash: (ask: { canonicalization: 'relaxed' | 'simple'; length?: number }) => HashedBody | undefined;
}

export async function checkSignature(
  from: SignatureField,
  message: SignedMessage,
  dns: Dns,
): Promise<CheckedSignature> {
  const { verifiable } = from;
  if (verifiable === undefined) {
    const { comment = 'the field is malformed', isUnknownAlgorithm = false } = from.problem ?? {};
    return { result: isUnknownAlgorithm ? 'neutral' : 'permerror', comment };
  }
  const hashed = message.bodyHash(bodyAsk(verifiable));
  const bodyProblem = checkBody(verifiable, hashed);
  if (bodyProblem !== undefined) return bodyProblem;
  const { domain, selector } = from;
  const key = await publicKey({ domain, selector, type: verifiable.keyType }, dns);
  if ('result' in key) {
    const { result, comment, bits } = key;
    return { result, comment, ...(bits !== undefined && { keyBits: bits }) };
  }
  const keyBits = key.bits;
  const agent = from.identity ?? domain;
  if (key.isStrict && asciiDomain(agent.slice(agent.lastIndexOf('@') + 1)) !== domain) {
    return { result: 'permerror', comment: 'the key is not for agents below its domain', keyBits };
  }
  const data = signedHeader(from, verifiable, message.fields);
  if (!isSignatureOf(data, verifiable, key.key)) {
    return {
      result: 'fail',
      comment: key.isTesting ? 'bad signature, of a domain that is testing' : 'bad signature',
      keyBits,
    };
  }
  // RFC 6376 §8.2: what is not signed may be anything, put there by anybody.
  const unsigned = (hashed?.canonicalBytes ?? 0) - (verifiable.bodyLength ?? Infinity);
  return unsigned > 0
    ? { result: 'policy', comment: `${unsigned} bytes of the body are not signed`, keyBits }
    : { result: 'pass', keyBits };
}

export function bodyAsk({ canonicalization, bodyLength }: Verifiable): {
  canonicalization: 'relaxed' | 'simple';
  length?: number;
} {
  return { canonicalization: canonicalization.body, ...(bodyLength !== undefined && { length: bodyLength }) };
}

function checkBody({ bodyHash, bodyLength }: Verifiable, hashed: HashedBody | undefined): CheckedSignature | undefined {
  if (bodyLength !== undefined && bodyLength > (hashed?.canonicalBytes ?? 0)) {
    return { result: 'permerror', comment: 'more of the body is signed than there is' };
  }
  const isSame = hashed !== undefined && Buffer.from(bodyHash, 'base64').equals(Buffer.from(hashed.digest, 'base64'));
  return isSame ? undefined : { result: 'fail', comment: 'the body was changed' };
}

/** RFC 6376 §3.7: the fields of `h=`, the last of a name first, then the signature field itself. */
function signedHeader(
  { field, headers }: SignatureField,
  { canonicalization }: Verifiable,
  fields: readonly RawField[],
): string {
  const how = canonicalization.header;
  const left = new Map<string, RawField[]>();
  for (const each of fields) {
    const same = left.get(each.name);
    if (same === undefined) left.set(each.name, [each]);
    else same.push(each);
  }
  const covered = headers.flatMap((name) => left.get(name)?.pop() ?? []);
  const own = canonicalField({ name: field.name, raw: withoutSignature(field.raw) }, how);
  return covered.map((each) => `${canonicalField(each, how)}\r\n`).join('') + own;
}

/** `data` is Latin-1. RFC 8463 §3: Ed25519 signs the hash, not the text. */
export function isSignatureOf(
  data: string,
  { keyType, signature }: Pick<Verifiable, 'keyType' | 'signature'>,
  key: KeyObject,
): boolean {
  const bytes = Buffer.from(data, 'latin1');
  if (keyType === 'rsa') return verify('sha256', bytes, key, signature);
  return verify(null, createHash('sha256').update(bytes).digest(), key, signature);
}
