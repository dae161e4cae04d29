/** The gateway's configuration as the program sees it: typed, fully defaulted, frozen (protocol §9.2). */
import type { HostPort } from '../core/envelope.ts';
import type { PeerCredentials } from '../core/hop.ts';
import type { LogConfig, RestListenerConfig, TlsFiles } from './router-config.ts';
import type { ConfigSource } from './source.ts';

/** One SMTP listener. */
export interface SmtpServiceConfig {
  readonly addr: HostPort;
  /** Name of the `rest_output` its transactions go to. */
  readonly endpoint: string;
  readonly sender: string;
  readonly tag?: string;
  /** Offers STARTTLS, or with `smtps` TLS from the first byte. */
  readonly tls?: TlsFiles;
  readonly smtps: boolean;
  /** Path of the JSON file `{user: hash}`; offers AUTH under TLS. */
  readonly authSecrets?: string;
  /** Expects a PROXY header (v1 or v2) within this time. */
  readonly proxyProtocolTimeoutMs?: number;
  readonly enableBdat: boolean;
  /** Sessions of one client address at the same time; more hear 421. */
  readonly maxSessionsPerHost?: number;
  /** Offers DSN (RFC 3461); absent: as soon as the next hop is known to take the parameters over. */
  readonly dsn?: boolean;
  readonly rcptTimeoutMs: number;
  readonly dataTimeoutMs: number;
}

/** How to reach a router. */
export interface RestOutputConfig {
  readonly name: string;
  /** The full create URL. */
  readonly endpoint: string;
  /** How it is shown who we are. */
  readonly credentials?: PeerCredentials;
  /** Whether to verify the server's certificate, or the CA file to verify it with. */
  readonly verify: boolean | string;
  /** Shorten those of the listener. */
  readonly rcptTimeoutMs?: number;
  readonly dataTimeoutMs?: number;
  readonly chunkSize: number;
  readonly refreshIntervalMs: number;
}

/** How to speak to destinations; selected by the transaction's tag. */
export interface SmtpOutputConfig {
  readonly tag: string;
  readonly ehloHost: string;
  /** Bound on every single step of the dialogue. */
  readonly timeoutMs: number;
  readonly protocol: 'smtp' | 'lmtp';
  readonly enableBdat: boolean;
  readonly chunkSize: number;
  /** Connections kept open to one destination at most, and for how long one may idle. */
  readonly maxConnectionsPerHost: number;
  readonly idleTimeoutMs: number;
}

export interface GatewayConfig {
  readonly source: ConfigSource;
  readonly global: { readonly maxInflight: number };
  readonly restListener: RestListenerConfig & {
    readonly restIdEntropy: number;
    /** An idle transaction is forgotten after `gcTxTtlMs`, a finished one after `gcDoneTtlMs`. */
    readonly gcTxTtlMs: number;
    readonly gcDoneTtlMs: number;
  };
  readonly smtpOutputs: ReadonlyMap<string, SmtpOutputConfig>;
  readonly services: readonly SmtpServiceConfig[];
  readonly restOutputs: ReadonlyMap<string, RestOutputConfig>;
  readonly log: LogConfig;
}
