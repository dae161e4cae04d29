/** Opens the TCP (or TLS) connection under a session, within a time limit and until somebody loses interest. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Clock } from '../../core/deps.ts';
import type { HostPort } from '../../core/envelope.ts';
import { cancelledReply } from '../../core/precondition.ts';
import { type Response, reply } from '../../core/response.ts';
import type { ShortReads } from './short-reads.ts';

export interface DialAsk extends HostPort {
  /** The address to connect from. */
  readonly localAddress?: string | undefined;
  readonly timeoutMs: number;
  /** How the socket is to read; absent for one that TLS goes over from its first byte. */
  readonly reads?: ShortReads | undefined;
}

/** A connected socket, or the 4xx that says why there is none. */
export function dial(ask: DialAsk, clock: Clock, signal?: AbortSignal): Promise<Socket | Response> {
  const { host, port, localAddress, reads } = ask;
  let socket: Socket;
  try {
    socket = connectTcp({
      host,
      port,
      noDelay: true,
      ...(localAddress !== undefined && { localAddress }),
      ...(reads !== undefined && { onread: reads.onread }),
    });
  } catch (error) {
    // A port or an address that cannot be one.
    return Promise.resolve(connectFailed(ask, error));
  }
  return settled(socket, 'connect', ask, clock, signal);
}

/** Starts TLS on a connected socket. The certificate is checked only when `verify` is set: opportunistic TLS takes any (RFC 7435 §3). */
export function startTls(plain: Socket, host: string, verify: boolean): TLSSocket {
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ socket: plain, rejectUnauthorized: verify, ...servername });
}

/** Waits until TLS is there; the answer is a 4xx when it did not come about. */
export function handshake(
  socket: TLSSocket,
  ask: DialAsk,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Socket | Response> {
  return settled(socket, 'secureConnect', ask, clock, signal);
}

function settled(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  ask: DialAsk,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Socket | Response> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const settle = (outcome: Socket | Response): void => {
      if (over.signal.aborted) return;
      over.abort();
      signal?.removeEventListener('abort', onAbort);
      if (outcome !== socket) socket.destroy();
      resolve(outcome);
    };
    const onAbort = (): void => settle(cancelledReply);
    const onLost = (error?: Error): void => settle(connectFailed(ask, error));
    socket.once(event, () => settle(socket));
    // Not `once`: a destroyed socket may still report an error, which nobody needs but somebody has to hear.
    socket.on('error', onLost);
    socket.once('close', () => onLost());
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    void clock.sleep(ask.timeoutMs, over.signal).then(() => settle(connectFailed(ask, { code: 'ETIMEDOUT' })));
  });
}

function connectFailed({ host, port }: HostPort, error: unknown): Response {
  const { code, reason, message } = (error ?? {}) as { code?: string; reason?: string; message?: string };
  return reply(
    450,
    '4.4.1',
    `connect error ${code ?? reason ?? message ?? 'connection closed'} (${host} port ${port})`,
  );
}
