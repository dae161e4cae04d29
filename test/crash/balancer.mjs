/** One address for several servers: TCP connections are given to them in turn, to the next one when one does not take it. */
import { connect, createServer } from 'node:net';

export class Balancer {
  #ports;
  #turn = 0;
  #sockets = new Set();
  #server = createServer((client) => this.#join(client, this.#ports.length));

  constructor(ports) {
    this.#ports = ports;
  }

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.#server.address().port;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client, tries) {
    this.#turn = (this.#turn + 1) % this.#ports.length;
    const server = connect(this.#ports[this.#turn], '127.0.0.1');
    let isOpen = false;
    server.once('connect', () => {
      isOpen = true;
      client.pipe(server).pipe(client);
    });
    this.#watch(client, server);
    server.on('error', () => {
      if (isOpen || tries <= 1) client.destroy();
      else this.#join(client, tries - 1);
    });
    server.on('close', () => isOpen && client.destroy());
    client.on('close', () => server.destroy());
  }

  #watch(...sockets) {
    for (const socket of sockets) {
      if (this.#sockets.has(socket)) continue;
      this.#sockets.add(socket);
      socket.on('error', () => undefined); // somebody was killed
      socket.on('close', () => this.#sockets.delete(socket));
    }
  }
}
