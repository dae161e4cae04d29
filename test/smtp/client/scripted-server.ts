/** A raw server that says what a test tells it to, byte for byte, and remembers what it heard. */
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface Peer {
  readonly socket: Socket;
  say(text: string): void;
  /** The next line without its end; `undefined` when the client has gone. */
  line(): Promise<string | undefined>;
  /** Everything up to and with this text. */
  until(text: string): Promise<string | undefined>;
  /** Resolves when the client has gone. */
  gone: Promise<void>;
}

export interface ScriptedServer {
  readonly host: string;
  readonly port: number;
  connections: number;
  /** The pieces in which the input arrived, over all connections. */
  readonly segments: string[];
  close(): Promise<void>;
}

export async function scriptedServer(
  script: (peer: Peer, connection: number) => Promise<void>,
  options: { readonly segmentBytes?: number } = {},
): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    self.connections += 1;
    void script(makePeer(socket, self.segments, options.segmentBytes), self.connections);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: ScriptedServer = {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    connections: 0,
    segments: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return self;
}

function makePeer(socket: Socket, segments: string[], segmentBytes: number | undefined): Peer {
  let heard = '';
  let wake: () => void = () => undefined;
  socket.on('data', (chunk: Buffer) => {
    segments.push(chunk.toString('latin1'));
    heard += chunk.toString('latin1');
    wake();
  });
  socket.on('error', () => socket.destroy());
  const gone = new Promise<void>((resolve) => {
    socket.on('close', () => {
      resolve();
      wake();
    });
  });
  const until = async (text: string): Promise<string | undefined> => {
    for (;;) {
      const end = heard.indexOf(text);
      if (end !== -1) {
        const found = heard.slice(0, end + text.length);
        heard = heard.slice(end + text.length);
        return found;
      }
      if (socket.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    socket,
    gone,
    until,
    line: async () => (await until('\r\n'))?.slice(0, -2),
    say(text) {
      if (socket.destroyed) return;
      const bytes = Buffer.from(text, 'latin1');
      const step = segmentBytes ?? bytes.length;
      for (let at = 0; at < bytes.length; at += step) socket.write(bytes.subarray(at, at + step));
    },
  };
}

/** Plays a normal session up to the command that begins with `verb`, and leaves that one unanswered. */
export async function playUntil(
  peer: Peer,
  verb: string,
  ehlo = '250 server.example\r\n',
): Promise<string | undefined> {
  if (verb === 'connect') return '';
  peer.say('220 server.example ESMTP\r\n');
  for (;;) {
    const line = await peer.line();
    if (line === undefined || line.startsWith(verb)) return line;
    if (/^(EHLO|LHLO)/.test(line)) peer.say(ehlo);
    else if (line === 'DATA') {
      peer.say('354 go on\r\n');
      await peer.until('\r\n.\r\n');
      if (verb === 'dot') return line;
      peer.say('250 2.0.0 taken\r\n');
    } else peer.say('250 2.0.0 ok\r\n');
  }
}
