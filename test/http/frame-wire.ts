/** What tests of frames speak with: messages from MAIL to the answer to DATA, a wire before a server, and a connection for frames by hand. */
import net, { type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { FRAMES_TARGET, type Frame, FrameReader } from '../../src/lib/http/frame.ts';
import { HttpClient } from '../../src/lib/http/http-client.ts';
import { type HttpHopOptions, httpHop } from '../../src/lib/http/http-hop.ts';
import type { RestServerOptions } from '../../src/lib/http/server.ts';
import { fakeDeps, realClock } from '../helpers/fake-deps.ts';
import type { MemoryServiceOptions } from '../helpers/memory-service.ts';
import { type Running, startRestServer } from './rest-server.ts';

const FROM = mailbox('ann@far.test');
const KIM = mailbox('kim@dest.test');
export const QUEUED = reply(250, '2.6.0', 'queued');
export const ENVELOPE = JSON.stringify({ mail_from: { m: 'ops@shop.test' }, rcpt_to: [{ m: 'kim@dest.test' }] });

export const PATIENTLY = { timeout: 20_000, interval: 10 };
export interface SenderOptions {
  readonly token?: string;
  readonly rcptTimeoutMs?: number;
  readonly hop?: Partial<HttpHopOptions>;
}

/** Sends messages through one client, from MAIL to the answer to DATA. */
export function sender(
  url: string,
  { token, rcptTimeoutMs = 20_000, hop: more }: SenderOptions = {},
): (text: string) => Promise<Response> {
  const client = new HttpClient();
  onTestFinished(() => client.close(AbortSignal.abort()));
  const hop = httpHop({
    endpoint: `${url}/senders/router/transactions`,
    client,
    deps: fakeDeps({ clock: realClock }),
    ...(token !== undefined && { token }),
    ...more,
  });
  return async (text) => {
    const exchange = hop.open({ sender: 'router', rcptTimeoutMs, dataTimeoutMs: 20_000, createAt: 'mail' });
    await exchange.mail(FROM);
    await exchange.rcpt(KIM);
    const answer = await exchange.data(memoryBody(Buffer.from(text)));
    await exchange.close();
    return answer;
  };
}

/** What stands before a server and hears what clients say. */
export interface Wire {
  readonly url: string;
  readonly running: Running;
  /** How many requests of HTTP went by. */
  readonly requests: () => number;
  /** Whether a client has been let in for frames. */
  readonly isJoined: () => boolean;
  cut(): void;
  /** Lets only half of the next answer that comes as a frame through. */
  cutInAnswer(): void;
  /** Lets nothing more through on the connections there are, and says nothing. */
  swallow(): void;
}

/** A server that knows itself by the address of the wire, as one that nothing stands before. */
export async function startOnWire(
  service: MemoryServiceOptions = {},
  options: Partial<RestServerOptions> = {},
): Promise<Wire> {
  let port = '';
  const sockets = new Set<Socket>();
  let said = '';
  let isJoined = false;
  let isCutInAnswer = false;
  let generation = 0;
  const server = net.createServer((near) => {
    const far = net.connect(Number(port), '127.0.0.1');
    let asked = '';
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    const born = generation;
    near.on('data', (chunk: Buffer) => {
      if (born !== generation) return;
      asked += chunk.toString('latin1');
      said += chunk.toString('latin1');
      far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => {
      if (asked.startsWith('CONNECT') && chunk.toString('latin1').startsWith('HTTP/1.1 200')) isJoined = true;
      if (isCutInAnswer && asked.startsWith('CONNECT')) {
        isCutInAnswer = false;
        isJoined = false;
        near.end(chunk.subarray(0, chunk.length / 2));
        return;
      }
      near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running = await startRestServer(service, { sessionUri: url, ...options });
  port = new URL(running.url).port;
  return {
    url,
    running,
    requests: () => said.split(' HTTP/1.1\r\n').length - 1,
    isJoined: () => isJoined,
    cut() {
      isJoined = false;
      cut();
    },
    cutInAnswer() {
      isCutInAnswer = true;
    },
    swallow() {
      generation += 1;
    },
  };
}

/** Connects for frames; answers frame by frame, in the order in which they come. */
export async function joined(
  url: string,
  headers = '',
): Promise<{ socket: Socket; status: string; next(): Promise<Frame> }> {
  const { port } = new URL(url);
  const socket = net.connect(Number(port), '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('error', () => socket.destroy());
  socket.write(`CONNECT ${FRAMES_TARGET} HTTP/1.1\r\nhost: ${FRAMES_TARGET}\r\n${headers}\r\n`);
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = (await chunks.next()).value as Buffer;
  const reader = new FrameReader(limits.httpAnswerBytes);
  const read: Frame[] = [];
  const next = async (): Promise<Frame> => {
    while (read.length === 0) {
      const { value, done } = await chunks.next();
      if (done) throw new Error('the server has closed the connection');
      read.push(...reader.read(value));
    }
    return read.shift() as Frame;
  };
  return { socket, status: first.toString('latin1').slice(9, 12), next };
}
