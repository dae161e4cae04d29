/**
 * Takes the bytes of a socket in the callback that brings them. A stream that has been read to its end looks for more in the next tick, after each
 * chunk, which a server that answers short lines pays for every line.
 */
import type { Socket } from 'node:net';
import { readShared } from './shared-read.ts';

/** `isLent`: the memory is somebody else's again when the call returns; what is needed longer has to be copied. */
export type Take = (chunk: Buffer, isLent: boolean) => void;

/**
 * Calls `take` with each chunk, in order, for as long as the socket is not paused; what comes in while it is waits in the socket, or in the system.
 * The returned function ends that. Works for TLS sockets, too.
 */
export function readDirectly(socket: Socket, take: Take): () => void {
  let isOver = false;
  const own = (chunk: Buffer): void => take(chunk, false);
  const lent = (chunk: Buffer): void => {
    if (!isOver) take(chunk, true);
  };
  const stopPush = readShared(socket, lent) ? undefined : takePushed(socket, own);
  // What was read before.
  socket.on('data', own);
  socket.resume();
  return () => {
    isOver = true;
    stopPush?.();
    socket.off('data', own);
  };
}

/** Takes what a socket reads into memory of its own. */
function takePushed(socket: Socket, take: (chunk: Buffer) => void): () => void {
  const buffered = socket.push;
  socket.push = (chunk: Buffer | null): boolean => {
    const isNext = chunk !== null && socket.readableFlowing === true && socket.readableLength === 0;
    if (!isNext) return buffered.call(socket, chunk);
    take(chunk);
    return true;
  };
  return () => {
    socket.push = buffered;
  };
}
