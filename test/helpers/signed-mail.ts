/** Signed messages and the keys that go with them: a domain with DKIM keys in a zone, and signing by a library that is not ours. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { dkimSign } from 'mailauth/lib/dkim/sign.js';
import { dkimRecord } from '../../src/lib/auth/signing/dkim-record.ts';

export interface TestKey {
  readonly domain: string;
  readonly selector: string;
  readonly privateKey: KeyObject;
  /** The DNS name and the text of its record. */
  readonly name: string;
  readonly text: string;
}

export function testKey(domain: string, selector = 's1', type: 'rsa' | 'ed25519' = 'rsa', bits = 2048): TestKey {
  const { privateKey } =
    type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: bits }) : generateKeyPairSync('ed25519');
  return { domain, selector, privateKey, ...dkimRecord(domain, selector, privateKey) };
}

/** The `txt` of a zone that publishes these keys. */
export function published(...keys: readonly TestKey[]): Record<string, readonly string[]> {
  return Object.fromEntries(keys.map(({ name, text }) => [name, [text]]));
}

export interface SignAsk {
  readonly canonicalization?: string;
  readonly algorithm?: string;
  /** `From:To:Subject`. */
  readonly headerList?: string;
  readonly maxBodyLength?: number;
  readonly signTimeMs?: number;
  readonly expiresMs?: number;
}

/** The message with a signature of that key before it. */
export async function signedBy(key: TestKey, message: string | Buffer, ask: SignAsk = {}): Promise<Buffer> {
  const { errors, signatures } = await dkimSign(message, {
    canonicalization: ask.canonicalization ?? 'relaxed/relaxed',
    algorithm: ask.algorithm ?? '',
    ...(ask.headerList !== undefined && { headerList: ask.headerList }),
    signTime: new Date(ask.signTimeMs ?? Date.UTC(2026, 0, 1)),
    ...(ask.expiresMs !== undefined && { expires: new Date(ask.expiresMs) }),
    signatureData: [
      {
        signingDomain: key.domain,
        selector: key.selector,
        privateKey: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        ...(ask.maxBodyLength !== undefined && { maxBodyLength: ask.maxBodyLength }),
      },
    ],
  } as unknown as Parameters<typeof dkimSign>[1]);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return Buffer.concat([Buffer.from(signatures), Buffer.from(message)]);
}
