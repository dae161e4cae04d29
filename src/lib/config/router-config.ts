/** The router's configuration as the program sees it: typed, fully defaulted, frozen. `load.ts` makes it from YAML (protocol §9.1). */
import type { HostPort, SmtpMeta } from '../core/envelope.ts';
import type { PeerCredentials } from '../core/hop.ts';
import type { RetryParams } from '../core/retry.ts';
import type { UncertainPolicy } from '../core/uncertainty.ts';
import type { RestAccessConfig } from './rest-access.ts';
import type { ConfigSource } from './source.ts';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface RestListenerConfig {
  readonly addr: HostPort;
  readonly tls?: TlsFiles;
  /** This replica's base URL, absolute and without a trailing slash: Location headers, leases, redirects. */
  readonly sessionUri: string;
  /** Load-balanced base URL for finalized blobs; defaults to `sessionUri`. */
  readonly serviceUri: string;
  /** Uploads are stored in pieces of this many bytes. */
  readonly chunkSize: number;
  readonly access: RestAccessConfig;
}

/** A sender with its tag's overrides applied. */
export interface SenderConfig {
  readonly name: string;
  readonly tag?: string;
  /** Name of the chain (`endpoint`) its transactions run through. */
  readonly outputChain: string;
  /** `output_chain` in YAML: retries, or notifications, as the chain's output handler says. */
  readonly retry: boolean;
  readonly notification: boolean;
  /** What becomes of a message that may have been delivered; `retry` when absent. */
  readonly uncertain?: UncertainPolicy;
  readonly upstreamSender: string;
  readonly upstreamTag?: string;
  /** Short circuit between routers: these override what the transaction says. */
  readonly remoteHost?: string;
  readonly smtpMeta?: SmtpMeta;
}

export interface SenderFamily {
  /** Requests at work at the same time; more are told to come back. */
  readonly maxInflight?: number;
  /** It is meant to send on for everybody: the check for open relays leaves it alone. */
  readonly openRelay?: true;
  readonly untagged: SenderConfig;
  readonly tags: ReadonlyMap<string, SenderConfig>;
}

export interface RestEndpointConfig {
  readonly name: string;
  /** The full create URL. */
  readonly endpoint: string;
  /** Upstream ignores a rest endpoint without a sender; so do we, at load, with an error. */
  readonly sender: string;
  readonly tag?: string;
  /** How it is shown who we are. */
  readonly credentials?: PeerCredentials;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface OutputHandlerConfig {
  readonly downstreamTimeoutMs: number;
  readonly upstreamRefreshMs: number;
  /** Defaults apply wherever a sender retries (protocol §11, 11a). */
  readonly retryParams: RetryParams;
  readonly notification?: {
    readonly sender: string;
    readonly tag?: string;
    /** The age at which a sender is told that his message is late; `null`: never. */
    readonly delayAfterMs: number | null;
  };
}

/** One step as written; its options are checked against the step's own schema when the chain is compiled. */
export interface ChainStepConfig {
  readonly filter: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Path of the step in the document, for error positions: `['endpoint', 0, 'chain', 2]`. */
  readonly path: readonly (string | number)[];
}

export interface ChainConfig {
  readonly name: string;
  readonly outputHandler: OutputHandlerConfig;
  readonly steps: readonly ChainStepConfig[];
  readonly path: readonly (string | number)[];
}

export interface StorageConfig {
  /** `sqlite:///relative.sqlite`, `sqlite:////absolute.sqlite`, `postgresql://…`; SQLAlchemy spellings are normalised. */
  readonly url: string;
  readonly autoMigrate: boolean;
  /** Garbage collection: every so often, what ended longer ago than the TTL. On by default. */
  readonly gcIntervalMs: number;
  readonly gcTtlMs: number;
  /** Every so often a sign of life to the other routers. */
  readonly sessionRefreshIntervalMs: number;
  /** A session without a sign of life for this long is dead to the others. */
  readonly sessionTtlMs: number;
  /** How long a finished transaction stays readable from memory. */
  readonly cacheTtlMs: number;
}

export interface LogConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly format: 'json' | 'text';
}

export interface RouterConfig {
  readonly source: ConfigSource;
  readonly global: {
    readonly dequeue: boolean;
    /** Bounds of concurrent work (upstream's executors). */
    readonly restMaxInflight: number;
    readonly outputMaxInflight: number;
    readonly mailerDaemonMailbox?: string;
    readonly restIdEntropy: number;
  };
  readonly restListener: RestListenerConfig;
  readonly senders: ReadonlyMap<string, SenderFamily>;
  readonly restEndpoints: ReadonlyMap<string, RestEndpointConfig>;
  readonly chains: ReadonlyMap<string, ChainConfig>;
  readonly storage: StorageConfig;
  readonly log: LogConfig;
}
