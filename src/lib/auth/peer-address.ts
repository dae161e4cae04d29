/** IP addresses of peers, as values that compare equal however they are spelled. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** One spelling for each address: IPv4-mapped IPv6 is the IPv4 address it is, a zone index is left out. `undefined`: no address. */
export function canonicalAddress(host: string | undefined): string | undefined {
  const bare = host?.replace(/%.*$/, '') ?? '';
  return isIP(bare) === 0 ? undefined : ipaddr.process(bare).toString();
}
