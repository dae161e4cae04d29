/** The listening half: accepts connections, reads what a proxy says of them, makes sessions, and knows when the last one is gone. */
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { Admission, Refusal } from '../../core/admission.ts';
import { FairShares } from '../../core/fair-shares.ts';
import { limits } from '../../core/limits.ts';
import { peerKey } from '../../core/peer-key.ts';
import { type Response, reply } from '../../core/response.ts';
import { TransientMap } from '../../core/transient-map.ts';
import { Connection } from './connection.ts';
import { Doorstep, sayGoodbye } from './doorstep.ts';
import { readProxyHeader } from './proxy-reader.ts';
import { encodeReply } from './reply-lines.ts';
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

/** What a client has to take its refusal. */
const REFUSED_LINGER_MS = 2000;
const LOOPBACK = peerKey('::1');

const tooMany = reply(421, '4.3.2', 'too many connections, try again later');
const tooManyOfHost = reply(421, '4.7.0', 'too many connections from your address, try again later');
const shuttingDown = reply(421, '4.3.2', 'service is shutting down, closing connection');

/**
 * The same where TLS comes first: the alert `internal_error`, which is for whoever is out of something (RFC 8446 §6.2). A reply would need the
 * handshake, which takes more of a busy process than all the rest of a refusal.
 */
const NO_HANDSHAKE = Buffer.from([21, 3, 3, 0, 2, 2, 80]);

type Verdict = Parameters<SMTPServer['onAuth']>[2];
type Accepted = Parameters<SMTPServer['_handleProxy']>[1];
type Upgraded = Parameters<SMTPServer['_upgrade']>[1];

/** A connection that wants a place, and what becomes of it. */
interface Arrival {
  readonly socket: Socket;
  readonly host: string;
  /** It has its place. */
  readonly enter: () => void;
  readonly refuse: (response: Response) => void;
  /** What a client sends before it hears from us. */
  readonly expectedBytes?: number;
}

export class ListenerServer extends SMTPServer {
  readonly #options: ServerOptions;
  readonly #sockets = new TransientMap<number, Socket>();
  readonly #sessions = new TransientMap<number, Connection>();
  #lastNumber = 0;
  /** No client gets the last of them, unless it has less than its share. */
  readonly #places: FairShares;
  /** Who has taken one before the handshake. */
  readonly #seats = new WeakMap<Socket, string>();
  readonly #doorstep: Doorstep;
  #onEmpty: (() => void)[] = [];
  #isClosing = false;

  constructor(options: ServerOptions) {
    super(options.library);
    this.#options = options;
    this.#places = new FairShares(options.maxSessions);
    const { clock } = options.settings.deps;
    this.#doorstep = new Doorstep({ clock, waitMs: limits.smtpRefusalMs, max: limits.smtpRefusalsWaiting });
    this.server.on('connection', (socket) => {
      const number = this.#nextNumber();
      this.#sockets.set(number, socket);
      socket.once('close', () => this.#sockets.delete(number));
    });
  }

  get sessions(): readonly Connection[] {
    return [...this.#sessions.values()];
  }

  /** Resolves when no session is left. */
  empty(): Promise<void> {
    return this.#sessions.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** No more sessions, also for those who are connected and still say who they are; answers those who wait for one. */
  beginNoMore(): void {
    this.#isClosing = true;
    this.#doorstep.close();
  }

  /** Drops what is left of all connections, also of those that never became sessions. */
  destroySockets(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  override connect(socket: Socket, origin?: SMTPConnectionOptions | null): void {
    const refuse = (response: Response): void => this.#sayGoodbye(socket, encodeReply(response));
    const seat = this.#seats.get(socket);
    if (seat === undefined) {
      const host = peerKey(origin?.remoteAddress ?? socket.remoteAddress ?? '');
      this.#admit({ socket, host, enter: () => this.#begin(socket, origin ?? {}, host), refuse });
    } else if (this.#isClosing) {
      this.#places.leave(seat);
      refuse(shuttingDown);
    } else this.#begin(socket, origin ?? {}, seat);
  }

  /** TLS from the first byte: whoever there is no place for is told so before the handshake. */
  override _upgrade(socket: Socket, callback: Upgraded): void {
    const host = peerKey(socket.remoteAddress ?? '');
    const enter = (): void =>
      super._upgrade(socket, (error, secured) => {
        if (secured === undefined) this.#places.leave(host);
        else this.#seats.set(secured, host);
        callback(error, secured);
      });
    const refuse = (): void => this.#sayGoodbye(socket, NO_HANDSHAKE);
    this.#admit({ socket, host, enter, refuse, expectedBytes: limits.smtpTlsHelloBytes });
  }

  #admit({ socket, host, enter, refuse, expectedBytes }: Arrival): void {
    const tryToEnter = (): Refusal | undefined => {
      const refusal = this.#takePlace(host);
      if (refusal === undefined) enter();
      return refusal;
    };
    if (!this.#isClosing && tryToEnter() === undefined) return;
    const decide = (): void => {
      const refusal = this.#isClosing ? undefined : tryToEnter();
      if (this.#isClosing) refuse(shuttingDown);
      if (refusal === undefined) return;
      this.#options.admission.refused('session', refusal);
      refuse(refusal === 'peer' ? tooManyOfHost : tooMany);
    };
    this.#doorstep.wait(socket, host, decide, expectedBytes);
  }

  #sayGoodbye(socket: Socket, text: string | Buffer): void {
    sayGoodbye(socket, text, this.#options.settings.deps.clock, REFUSED_LINGER_MS);
  }

  #begin(socket: Socket, origin: SMTPConnectionOptions, host: string): void {
    const { settings, idleMs } = this.#options;
    const number = this.#nextNumber();
    const onEnd = (): void => this.#forget(number, host);
    const connection = new Connection({ server: this, socket, origin, settings, idleMs, onEnd });
    this.#sessions.set(number, connection);
    settings.meter?.sessionBegun();
    connection.on('error', (error) => this._onError(error));
    connection.init();
  }

  #nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  /** Counts a session for its client, or answers why there is none for it. */
  #takePlace(host: string): Refusal | undefined {
    const { admission, maxSessionsPerHost } = this.#options;
    if (admission.overload !== undefined) return admission.overload;
    const isBounded = maxSessionsPerHost !== undefined || !isLocal(host);
    if (isBounded && this.#places.of(host) >= (maxSessionsPerHost ?? limits.smtpSessionsPerHost)) return 'peer';
    if (!this.#places.isOpenTo(host)) return this.#places.used >= this.#places.limit ? 'places' : 'peer';
    this.#places.take(host);
    return undefined;
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

  #forget(number: number, host: string): void {
    if (this.#sessions.delete(number)) {
      this.#options.settings.meter?.sessionEnded();
      this.#places.leave(host);
    }
    if (this.#sessions.size > 0) return;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const wake of waiting) wake();
  }
}

function isLocal(host: string): boolean {
  return host.startsWith('127.') || host === LOOPBACK;
}

function smtpError(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}
