/** Who talks to whom: the connection facts that travel with a transaction (wire: `remote_host`, `local_host`, `smtp_meta`). */

export interface HostPort {
  /** An IP address without brackets, or a host name before it is resolved. */
  readonly host: string;
  readonly port: number;
}

/** What the SMTP session knew (wire: `smtp_meta`). `auth` carries no identity. */
export interface SmtpMeta {
  readonly ehloHost: string;
  /** EHLO rather than HELO was said. */
  readonly esmtp: boolean;
  /** The session was encrypted, by STARTTLS or from the start. */
  readonly tls: boolean;
  readonly auth: boolean;
}

/** Everything that is known about a transaction before MAIL. */
export interface Origin {
  /** The peer when the message came in; the destination address when it is sent to an outbound gateway. */
  readonly remoteHost?: HostPort;
  readonly localHost?: HostPort;
  readonly smtpMeta?: SmtpMeta;
}
