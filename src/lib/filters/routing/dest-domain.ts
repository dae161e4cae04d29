/** `dest_domain`: every valid address goes to its own domain, as mail to the Internet does. */
import { z } from 'zod';
import { parseAddress } from '../../core/mailbox.ts';
import { defineRoutingPolicy } from './policy.ts';

export const destDomain = defineRoutingPolicy({
  name: 'dest_domain',
  summary: 'Routes every valid address to the domain it names.',
  config: z.strictObject({ dest_port: z.int().min(1).max(65_535).default(25).describe('Port at the destination.') }),
  create:
    ({ dest_port: port }) =>
    (to) => {
      const domain = parseAddress(to.address)?.domain ?? '';
      return domain === '' ? { kind: 'pass' } : { kind: 'route', hosts: [{ host: hostOf(domain), port }] };
    },
});

/** RFC 5321 §4.1.3: the address of `user@[192.0.2.1]` is the host itself. */
function hostOf(domain: string): string {
  return domain.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1').toLowerCase();
}
