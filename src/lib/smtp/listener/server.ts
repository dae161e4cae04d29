/** The listening half: accepts connections, reads what a proxy says of them, makes sessions, and knows when the last one is gone. */
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { Admission } from '../../core/admission.ts';
import { KeyedGate } from '../../core/keyed-gate.ts';
import { limits } from '../../core/limits.ts';
import { peerKey } from '../../core/peer-key.ts';
import { Connection } from './connection.ts';
import { readProxyHeader } from './proxy-reader.ts';
import type { SessionSettings } from './session-port.ts';

export type Authenticate = (user: string, secret: string) => Promise<boolean> | boolean;

export interface ServerOptions {
  readonly library: SMTPServerOptions;
  readonly settings: SessionSettings;
  readonly maxSessions: number;
  readonly admission: Admission;
  /** Absent: `limits.smtpSessionsPerHost` for whoever is not on this machine. */
  readonly maxSessionsPerHost: number | undefined;
  readonly idleMs: number;
  /** A PROXY header is expected within this time. */
  readonly proxyTimeoutMs: number | undefined;
  readonly authenticate: Authenticate | undefined;
}

type Verdict = Parameters<SMTPServer['onAuth']>[2];
type Accepted = Parameters<SMTPServer['_handleProxy']>[1];

export class ListenerServer extends SMTPServer {
  readonly #options: ServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<Connection>();
  readonly #hosts = new KeyedGate(limits.smtpSessionsPerHost);
  #onEmpty: (() => void)[] = [];

  constructor(options: ServerOptions) {
    super(options.library);
    this.#options = options;
    this.server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  get sessions(): ReadonlySet<Connection> {
    return this.#sessions;
  }

  /** Resolves when no session is left. */
  empty(): Promise<void> {
    return this.#sessions.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Drops what is left of all connections, also of those that never became sessions. */
  destroySockets(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  override connect(socket: Socket, origin?: SMTPConnectionOptions | null): void {
    const { settings, idleMs, admission } = this.#options;
    const maxSessions = admission.overload === undefined ? this.#options.maxSessions : 0;
    const place = this.#takePlace(origin?.remoteAddress ?? socket.remoteAddress ?? '');
    const onEnd = (): void => this.#forget(connection, place.key);
    const connection = new Connection({
      server: this,
      socket,
      origin: origin ?? {},
      settings,
      maxSessions,
      isOneTooMany: !place.isFree,
      idleMs,
      onEnd,
    });
    this.connections.add(connection);
    if (this.connections.size > maxSessions) admission.refused('session', admission.overload ?? 'places');
    else if (!place.isFree) admission.refused('session', 'peer');
    this.#sessions.add(connection);
    settings.meter?.sessionBegun();
    connection.on('error', (error) => this._onError(error));
    connection.init();
  }

  /** Counts a session for its client; the key is absent when it does not count, or has no place. */
  #takePlace(address: string): { readonly isFree: boolean; readonly key?: string } {
    const { maxSessionsPerHost } = this.#options;
    const key = peerKey(address);
    const isLocal = key.startsWith('127.') || key === peerKey('::1');
    if (isLocal && maxSessionsPerHost === undefined) return { isFree: true };
    return this.#hosts.tryEnter(key, maxSessionsPerHost) ? { isFree: true, key } : { isFree: false };
  }

  override onAuth(auth: Parameters<SMTPServer['onAuth']>[0], _session: unknown, callback: Verdict): void {
    void this.#judge(auth.username ?? '', auth.password ?? '', callback);
  }

  override _expectsProxyHeader(): boolean {
    return this.#options.proxyTimeoutMs !== undefined;
  }

  override _handleProxy(socket: Socket, callback: Accepted): void {
    const { rng, clock, log } = this.#options.settings.deps;
    const id = rng.bytes(9).toString('base64url');
    const { proxyTimeoutMs } = this.#options;
    if (proxyTimeoutMs === undefined) {
      callback(null, { id });
      return;
    }
    // A late error of a connection that is refused here, or that has no session yet, concerns nobody.
    socket.on('error', (error) => log.debug({ error, session: id }, 'socket error'));
    void readProxyHeader(socket, proxyTimeoutMs, clock).then((header) => {
      if (header.kind === 'invalid') {
        log.info({ session: id, peer: socket.remoteAddress, why: header.why }, 'PROXY header refused');
        socket.destroy();
        callback(new Error(header.why));
        return;
      }
      const { source, destination } = header;
      callback(null, {
        id,
        ...(source === undefined ? {} : { remoteAddress: source.host, remotePort: source.port }),
        ...(destination === undefined ? {} : { localAddress: destination.host, localPort: destination.port }),
      });
    });
  }

  async #judge(user: string, secret: string, callback: Verdict): Promise<void> {
    try {
      if ((await this.#options.authenticate?.(user, secret)) === true) return callback(null, { user });
    } catch (error) {
      this.#options.settings.deps.log.error({ error }, 'authentication could not be checked');
      return callback(smtpError(454, '4.7.0 temporary authentication failure'));
    }
    return callback(smtpError(535, '5.7.8 authentication credentials invalid'));
  }

  #forget(connection: Connection, key: string | undefined): void {
    if (this.#sessions.delete(connection)) {
      this.#options.settings.meter?.sessionEnded();
      if (key !== undefined) this.#hosts.leave(key);
    }
    if (this.#sessions.size > 0) return;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const wake of waiting) wake();
  }
}

function smtpError(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}
