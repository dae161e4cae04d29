/**
 * Takes the bytes of a socket in the callback that brings them. A stream that has been read to its end looks for more in the next tick, after each
 * chunk, which a server that answers short lines pays for every line.
 */
import type { Socket } from 'node:net';

/**
 * Calls `take` with each chunk, in order, for as long as the socket is not paused; what comes in while it is waits in the socket. The returned
 * function ends that. Works for TLS sockets, too.
 */
export function readDirectly(socket: Socket, take: (chunk: Buffer) => void): () => void {
  const buffered = socket.push;
  socket.push = (chunk: Buffer | null): boolean => {
    const isNext = chunk !== null && socket.readableFlowing === true && socket.readableLength === 0;
    if (!isNext) return buffered.call(socket, chunk);
    take(chunk);
    return true;
  };
  socket.on('data', take);
  socket.resume();
  return () => {
    socket.push = buffered;
    socket.off('data', take);
  };
}
