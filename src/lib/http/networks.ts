/** Whether an address lies in one of some networks; every spelling of an address is the same, also IPv4 written as IPv6. */
import { BlockList, isIP } from 'node:net';
import { limits } from '../core/limits.ts';

export interface Networks {
  has(address: string | undefined): boolean;
}

/** The addresses of this machine that no other can use (RFC 6890). */
export const LOOPBACK_NETWORKS: readonly string[] = ['127.0.0.0/8', '::1/128'];

/** From networks that are known to be right: `192.0.2.0/24`, or a single address. */
export function networksOf(cidrs: readonly string[]): Networks {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', length] = cidr.split('/');
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(network, length === undefined ? (family === 'ipv6' ? 128 : 32) : Number(length), family);
  }
  const check = (address: string): boolean => {
    // A zone index says nothing about the network.
    const host = address.replace(/%.*$/, '');
    const family = isIP(host);
    return family !== 0 && list.check(host, family === 6 ? 'ipv6' : 'ipv4');
  };
  // A few peers ask again and again, and each check is dearer than all else that is known of a request.
  const known = new Map<string, boolean>();
  return {
    has(address = '') {
      const before = known.get(address);
      if (before !== undefined) return before;
      if (known.size >= limits.knownPeers) known.clear();
      const is = check(address);
      known.set(address, is);
      return is;
    },
  };
}
