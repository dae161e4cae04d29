/**
 * Whether the domain in From stands behind a message (RFC 9989 §4.4, §5.3): one of the domains that SPF or DKIM vouched for has to be in line
 * with it. Pure but for DNS.
 */
import type { Dns } from '../../core/deps.ts';
import { limits } from '../../core/limits.ts';
import type { DkimCheck } from '../../core/signals/dkim.ts';
import type { Dmarc, DmarcPolicy } from '../../core/signals/dmarc.ts';
import type { Spf } from '../../core/signals/spf.ts';
import { isWithin } from '../../message/ascii-domain.ts';
import type { AuthorDomains } from '../../message/header-from.ts';
import { type FoundRecord, organisation, type TreeWalk, treeWalk } from './tree-walk.ts';

export interface DmarcAsk {
  readonly authors: AuthorDomains;
  readonly spf: Spf | undefined;
  readonly dkim: DkimCheck | undefined;
}

/**
 * A message should have one author domain. With several, which the RFC leaves open, each must be vouched for, and the worst result is that
 * of the message: otherwise one more From would be the way around every policy.
 */
export async function checkDmarc(ask: DmarcAsk, dns: Dns): Promise<Dmarc> {
  const { domains, mayHideOthers } = ask.authors;
  const unknown = { ...nothing, result: 'permerror' } as const;
  if (domains.length > limits.dmarcAuthorDomains) return { ...unknown, comment: 'too many domains in From' };
  const results: Dmarc[] = await Promise.all(domains.map((author) => checkAuthor(author, ask, dns)));
  if (mayHideOthers) results.push({ ...unknown, comment: 'an author in From cannot be read' });
  const worst = results.toSorted((a, b) => severity(b) - severity(a))[0];
  return worst ?? { ...unknown, comment: 'no domain in From' };
}

const nothing = { disposition: 'none', alignedBy: [] } as const satisfies Partial<Dmarc>;

function severity({ result, disposition }: Dmarc): number {
  const order = ['pass', 'none', 'fail none', 'permerror', 'temperror', 'fail quarantine', 'fail reject'];
  return order.indexOf(result === 'fail' ? `fail ${disposition}` : result);
}

async function checkAuthor(author: string, ask: DmarcAsk, dns: Dns): Promise<Dmarc> {
  const known = { ...nothing, authorDomain: author };
  const walk = await treeWalk(author, dns);
  const applied = appliedRecord(walk);
  if (applied === undefined) {
    return walk.isPartial
      ? { ...known, result: 'temperror', comment: 'the policy could not be looked up' }
      : { ...known, result: 'none', comment: 'no policy' };
  }
  const { domain: policyDomain, record } = applied;
  if (record.isBroken) return { ...known, policyDomain, result: 'permerror', comment: 'the policy is misspelt' };
  const publishedPolicy = await policyFor(author, applied, dns);
  const requestedPolicy = record.isTesting ? milder(publishedPolicy) : publishedPolicy;
  const policy = { policyDomain, publishedPolicy, requestedPolicy };
  const { alignedBy, isOpen } = await alignment(walk, applied, ask, dns);
  if (alignedBy.length > 0) return { ...known, ...policy, result: 'pass', alignedBy };
  if (isOpen) return { ...known, ...policy, result: 'temperror', comment: 'DNS failed for the moment' };
  return {
    ...known,
    ...policy,
    result: 'fail',
    disposition: requestedPolicy,
    comment: 'nothing vouches for the author',
  };
}

/** RFC 9989 §4.10.1: that of the author's domain, else of its organisation, else of the public suffix above. */
function appliedRecord(walk: TreeWalk): FoundRecord | undefined {
  const own = walk.found.find(({ domain }) => domain === walk.start);
  if (own !== undefined || walk.isPartial) return own;
  const org = organisation(walk);
  return walk.found.find(({ domain }) => domain === org) ?? walk.found.find(({ record }) => record.psd === 'y');
}

async function policyFor(author: string, { domain, record }: FoundRecord, dns: Dns): Promise<DmarcPolicy> {
  if (author === domain) return record.policy;
  if (record.nonexistentPolicy === record.subdomainPolicy) return record.subdomainPolicy;
  return (await exists(author, dns)) ? record.subdomainPolicy : record.nonexistentPolicy;
}

/** Our resolver does not tell a missing name from a missing type, so a name without any of these counts as missing (RFC 9091 §2.7). */
async function exists(domain: string, dns: Dns): Promise<boolean> {
  const answers = await Promise.all([dns.addresses(domain), dns.mx(domain), dns.txt(domain)]);
  return answers.some(({ status }) => status !== 'notFound');
}

function milder(policy: DmarcPolicy): DmarcPolicy {
  return policy === 'reject' ? 'quarantine' : 'none';
}

interface Vouching {
  readonly by: 'dkim' | 'spf';
  readonly domain: string;
  /** `open`: it may turn out to vouch once DNS answers. */
  readonly result: 'pass' | 'open';
  readonly isStrict: boolean;
}

async function alignment(
  author: TreeWalk,
  { record }: FoundRecord,
  { spf, dkim }: DmarcAsk,
  dns: Dns,
): Promise<{ readonly alignedBy: Dmarc['alignedBy']; readonly isOpen: boolean }> {
  const vouching: Vouching[] = (dkim?.signatures ?? []).flatMap(({ status, domain }): Vouching[] => {
    if (domain === '' || (status !== 'dkim_pass' && status !== 'temp_err')) return [];
    return [{ by: 'dkim', domain, result: status === 'dkim_pass' ? 'pass' : 'open', isStrict: record.isDkimStrict }];
  });
  const { mailFromResult, domain: spfDomain } = spf ?? {};
  if (spfDomain !== undefined && (mailFromResult === 'pass' || mailFromResult === 'temperror')) {
    const result = mailFromResult === 'pass' ? 'pass' : 'open';
    vouching.push({ by: 'spf', domain: spfDomain, result, isStrict: record.isSpfStrict });
  }
  const judged = await Promise.all(
    vouching.map(async (each) => ({ ...each, aligned: await isAligned(author, each, dns) })),
  );
  const sure = judged.filter(({ aligned, result }) => aligned === true && result === 'pass');
  return {
    alignedBy: [...new Set(sure.map(({ by }) => by))],
    // What is not in line cannot help, whatever DNS will say: a stranger's broken DNS must not keep a message from failing.
    isOpen: judged.some(({ aligned }) => aligned !== false),
  };
}

/** `undefined` while it cannot be known. */
async function isAligned(author: TreeWalk, { domain, isStrict }: Vouching, dns: Dns): Promise<boolean | undefined> {
  if (domain === author.start) return true;
  if (isStrict) return false;
  const org = organisation(author);
  if (org === undefined) return sharesParent(domain, author.start) ? undefined : false;
  // An organisation's domain is the name itself or one above it: this saves a walk for every unrelated signer.
  if (!isWithin(domain, org)) return false;
  const own = organisation(await treeWalk(domain, dns));
  return own === undefined ? undefined : own === org;
}

function sharesParent(a: string, b: string): boolean {
  const parent = (domain: string): string => domain.split('.').slice(-2).join('.');
  return parent(a) === parent(b);
}
