/**
 * Answers that stand behind others of the same connection, because its client asks without waiting (RFC 9112 §9.3.2). When the connection breaks,
 * node tells only the answer whose turn it is; whoever holds something for one of the others would hold it for ever.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** From now on every answer of this server emits `close` when its connection is gone. */
export function tellQueuedReplies(server: Server): void {
  const queues = new WeakMap<Socket, Set<ServerResponse>>();
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    // Whose turn it is has the connection.
    if (response.socket !== null) return;
    const queue = queues.get(socket) ?? queueOf(socket);
    queues.set(socket, queue);
    queue.add(response);
    response.once('close', () => queue.delete(response));
  });
}

function queueOf(socket: Socket): Set<ServerResponse> {
  const queue = new Set<ServerResponse>();
  socket.once('close', () => {
    for (const response of queue) response.emit('close');
  });
  return queue;
}
