/** Finds the addresses that take mail for a domain (RFC 5321 §5.1): its mail exchangers by preference, else the domain itself. */
import type { Dns, MxRecord, Rng } from '../../core/deps.ts';
import { limits } from '../../core/limits.ts';
import type { DnsResult } from '../../core/signals/dns-resolution.ts';

export interface MailHosts {
  readonly result: DnsResult;
  /** In the order they are to be tried, without repetitions; empty unless the result is OK. */
  readonly addresses: readonly string[];
}

export async function mailHosts(domain: string, dns: Dns, rng: Rng): Promise<MailHosts> {
  const name = domain.toLowerCase().replace(/\.$/, '');
  const mx = await dns.mx(name);
  if (mx.status === 'temporary') return { result: 'TEMP', addresses: [] };
  if (mx.status === 'notFound') return addressesOf([name], dns);
  // RFC 7505: the null MX, an empty exchange, says that the domain takes no mail.
  const exchanges = byPreference(mx.records, rng).map(({ exchange }) => exchange.replace(/\.$/, ''));
  return addressesOf(exchanges.filter((exchange) => exchange !== '').slice(0, limits.mxHosts), dns);
}

/** RFC 5321 §5.1: the lowest preference first, and equals in random order, so that they share the load. */
function byPreference(records: readonly MxRecord[], rng: Rng): readonly MxRecord[] {
  return records
    .map((record) => ({ record, lot: rng.uniform() }))
    .sort((a, b) => a.record.preference - b.record.preference || a.lot - b.lot)
    .map(({ record }) => record);
}

async function addressesOf(hosts: readonly string[], dns: Dns): Promise<MailHosts> {
  const answers = await Promise.all(hosts.map((host) => dns.addresses(host)));
  const found = answers.flatMap((answer) => (answer.status === 'ok' ? answer.records : []));
  if (found.length > 0) return { result: 'OK', addresses: [...new Set(found)] };
  return { result: answers.some((answer) => answer.status === 'temporary') ? 'TEMP' : 'NX', addresses: [] };
}
