/** The output that speaks SMTP or LMTP to a destination: one exchange is one transaction on a connection that the pool lends out. */
import { isIP } from 'node:net';
import type { SmtpOutputConfig } from '../config/gateway-config.ts';
import type { Deps } from '../core/deps.ts';
import type { HostPort, Origin } from '../core/envelope.ts';
import type { Exchange } from '../core/exchange.ts';
import { type Response, reply } from '../core/response.ts';
import type { SmtpPool } from '../smtp/client/pool.ts';
import type { ClientProfile } from '../smtp/client/profile.ts';
import { SmtpExchange } from './smtp-exchange.ts';

/** What is known of the message before MAIL. */
export interface MessageFacts {
  /** Its real size. */
  readonly sizeBytes?: number | undefined;
  /** It is there, and so is its only recipient. */
  readonly isWhole?: boolean | undefined;
}

export interface SmtpOutput {
  open(origin: Origin, facts?: MessageFacts): Exchange;
}

export function createSmtpOutput(config: SmtpOutputConfig, pool: SmtpPool, deps: Pick<Deps, 'log'>): SmtpOutput {
  const profile: ClientProfile = {
    name: JSON.stringify([config.tag, config.protocol, config.ehloHost, config.timeoutMs]),
    protocol: config.protocol,
    ehloHost: config.ehloHost,
    timeoutMs: config.timeoutMs,
    tls: 'opportunistic',
  };
  const { maxConnectionsPerHost: maxConnections, idleTimeoutMs } = config;
  const bdatChunkBytes = config.enableBdat ? config.chunkSize : undefined;
  return {
    open(origin, { sizeBytes, isWhole = false } = {}) {
      const target = destinationOf(origin.remoteHost);
      const ask =
        'code' in target
          ? target
          : { destination: { host: target.host, port: target.port, profile }, maxConnections, idleTimeoutMs };
      return new SmtpExchange(ask, { pool, log: deps.log, bdatChunkBytes, sizeBytes, isWhole });
    },
  };
}

/** Temporary, as upstream's: it is the router's configuration that is wrong, not the message. */
function destinationOf(remoteHost: HostPort | undefined): HostPort | Response {
  if (remoteHost === undefined) return reply(450, '4.3.5', 'no remote_host: the router has to say where to deliver');
  // Names are the router's job: it knows about MX records, preferences and retries.
  if (isIP(remoteHost.host) === 0)
    return reply(450, '4.3.5', 'remote_host.host is not an IP address: the router has to resolve it');
  const { host, port } = remoteHost;
  if (Number.isInteger(port) && port > 0 && port < 65_536) return { host, port };
  return reply(450, '4.3.5', 'remote_host.port is not a port');
}
