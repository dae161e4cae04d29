/**
 * `dns_resolution`: turns the host names of a route into addresses, and observes whether the domains of the envelope exist. It rejects
 * nothing: when no host has an address it leaves an empty list, and a policy or else the output answers.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { defineFilter, type TxContext } from '../chain/filter.ts';
import type { Deps } from '../core/deps.ts';
import type { HostPort } from '../core/envelope.ts';
import { limits } from '../core/limits.ts';
import { parseAddress } from '../core/mailbox.ts';
import { cancelledReply } from '../core/precondition.ts';
import { type DnsResolution, type DnsResult, dnsResolutionSignal } from '../core/signals/dns-resolution.ts';
import { mailHosts } from './dns/mail-hosts.ts';

const hostPort = z.strictObject({
  host: z.string().min(1).describe('An address.'),
  port: z.int().min(1).max(65_535).describe('Its port.'),
});

const config = z.strictObject({
  suffix: z.string().nullish().describe('Resolve names in this domain and below; the empty string means all.'),
  literal: z.string().min(1).nullish().describe('Resolve this name only.'),
  static_hosts: z.array(hostPort).min(1).nullish().describe('Use these instead of asking DNS.'),
  overwrite: z.unknown().optional().describe('Accepted and ignored.'),
});

type DnsConfig = z.output<typeof config>;

export const dnsResolution = defineFilter<DnsConfig>({
  name: 'dns_resolution',
  summary: 'Resolves the hosts of the route, and finds out whether the domains of the envelope exist.',
  config,
  produces: [dnsResolutionSignal],
  create: (c, { deps }) => {
    const isMeant = nameTest(c);
    return () => ({
      async mail(tx, from, next) {
        await observe(tx, async ({ mailResult }) => {
          if (from.address === '' || mailResult !== undefined) return {};
          return { mailResult: await domainResult(from.address, deps) };
        });
        return tx.signal.aborted ? cancelledReply : next(from);
      },
      async rcpt(tx, to, next) {
        await observe(tx, async ({ rcptResults }) => {
          if (rcptResults.some((known) => known.to === to)) return {};
          return { rcptResults: [...rcptResults, { to, result: await domainResult(to.address, deps) }] };
        });
        await observe(tx, () => resolveRoute(tx, isMeant, c, deps));
        return tx.signal.aborted ? cancelledReply : next(to);
      },
    });
  },
});

/** Adds to what is known; a second filter of this kind in the chain goes on where the first one stopped. */
async function observe(tx: TxContext, look: (known: DnsResolution) => Promise<Partial<DnsResolution>>): Promise<void> {
  const known = tx.signals.get(dnsResolutionSignal) ?? { rcptResults: [] };
  const found = await look(known);
  if (Object.keys(found).length > 0) tx.signals.set(dnsResolutionSignal, { ...known, ...found });
}

function nameTest(c: DnsConfig): (host: string) => boolean {
  const literal = c.literal?.toLowerCase();
  const suffix = c.suffix?.toLowerCase().replace(/^\./, '');
  return (host) => {
    const name = host.toLowerCase().replace(/\.$/, '');
    if (literal !== undefined && name === literal) return true;
    return suffix !== undefined && (suffix === '' || name === suffix || name.endsWith(`.${suffix}`));
  };
}

async function resolveRoute(
  tx: TxContext,
  isMeant: (host: string) => boolean,
  c: DnsConfig,
  deps: Deps,
): Promise<Partial<DnsResolution>> {
  const hosts = tx.resolution ?? tx.route?.hosts ?? [];
  if (!hosts.some(({ host }) => isIP(host) === 0 && isMeant(host))) return {};
  const resolved = await Promise.all(
    hosts.map(async ({ host, port }): Promise<{ result: DnsResult; hosts: readonly HostPort[] }> => {
      if (isIP(host) !== 0 || !isMeant(host)) return { result: 'OK', hosts: [{ host, port }] };
      if (c.static_hosts) return { result: 'OK', hosts: c.static_hosts };
      const { result, addresses } = await mailHosts(host, deps.dns, deps.rng);
      return { result, hosts: addresses.map((address) => ({ host: address, port })) };
    }),
  );
  tx.resolution = unique(resolved.flatMap((each) => each.hosts)).slice(0, limits.resolvedHosts);
  return { resolutionResult: overall(resolved.map(({ result }) => result)) };
}

/** One host that can be tried is enough; without one, an answer that may still come outweighs those that did. */
function overall(results: readonly DnsResult[]): DnsResult {
  if (results.includes('OK')) return 'OK';
  return results.includes('TEMP') ? 'TEMP' : 'NX';
}

function unique(hosts: readonly HostPort[]): readonly HostPort[] {
  return [...new Map(hosts.map((each) => [`${each.host} ${each.port}`, each])).values()];
}

/** Whether mail to this address has anywhere to go. What is no address has not; a literal and the bare postmaster always have. */
async function domainResult(address: string, deps: Deps): Promise<DnsResult> {
  const domain = parseAddress(address)?.domain;
  if (domain === undefined) return 'NX';
  if (domain === '' || domain.startsWith('[')) return 'OK';
  return (await mailHosts(domain, deps.dns, deps.rng)).result;
}
