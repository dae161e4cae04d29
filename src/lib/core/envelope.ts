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
  readonly remoteHost?: HostPort | undefined;
  readonly localHost?: HostPort | undefined;
  readonly smtpMeta?: SmtpMeta | undefined;
}

/** The connection facts alone, of something that has more. */
export function originOf({ remoteHost, localHost, smtpMeta }: Origin): Origin {
  return { remoteHost, localHost, smtpMeta };
}

/** What a sender's configuration says of every connection (short circuit between routers): it wins over what the transaction says. */
export interface OriginOverrides {
  readonly remoteHost?: string;
  readonly smtpMeta?: SmtpMeta;
}

export function withOverrides(origin: Origin, { remoteHost, smtpMeta }: OriginOverrides): Origin {
  if (remoteHost === undefined && smtpMeta === undefined) return origin;
  return {
    ...origin,
    ...(remoteHost !== undefined && { remoteHost: { host: remoteHost, port: origin.remoteHost?.port ?? 0 } }),
    ...(smtpMeta !== undefined && { smtpMeta }),
  };
}
