/** An SMTP listener: a port, and for each MAIL an exchange that the caller opens. Sockets and grammar only; what is done with mail is not decided here. */
import type { AddressInfo } from 'node:net';
import { type Admission, alwaysOpen } from '../../core/admission.ts';
import type { Deps } from '../../core/deps.ts';
import type { HostPort } from '../../core/envelope.ts';
import { limits } from '../../core/limits.ts';
import type { SmtpMeter } from '../../core/meters.ts';
import type { Spool } from '../../spool/spool.ts';
import { Greetings } from './greetings.ts';
import type { MailTaker } from './mail-taker.ts';
import { type Authenticate, ListenerServer } from './server.ts';
import type { SessionFacts } from './session-port.ts';

export interface SmtpListenerOptions {
  readonly addr: HostPort;
  /** Our name in the greeting and in the answer to EHLO. */
  readonly hostName: string;
  /** Certificate chain and key as PEM: offers STARTTLS, or TLS from the first byte. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer };
  /** TLS from the first byte (RFC 8314 §3.3); needs `tls`, excludes the PROXY protocol. */
  readonly isImplicitTls?: boolean;
  /** Offers AUTH once the session is encrypted. */
  readonly authenticate?: Authenticate;
  /** Expects a PROXY header, version 1 or 2, within this time. */
  readonly proxyProtocolTimeoutMs?: number;
  readonly enableBdat?: boolean;
  /** Whether the parameters of RFC 3461 are offered and forwarded; asked at each EHLO. Default: no. */
  readonly offersDsn?: () => boolean;
  /** Called for each MAIL. */
  readonly open: (facts: SessionFacts) => MailTaker;
  /** A prepared spool for large messages. */
  readonly spool: Spool;
  readonly deps: Deps;
  readonly meter?: SmtpMeter;
  /** Defaults are those of `limits`. */
  readonly maxBytes?: number;
  readonly maxSessions?: number;
  /** Whether sessions are taken; default: always. */
  readonly admission?: Admission;
  /** Of one client address; by default those from this machine do not count. */
  readonly maxSessionsPerHost?: number;
  readonly idleMs?: number;
}

export interface SmtpListener {
  /** Resolves when connections are accepted; rejects with the error of the socket. */
  listen(): Promise<AddressInfo>;
  /**
   * Accepts no more connections, lets open mail transactions end until `hurry` aborts, then ends all sessions with 421. Resolves when nothing is
   * left open. Idempotent.
   */
  close(hurry: AbortSignal): Promise<void>;
}

/** What a peer has to take its last reply. */
const LINGER_MS = 500;

export function createSmtpListener(options: SmtpListenerOptions): SmtpListener {
  const server = makeServer(options);
  const { clock, log } = options.deps;
  let isOpen = false;
  // A failed TLS handshake is reported here; without a listener it would end the process. So is a port that cannot be had, which `listen` says.
  server.on('error', (error) => {
    if (isOpen) log.info({ error: error.message }, 'an SMTP connection failed');
  });
  let closing: Promise<void> | undefined;
  return {
    async listen() {
      const bound = await listen(server, options.addr);
      isOpen = true;
      return bound;
    },
    close: (hurry) => {
      closing ??= close(server, hurry, clock);
      return closing;
    },
  };
}

function makeServer(options: SmtpListenerOptions): ListenerServer {
  const { tls, authenticate, isImplicitTls = false, idleMs = limits.smtpIdleMs } = options;
  const facts = {
    hostName: options.hostName,
    maxBytes: options.maxBytes ?? limits.messageBytes,
    enableBdat: options.enableBdat ?? false,
    offersStartTls: tls !== undefined && !isImplicitTls,
    offersAuth: tls !== undefined && authenticate !== undefined,
  };
  return new ListenerServer({
    library: {
      secure: isImplicitTls,
      ...(tls === undefined ? {} : { cert: tls.cert, key: tls.key }),
      name: options.hostName,
      authMethods: ['PLAIN', 'LOGIN'],
      hideENHANCEDSTATUSCODES: false,
      disableReverseLookup: true,
      logger: false,
      noDelay: true,
      socketTimeout: idleMs,
    },
    settings: {
      ...facts,
      greetings: new Greetings(facts),
      offersDsn: options.offersDsn ?? (() => false),
      spool: options.spool,
      deps: options.deps,
      ...(options.meter && { meter: options.meter }),
      open: options.open,
    },
    maxSessions: options.maxSessions ?? limits.smtpSessions,
    admission: options.admission ?? alwaysOpen,
    maxSessionsPerHost: options.maxSessionsPerHost,
    idleMs,
    proxyTimeoutMs: options.proxyProtocolTimeoutMs,
    authenticate,
  });
}

function listen(server: ListenerServer, { host, port }: HostPort): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.server.once('error', reject);
    server.server.listen({ host, port, backlog: limits.smtpBacklog }, () => {
      server.server.off('error', reject);
      resolve(server.server.address() as AddressInfo);
    });
  });
}

async function close(server: ListenerServer, hurry: AbortSignal, clock: Deps['clock']): Promise<void> {
  const isClosed = new Promise<void>((resolve) => server.server.close(() => resolve()));
  server.beginNoMore();
  const sessions = server.sessions;
  for (const session of sessions) session.protocol.drain();
  await Promise.race([server.empty(), aborted(hurry)]);
  for (const session of server.sessions) session.protocol.shutDown();
  for (const session of sessions) session.leave();
  const stop = new AbortController();
  await Promise.race([isClosed, clock.sleep(LINGER_MS, stop.signal)]);
  stop.abort();
  server.destroySockets();
  await Promise.all([isClosed, ...sessions.map((session) => session.protocol.closed)]);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
