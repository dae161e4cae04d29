/** What the filters found about a sender, in the words of RFC 8601 §2.7. */
import type { Arc } from '../../core/signals/arc.ts';
import type { DkimCheck } from '../../core/signals/dkim.ts';
import type { Dmarc } from '../../core/signals/dmarc.ts';
import type { RemoteHost } from '../../core/signals/remote-host.ts';
import type { Spf } from '../../core/signals/spf.ts';
import { asciiDomain } from '../../message/ascii-domain.ts';
import type { MethodResult } from './results-field.ts';

export interface SenderFacts {
  readonly remoteHost: RemoteHost | undefined;
  readonly spf: Spf | undefined;
  readonly dkim: DkimCheck | undefined;
  readonly dmarc: Dmarc | undefined;
  readonly arc: Arc | undefined;
  /** The peer's address, if it is one. */
  readonly peerAddress: string | undefined;
  readonly ehloHost: string | undefined;
  readonly mailFrom: string;
}

export function methodResults(facts: SenderFacts): readonly MethodResult[] {
  const { remoteHost, spf, dkim, dmarc, arc } = facts;
  return [
    ...(remoteHost === undefined ? [] : [iprev(remoteHost, facts)]),
    ...(spf === undefined ? [] : [spfResult(spf, facts)]),
    ...(dkim === undefined ? [] : dkimResults(dkim)),
    ...(dmarc === undefined ? [] : [dmarcResult(dmarc)]),
    ...(arc === undefined ? [] : [arcResult(arc)]),
  ];
}

/** RFC 8601 §3. */
function iprev({ status, fcrdns, remoteHostname }: RemoteHost, { peerAddress }: SenderFacts): MethodResult {
  const unknown = status === 'DNS_TEMP' ? 'temperror' : status === 'NOT_FOUND' ? 'permerror' : 'fail';
  return {
    method: 'iprev',
    result: fcrdns ? 'pass' : unknown,
    comment: fcrdns ? remoteHostname?.replace(/\.$/, '') : undefined,
    properties: { 'policy.iprev': peerAddress },
  };
}

function spfResult(spf: Spf, { ehloHost, mailFrom }: SenderFacts): MethodResult {
  const isHelo = spf.identity === 'helo';
  return {
    method: 'spf',
    result: spf.mailFromResult,
    comment: spf.comment,
    properties: isHelo ? { 'smtp.helo': ehloHost } : { 'smtp.mailfrom': plainAddress(mailFrom) },
  };
}

function dkimResults({ signatures }: DkimCheck): readonly MethodResult[] {
  if (signatures.length === 0) return [{ method: 'dkim', result: 'none', comment: 'not signed', properties: {} }];
  return signatures.map((each) => ({
    method: 'dkim',
    result: each.result,
    comment: each.comment ?? (each.keyBits === undefined ? undefined : `${each.keyBits}-bit key`),
    properties: {
      'header.d': each.domain,
      'header.s': each.selector,
      'header.a': each.algorithm,
      'header.b': each.signaturePrefix,
    },
  }));
}

function dmarcResult({ result, authorDomain, comment, publishedPolicy, requestedPolicy }: Dmarc): MethodResult {
  const policy = publishedPolicy === undefined ? undefined : `p=${publishedPolicy}`;
  const testing = publishedPolicy === requestedPolicy ? undefined : 'testing';
  const why = result === 'pass' ? undefined : comment;
  const said = [policy, testing, why].filter((text) => text !== undefined);
  return {
    method: 'dmarc',
    result,
    comment: said.length === 0 ? undefined : said.join(', '),
    properties: { 'header.from': authorDomain },
  };
}

/** RFC 8617 §10.2; RFC 8601 knows `temperror`. */
function arcResult({ result, comment, sealers, oldestPass }: Arc): MethodResult {
  const count = sealers.length === 0 ? undefined : `i=${sealers.length}`;
  const said = [count, comment].filter((text) => text !== undefined);
  return {
    method: 'arc',
    result,
    comment: said.length === 0 ? undefined : said.join(', '),
    properties: { 'header.oldest-pass': oldestPass?.toString() },
  };
}

/** The domain in ASCII; what is no address in the usual form stays as it is, and is quoted. */
function plainAddress(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = asciiDomain(address.slice(at + 1));
  return at === -1 || domain === undefined ? address : `${address.slice(0, at)}@${domain}`;
}
