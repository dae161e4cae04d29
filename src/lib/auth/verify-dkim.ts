/**
 * Verifies the DKIM signatures of a message (RFC 6376, RFC 8301, RFC 8463) in one pass over its bytes. Whatever the message or DNS says,
 * the answer is a value: a temporary failure of DNS is `temp_err` of that signature.
 */
import type { Body } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { DkimAlignment, DkimCheck, DkimSignature, DkimStatus } from '../core/signals/dkim.ts';
import { asciiDomain } from '../message/ascii-domain.ts';
import { headerFromDomains } from '../message/header-from.ts';
import { boundedDns } from './bounded-dns.ts';
import { bodyAsk, type CheckedSignature, checkSignature } from './dkim/check-signature.ts';
import { readSigned } from './dkim/read-signed.ts';
import { type SignatureField, signatureField } from './dkim/signature-field.ts';
import { registeredDomain } from './registered-domain.ts';

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

/** A message whose header is larger than `limits.messageHeaderBytes` counts as not signed. */
export async function verifyDkim(
  body: Body,
  deps: Pick<Deps, 'clock' | 'dns'>,
  options: VerifyDkimOptions = {},
): Promise<VerifiedDkim> {
  const message = await readSigned(body, (fields) => {
    const found = fields.filter(({ name }) => name === 'dkim-signature');
    const read = found.slice(0, limits.dkimSignatures).map((field) => signatureField(field, 'dkim', deps.clock.now()));
    const hashes = read.flatMap(({ verifiable }) => (verifiable === undefined ? [] : [bodyAsk(verifiable)]));
    return { planned: { read, uncheckedCount: found.length - read.length }, hashes };
  });
  if (message === undefined) return { signatures: [], uncheckedCount: 0, authorDomains: [] };
  const { read, uncheckedCount } = message.planned;
  const { domains: authorDomains, mayHideOthers } = headerFromDomains(message.headerBlock);
  // In line with some of the authors is in line with none.
  const authors = mayHideOthers ? [] : authorDomains;
  const checked = await boundedDns(deps, options.signal, (dns) =>
    Promise.all(read.map((field) => checkSignature(field, message, dns))),
  );
  const extraDomains = (options.extraDomains ?? []).map((domain) => asciiDomain(domain) ?? domain);
  const signatures = await Promise.all(
    read.map(async (field, i) =>
      signatureFact(field, checked[i], await alignmentOf(field.domain, authors, extraDomains)),
    ),
  );
  return { signatures, uncheckedCount, authorDomains };
}

const OWN_TAGS = new Set(['h', 'd', 'b', 'bh', 't', 'x']);

function signatureFact(
  from: SignatureField,
  checked: CheckedSignature = { result: 'permerror' },
  alignment: DkimAlignment,
): DkimSignature {
  const { result, comment, keyBits } = checked;
  return {
    status: statusOf(checked, from.problem?.isUnknownAlgorithm === true),
    result,
    ...(comment !== undefined && { comment }),
    domain: from.domain,
    selector: from.selector,
    ...(from.identity !== undefined && { identity: from.identity }),
    algorithm: from.algorithm,
    alignment,
    headers: from.headers,
    ...(from.timestamp !== undefined && { timestamp: from.timestamp }),
    ...(from.expiration !== undefined && { expiration: from.expiration }),
    ...(keyBits !== undefined && { keyBits }),
    signaturePrefix: (from.verifiable?.signature.toString('base64') ?? '').slice(0, 8),
    tags: Object.fromEntries([...from.tags].filter(([name]) => !OWN_TAGS.has(name))),
  };
}

function statusOf({ result }: CheckedSignature, isUnknownAlgorithm: boolean): DkimStatus {
  if (isUnknownAlgorithm) return 'unknown_algo';
  if (result === 'temperror') return 'temp_err';
  return result === 'pass' ? 'dkim_pass' : 'fail';
}

/** With several authors the signing domain has to be in line with each of them; one domain of the configuration is enough. */
async function alignmentOf(
  domain: string,
  authorDomains: readonly string[],
  extraDomains: readonly string[],
): Promise<DkimAlignment> {
  if (domain === '') return 'other';
  // Nobody writes in the name of so many.
  const authors = authorDomains.length <= limits.dmarcAuthorDomains ? authorDomains : [];
  const toAuthors = await Promise.all(authors.map((author) => relation(domain, author)));
  if (toAuthors.length > 0 && toAuthors.every((each) => each === 'domain')) return 'domain';
  const toExtra = await Promise.all(extraDomains.map((extra) => relation(domain, extra)));
  if (toExtra.includes('domain')) return 'domain';
  const isNearAuthors = toAuthors.length > 0 && !toAuthors.includes('other');
  return isNearAuthors || toExtra.includes('same_sld') ? 'same_sld' : 'other';
}

async function relation(domain: string, to: string): Promise<DkimAlignment> {
  if (domain === to) return 'domain';
  return (await registeredDomain(domain)) === (await registeredDomain(to)) ? 'same_sld' : 'other';
}
