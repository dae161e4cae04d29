/** Matches when the peer's address lies in a network. Addresses are compared as numbers: every spelling of one is the same. */
import { BlockList } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { HostPort } from '../core/envelope.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

/** An address without a prefix length is a network of one. */
function parseNetwork(text: string): { network: ipaddr.IPv4 | ipaddr.IPv6; prefix: number } | undefined {
  const cidr = text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`;
  if (!ipaddr.isValidCIDR(cidr) || !/^[0-9a-f.:]+\/\d+$/i.test(cidr)) return undefined;
  const [network, prefix] = ipaddr.parseCIDR(cidr);
  // `::ffff:192.0.2.0/120` is the IPv4 network it stands for.
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && prefix >= 96;
  return isMapped ? { network: network.toIPv4Address(), prefix: prefix - 96 } : { network, prefix };
}

const cidr = z.string().refine((text) => parseNetwork(text) !== undefined, {
  error: 'expected a network such as 192.0.2.0/24 or 2001:db8::/32',
});

export const networkAddress = defineMatcher({
  name: 'network_address',
  summary: 'The peer’s address is in this network.',
  config: z.strictObject({ cidr: cidr.describe('A network, IPv4 or IPv6: `192.0.2.0/24`.') }),
  reads: 'mail',
  create: (c) => {
    const list = new BlockList();
    const parsed = parseNetwork(c.cidr);
    if (parsed !== undefined) list.addSubnet(parsed.network.toString(), parsed.prefix, parsed.network.kind());
    return (tx) => {
      const address = peerAddress(tx.remoteHost);
      return address === undefined ? 'unmet' : verdictOf(list.check(address.toString(), address.kind()));
    };
  },
});

/** IPv4-mapped IPv6 addresses are IPv4 addresses; a zone index says nothing about the network. */
function peerAddress(peer: HostPort | undefined): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const host = peer?.host.replace(/%.*$/, '');
  return host !== undefined && ipaddr.isValid(host) ? ipaddr.process(host) : undefined;
}
