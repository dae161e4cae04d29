/**
 * `rest_output`: offers the message to the routed next hop, one host of the resolution after the other until one does not refuse MAIL
 * temporarily. The hop is asked once the recipient is known, because routing happens at RCPT.
 */
import { accessSync, constants } from 'node:fs';
import { z } from 'zod';
import { type ChainEnv, defineOutput } from '../chain/filter.ts';
import { ConfigError } from '../config/source.ts';
import type { Hop } from '../core/hop.ts';
import { DsnOffers } from './dsn-offer.ts';
import { RestExchange } from './rest-exchange.ts';

const config = z
  .strictObject({
    rcpt_timeout: z.number().positive().default(30).describe('Seconds to wait for the answer to MAIL and RCPT.'),
    data_timeout: z.number().positive().default(300).describe('Seconds to wait for the answer to DATA.'),
    chunk_size: z.int().positive().optional().describe('Uploads larger than this many bytes are sent in ranges.'),
    verify: z
      .union([z.boolean(), z.string()])
      .default(true)
      .describe('Verify the certificate of the hop, or the CA file to verify it with.'),
    static_endpoint: z.url().optional().describe('A fixed create URL, for a chain without a router.'),
  })
  .transform((c) => ({
    rcptTimeoutMs: c.rcpt_timeout * 1000,
    dataTimeoutMs: c.data_timeout * 1000,
    staticEndpoint: c.static_endpoint,
    hop: { verify: c.verify, ...(c.chunk_size !== undefined && { chunkSize: c.chunk_size }) },
  }));

type RestOutputConfig = z.output<typeof config>;

export const restOutput = defineOutput<RestOutputConfig>({
  name: 'rest_output',
  summary: 'Sends the message to the next hop over REST: a gateway, another router, or an application.',
  incremental: false,
  config,
  create: (c, env) => {
    const offers = new DsnOffers();
    const found = { ...c, hop: { ...c.hop, verify: caFile(c.hop.verify, env) } };
    const hops = new Map<string, Hop>();
    const hopAt = (endpoint: string): Hop => {
      const hop = hops.get(endpoint) ?? env.hop(endpoint, found.hop);
      hops.set(endpoint, hop);
      return hop;
    };
    const shared = { config: found, env, offers, hopAt };
    return (tx) => new RestExchange(shared, tx);
  },
});

/** Throws `ConfigError` when the CA file cannot be read: at load, not with the first message. */
function caFile(verify: boolean | string, { resolvePath }: ChainEnv): boolean | string {
  if (typeof verify === 'boolean') return verify;
  const file = resolvePath(verify);
  try {
    accessSync(file, constants.R_OK);
    return file;
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new ConfigError([{ path: ['verify'], message: `the CA file ${file} cannot be read (${code})` }]);
  }
}
