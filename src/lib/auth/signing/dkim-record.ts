/** The DNS record that makes a signing key known (RFC 6376 §3.6.1, RFC 8463 §4). */
import { createPublicKey, type KeyObject } from 'node:crypto';

export interface DkimRecord {
  /** `s2026._domainkey.example.com`. */
  readonly name: string;
  /** The whole text of the TXT record. */
  readonly text: string;
}

export function dkimRecord(domain: string, selector: string, privateKey: KeyObject): DkimRecord {
  const der = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const isRsa = privateKey.asymmetricKeyType === 'rsa';
  // RFC 8463 §4.2: of an Ed25519 key only the 32 bytes themselves, without the wrapping.
  const p = isRsa ? der.toString('base64') : der.subarray(-32).toString('base64');
  return { name: `${selector}._domainkey.${domain}`, text: `v=DKIM1; k=${isRsa ? 'rsa' : 'ed25519'}; p=${p}` };
}

/** A line for a zone file; a TXT string holds at most 255 bytes, so longer texts are several. */
export function zoneLine({ name, text }: DkimRecord): string {
  const strings = (text.match(/.{1,255}/g) ?? []).map((piece) => `"${piece}"`);
  return `${name}. IN TXT ( ${strings.join(' ')} )`;
}
