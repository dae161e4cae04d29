/** Matches when the peer's address lies in a network. Addresses are compared as numbers: every spelling of one is the same. */
import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { HostPort } from '../core/envelope.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** An address without a prefix length is a network of one. */
function parseNetwork(text: string): { network: Address; prefix: number } | undefined {
  const [host = '', length, ...rest] = text.split('/');
  // Node's own expression for IPv6 takes 4 ms to compile, which every check of a configuration with such a network would wait for.
  const family = isIPv4(host) ? 4 : ipaddr.IPv6.isValid(host) ? 6 : 0;
  if (family === 0 || host.includes('%') || rest.length > 0) return undefined;
  const bits = family === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : bits + 1;
  if (prefix > bits) return undefined;
  const network = ipaddr.parse(host);
  // `::ffff:192.0.2.0/120` is the IPv4 network it stands for.
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && prefix >= 96;
  return isMapped ? { network: network.toIPv4Address(), prefix: prefix - 96 } : { network, prefix };
}

const cidr = z
  .string()
  .describe('A network, IPv4 or IPv6: `192.0.2.0/24`.')
  .transform((text, issues) => {
    const parsed = parseNetwork(text);
    if (parsed !== undefined) return parsed;
    issues.addIssue({ code: 'custom', message: 'expected a network such as 192.0.2.0/24 or 2001:db8::/32' });
    return z.NEVER;
  });

const config = z.strictObject({ cidr });

export const networkAddress = defineMatcher<z.output<typeof config>>({
  name: 'network_address',
  summary: 'The peer’s address is in this network.',
  config,
  reads: 'mail',
  // A network that large is not somebody's own.
  ofStranger: ({ cidr: { network, prefix } }) => (prefix >= (network.kind() === 'ipv4' ? 8 : 7) ? 'no' : 'perhaps'),
  create:
    ({ cidr: { network, prefix } }) =>
    (tx) => {
      const address = peerAddress(tx.remoteHost);
      if (address === undefined) return 'unmet';
      return verdictOf(address.kind() === network.kind() && address.match(network, prefix));
    },
});

/** IPv4-mapped IPv6 addresses are IPv4 addresses; a zone index says nothing about the network. */
function peerAddress(peer: HostPort | undefined): Address | undefined {
  const host = peer?.host.replace(/%.*$/, '');
  return host !== undefined && isIP(host) !== 0 ? ipaddr.process(host) : undefined;
}
