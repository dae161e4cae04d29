/** One address for several servers, as a load balancer gives it: each new connection goes to the next one. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'vitest';

export class RoundRobin {
  /** Connections that each server got. */
  readonly counts: number[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  private constructor(ports: readonly number[]) {
    this.counts = ports.map(() => 0);
    this.#server = createServer((client) => {
      const turn = this.#turn % ports.length;
      this.#turn += 1;
      this.counts[turn] = (this.counts[turn] ?? 0) + 1;
      const server = connect({ port: ports[turn] as number, host: '127.0.0.1' });
      this.#join(client, server);
      this.#join(server, client);
    });
  }

  /** Listens on `port`, in front of `ports`. It ends with the test. */
  static async open(context: TestContext, port: number, ports: readonly number[]): Promise<RoundRobin> {
    const balancer = new RoundRobin(ports);
    balancer.#server.listen(port, '127.0.0.1');
    await once(balancer.#server, 'listening');
    context.onTestFinished(async () => {
      const closed = once(balancer.#server, 'close');
      balancer.#server.close();
      for (const socket of balancer.#sockets) socket.destroy();
      await closed;
    });
    return balancer;
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.pipe(to);
  }
}
