/** Who a peer is according to DNS: the name of its address, believed when the name leads back (forward-confirmed reverse DNS, RFC 8601 §3). */
import type { Dns } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { RemoteHost } from '../core/signals/remote-host.ts';
import { asciiDomain } from '../message/ascii-domain.ts';
import { canonicalAddress } from './peer-address.ts';

interface Name {
  /** As DNS has it. */
  readonly name: string;
  readonly answer: 'confirmed' | 'other' | 'temporary';
}

/** `ip` is an address; trouble with DNS is a status. */
export async function identifyPeer(ip: string, ehloHost: string | undefined, dns: Dns): Promise<RemoteHost> {
  const unknown = { fcrdns: false, ehloAlignment: false } as const;
  const ptr = await dns.ptr(ip);
  if (ptr.status === 'temporary') return { status: 'DNS_TEMP', ...unknown };
  if (ptr.status === 'notFound' || ptr.records.length === 0) return { status: 'NOT_FOUND', ...unknown };
  const names = await Promise.all(ptr.records.slice(0, limits.ptrNames).map((name) => confirm(name, ip, dns)));
  const confirmed = names.filter(({ answer }) => answer === 'confirmed');
  const said = asciiDomain(ehloHost ?? '');
  const aligned = confirmed.find(({ name }) => said !== undefined && asciiDomain(name) === said);
  const best = aligned ?? confirmed[0] ?? names[0];
  const isConfirmed = confirmed.length > 0;
  const isOpen = !isConfirmed && names.some(({ answer }) => answer === 'temporary');
  return {
    status: isOpen ? 'DNS_TEMP' : 'OK',
    fcrdns: isConfirmed,
    ehloAlignment: aligned !== undefined,
    ...(best !== undefined && { remoteHostname: best.name }),
  };
}

async function confirm(name: string, ip: string, dns: Dns): Promise<Name> {
  const answer = await dns.addresses(name.replace(/\.$/, ''));
  if (answer.status === 'temporary') return { name, answer: 'temporary' };
  const wanted = canonicalAddress(ip);
  const isSame = answer.status === 'ok' && answer.records.some((each) => canonicalAddress(each) === wanted);
  return { name, answer: isSame ? 'confirmed' : 'other' };
}
