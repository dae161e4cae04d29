/** How a client speaks to a server: what the configuration or a command line says, in the client's own terms. */
import type { HostPort } from '../../core/envelope.ts';
import type { Trace } from './dialogue.ts';
import type { Credentials } from './login.ts';

/**
 * `opportunistic`: STARTTLS when offered, with any certificate, and in clear when that fails. `required`: STARTTLS or nothing.
 * `implicit`: TLS from the first byte.
 */
export type TlsUse = 'opportunistic' | 'required' | 'implicit' | 'off';

export interface ClientProfile {
  /** Connections are shared between exchanges of the same name. */
  readonly name: string;
  readonly protocol: 'smtp' | 'lmtp';
  readonly ehloHost: string;
  /** Bound on every single step of the dialogue. */
  readonly timeoutMs: number;
  readonly tls: TlsUse;
  /** The certificate must be valid for the host; only with `required` and `implicit`. */
  readonly verify?: boolean;
  readonly localAddress?: string;
  /** AUTH PLAIN (RFC 4616) after TLS. */
  readonly credentials?: Credentials;
  /** A line sent before the greeting is awaited: a PROXY header. */
  readonly preamble?: string;
  readonly trace?: Trace;
}

export interface Destination extends HostPort {
  readonly profile: ClientProfile;
}
