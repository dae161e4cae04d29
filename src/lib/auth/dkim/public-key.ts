/** The public key of a signature: its record in DNS (RFC 6376 §3.6), and everything that record may forbid. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Dns } from '../../core/deps.ts';
import { limits } from '../../core/limits.ts';
import { parseTagList, type TagList, withoutSpaces } from './tag-list.ts';

export type KeyType = 'rsa' | 'ed25519';

export interface PublicKey {
  readonly key: KeyObject;
  readonly bits: number;
  /** `t=s`: the agent must be in the signing domain itself, not below it. */
  readonly isStrict: boolean;
  /** `t=y`: the domain is only trying things out. */
  readonly isTesting: boolean;
}

/** A key that cannot be used: for now, or because of what the record says. */
export interface NoKey {
  readonly result: 'temperror' | 'permerror' | 'policy';
  readonly comment: string;
  readonly bits?: number;
}

export interface KeyAsk {
  /** Both as DNS has them. */
  readonly domain: string;
  readonly selector: string;
  readonly type: KeyType;
}

export async function publicKey(ask: KeyAsk, dns: Dns): Promise<PublicKey | NoKey> {
  const answer = await dns.txt(`${ask.selector}._domainkey.${ask.domain}`);
  if (answer.status === 'temporary') return { result: 'temperror', comment: 'the key could not be looked up' };
  const records = answer.status === 'ok' ? answer.records.map(keyTags).filter((tags) => tags !== undefined) : [];
  const [tags] = records;
  if (tags === undefined) return permerror('no key');
  // RFC 6376 §3.6.2.2 leaves several records undefined: which of them came first is chance.
  if (records.length > 1) return permerror('several keys under one name');
  return usableKey(tags, ask.type);
}

/** Other texts may share the name; a key record says `p=`, and the version, if it says one, is DKIM1. */
function keyTags(record: string): TagList | undefined {
  const tags = parseTagList(record);
  if (tags === undefined || !tags.has('p')) return undefined;
  return (tags.get('v') ?? 'DKIM1') === 'DKIM1' ? tags : undefined;
}

function usableKey(tags: TagList, wanted: KeyType): PublicKey | NoKey {
  const data = withoutSpaces(tags.get('p') ?? '');
  if (data === '') return permerror('the key was revoked');
  if ((tags.get('k') ?? 'rsa').toLowerCase() !== wanted) return permerror(`the key is not for ${wanted}`);
  if (!allows(tags.get('h'), 'sha256')) return permerror('the key is not for sha256');
  if (!allows(tags.get('s'), 'email')) return permerror('the key is not for mail');
  const key = parseKey(data, wanted);
  if (key === undefined) return permerror('the key is not valid');
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 256;
  // RFC 8301 §3.2: shorter keys say nothing; longer ones only keep us busy.
  if (wanted === 'rsa' && bits < 1024) return { result: 'policy', comment: `a key of ${bits} bits is too weak`, bits };
  if (bits > limits.dkimKeyBits) return { ...permerror(`a key of ${bits} bits is too long`), bits };
  const flags = new Set(list(tags.get('t') ?? ''));
  return { key, bits, isStrict: flags.has('s'), isTesting: flags.has('y') };
}

function permerror(comment: string): NoKey {
  return { result: 'permerror', comment };
}

function allows(value: string | undefined, word: string): boolean {
  if (value === undefined) return true;
  const words = list(value);
  return words.includes('*') || words.includes(word);
}

function list(value: string): readonly string[] {
  return withoutSpaces(value).toLowerCase().split(':');
}

/** SubjectPublicKeyInfo of an Ed25519 key but for the key itself (RFC 8410 §4). */
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

function parseKey(data: string, type: KeyType): KeyObject | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(data)) return undefined;
  const der = Buffer.from(data, 'base64');
  if (type === 'ed25519') {
    return der.length === 32 ? tryKey(Buffer.concat([ED25519_PREFIX, der]), 'spki', type) : undefined;
  }
  // RFC 6376 §3.6.1 names RSAPublicKey, everybody publishes SubjectPublicKeyInfo.
  return tryKey(der, 'spki', type) ?? tryKey(der, 'pkcs1', type);
}

function tryKey(der: Buffer, encoding: 'spki' | 'pkcs1', type: KeyType): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: der, format: 'der', type: encoding });
    return key.asymmetricKeyType === type ? key : undefined;
  } catch {
    // Not this encoding, or no key at all: both are answers.
    return undefined;
  }
}
