/** Waits for the PROXY header of a fresh connection and leaves everything behind it in the socket. */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/deps.ts';
import { type ProxyHeader, parseProxyHeader } from './proxy-header.ts';

export type ReadProxyHeader = Extract<ProxyHeader, { kind: 'header' | 'invalid' }>;

/** Resolves with the header, or with why there is none within `timeoutMs`. Never rejects. The caller ends a socket without one. */
export async function readProxyHeader(socket: Socket, timeoutMs: number, clock: Clock): Promise<ReadProxyHeader> {
  const stop = new AbortController();
  try {
    return await Promise.race([
      nextHeader(socket, stop.signal),
      clock
        .sleep(timeoutMs, stop.signal)
        .then((): ReadProxyHeader => ({ kind: 'invalid', why: 'no PROXY header in time' })),
    ]);
  } finally {
    stop.abort();
  }
}

function nextHeader(socket: Socket, signal: AbortSignal): Promise<ReadProxyHeader> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const settle = (header: ReadProxyHeader): void => {
      socket.off('readable', onReadable).off('close', onGone).off('end', onGone).off('error', onGone);
      resolve(header);
    };
    const onGone = (): void => settle({ kind: 'invalid', why: 'connection closed before the PROXY header' });
    const onReadable = (): void => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        bytes = Buffer.concat([bytes, chunk]);
        const header = parseProxyHeader(bytes);
        if (header.kind === 'incomplete') continue;
        if (header.kind === 'header' && bytes.length > header.lengthBytes)
          socket.unshift(bytes.subarray(header.lengthBytes));
        settle(header);
        return;
      }
    };
    signal.addEventListener('abort', () => settle({ kind: 'invalid', why: 'given up' }), { once: true });
    socket.on('readable', onReadable).once('close', onGone).once('end', onGone).once('error', onGone);
  });
}
