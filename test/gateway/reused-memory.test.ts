/** Memory that held one message holds the next: no byte of one is ever seen in another, whatever befalls those who send and those who receive. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { registry } from '../../src/lib/chain/registry.ts';
import { parseRouterConfig } from '../../src/lib/config/load.ts';
import type { Hop } from '../../src/lib/core/hop.ts';
import { createInbound, type Inbound } from '../../src/lib/gateway/inbound.ts';
import { createSmtpOutput } from '../../src/lib/outputs/smtp.ts';
import { Router } from '../../src/lib/router/router.ts';
import { SmtpPool } from '../../src/lib/smtp/client/pool.ts';
import { Slabs } from '../../src/lib/spool/slabs.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { openStore } from '../../src/lib/store/open.ts';
import { type CapriciousSink, capriciousSink } from '../helpers/capricious-sink.ts';
import { fakeDeps, memoryLog, realClock } from '../helpers/fake-deps.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const CHAINS = `
sender:
- {name: relay, output_chain: relay, tag: [{name: out, output_chain: deliver}], upstream_tag: out}
- {name: stored, output_chain: stored, tag: [{name: out, output_chain: deliver}], upstream_tag: out}
rest_endpoint:
- {name: far, endpoint: 'http://far.example:1/senders/router/transactions', sender: router}
endpoint:
- {name: relay, chain: [{filter: exploder, msa: true, rcpt_timeout: 10, data_timeout: 20}]}
- {name: stored, chain: [{filter: exploder, msa: true, rcpt_timeout: 0, data_timeout: 0}]}
- name: deliver
  output_handler:
    retry_params: {max_attempts: 5, min_attempt_time: 1, max_attempt_time: 1, deadline: 60}
  chain:
  - {filter: received_header, received_hostname: mx.test}
  - {filter: router, destination: {endpoint: far}}
  - {filter: rest_output, rcpt_timeout: 20, data_timeout: 20}
`;

const SIZES = [300, 4000, 15_000, 66_000, 140_000, 400_000, 900_000];

/** The message of this number, as it is sent: with its dots. */
function messageOf(id: number): Buffer {
  let text = `X-Id: ${id}\r\n\r\n`;
  for (let line = 0; text.length < (SIZES[id % SIZES.length] as number); line += 1) {
    text += `${line % 9 === 0 ? '..' : ''}${id}-${line}-${'abcdefghij'.repeat(line % 8)}\r\n`;
  }
  return Buffer.from(`${text}.\r\n`);
}

interface World {
  readonly sink: CapriciousSink;
  readonly relay: number;
  readonly stored: number;
  readonly poisoned: () => number;
  readonly errors: () => readonly unknown[];
}

async function world(engine: { readonly url: (directory: string) => string }): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'koukan-test-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const sink = await capriciousSink();
  cleanups.push(() => sink.close());
  const log = memoryLog();
  const deps = fakeDeps({ clock: realClock, log });
  let poisoned = 0;
  const slabs = new Slabs({
    onGivenBack: (slab) => {
      slab.fill(0xdb);
      poisoned += 1;
    },
  });
  const spool = new Spool(join(directory, 'spool'), deps, undefined, slabs);
  await spool.prepare();
  const pool = new SmtpPool({ deps });
  cleanups.push(() => pool.close(AbortSignal.abort()));
  const output = createSmtpOutput(
    {
      tag: 'out',
      ehloHost: 'mx.test',
      timeoutMs: 20_000,
      protocol: 'smtp',
      enableBdat: false,
      chunkSize: 1000,
      maxConnectionsPerHost: 30,
      idleTimeoutMs: 60_000,
    },
    pool,
    deps,
  );
  const remoteHost = { host: '127.0.0.1', port: sink.port };
  const far: Hop = { open: (ask) => output.open({ ...ask, remoteHost }, ask) };
  const url = engine.url(directory);
  const store = await openStore({ url, clock: realClock, waits: realClock, log, autoMigrate: true });
  const config = parseRouterConfig(
    `rest_listener: {addr: ['127.0.0.1', 0], session_uri: 'http://127.0.0.1:8000'}
storage: {url: '${url}', auto_migrate: true}
${CHAINS}`,
    'router.yaml',
  );
  const router = new Router({ config, deps, registry, store, spool, hop: () => far });
  await router.start();
  cleanups.push(() => router.stop(AbortSignal.abort()));
  const listen = async (sender: string): Promise<number> => {
    const inbound: Inbound = createInbound({
      config: {
        addr: { host: '127.0.0.1', port: 0 },
        endpoint: 'router',
        sender,
        smtps: false,
        enableBdat: false,
        rcptTimeoutMs: 40_000,
        dataTimeoutMs: 60_000,
      },
      hop: router.hop,
      deps,
      spool,
      hostName: 'mx.test',
    });
    cleanups.push(() => inbound.close(AbortSignal.abort()));
    return (await inbound.listen()).port;
  };
  const errors = (): readonly unknown[] => log.lines.filter(({ level }) => level === 'error');
  return { sink, relay: await listen('relay'), stored: await listen('stored'), poisoned: () => poisoned, errors };
}

/** One client after another: what it says, and when it has had enough. */
class Client {
  readonly #socket: Socket;
  #text = '';
  #wake = (): void => undefined;
  #isOver = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#text += chunk.toString();
      this.#wake();
    });
    socket
      .on('error', () => undefined)
      .on('close', () => {
        this.#isOver = true;
        this.#wake();
      });
  }

  static async to(port: number): Promise<Client> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new Client(socket);
    await client.reply();
    await client.ask('EHLO client.test\r\n');
    return client;
  }

  async ask(text: string | Buffer): Promise<string> {
    this.#socket.write(text);
    return this.reply();
  }

  async reply(): Promise<string> {
    for (;;) {
      const end = /^\d{3} .*\r\n/m.exec(this.#text);
      if (end !== null) {
        this.#text = this.#text.slice(end.index + end[0].length);
        return end[0].slice(0, 3);
      }
      if (this.#isOver) return 'gone';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  leave(): void {
    this.#socket.destroy();
  }
}

const KINDS = ['ok', 'early', 'ok', 'cut', 'later', 'fan', 'leaves', 'breaks'] as const;

function rcptsOf(id: number): readonly string[] {
  const kind = KINDS[id % KINDS.length];
  const names = kind === 'fan' ? ['fan', 'ok', 'later', 'fan'] : [kind];
  return names.map((name, i) => `${name}-${id}-${i}@far.test`);
}

/** Sends the message of this number; answers what was said to it, for whom somebody stayed to hear it. */
async function send(client: Client, id: number): Promise<string> {
  await client.ask('MAIL FROM:<a@client.test>\r\n');
  for (const rcpt of rcptsOf(id)) await client.ask(`RCPT TO:<${rcpt}>\r\n`);
  await client.ask('DATA\r\n');
  const kind = KINDS[id % KINDS.length];
  const message = messageOf(id);
  if (kind === 'breaks') client.write(message.subarray(0, message.length / 2));
  else if (kind === 'leaves') client.write(message);
  else return client.ask(message);
  // The rest of it, or the answer, comes when nobody is there.
  await new Promise((resolve) => setImmediate(resolve));
  client.leave();
  return 'gone';
}

const SESSIONS = 16;
const MESSAGES = 8;

it('no byte of one message is seen in another, with memory that is spoiled as soon as it is given back', async () => {
  const { sink, relay, stored, poisoned, errors } = await world({
    url: (directory) => `sqlite:///${directory}/db.sqlite`,
  });
  const taken: string[] = [];
  const session = async (number: number): Promise<void> => {
    const port = number % 2 === 0 ? relay : stored;
    let client = await Client.to(port);
    for (let i = 0; i < MESSAGES; i += 1) {
      const id = number * MESSAGES + i;
      const code = await send(client, id);
      if (code === '250') taken.push(...rcptsOf(id).filter((rcpt) => !rcpt.startsWith('early')));
      if (code === 'gone') client = await Client.to(port);
    }
    client.leave();
  };
  await Promise.all(Array.from({ length: SESSIONS }, (_, number) => session(number)));
  await sink.received(taken);
  const altered = sink.transcripts.filter(({ raw, isWhole }) => {
    const at = raw.indexOf('X-Id: ');
    const message = messageOf(Number(/\d+/.exec(raw.subarray(at, at + 20).toString())));
    const came = raw.subarray(at);
    return at === -1 || !(isWhole ? came.equals(message) : came.equals(message.subarray(0, came.length)));
  });
  expect(altered.map(({ rcpts }) => rcpts)).toEqual([]);
  expect(taken.length).toBeGreaterThan(SESSIONS * MESSAGES * 0.5);
  expect(poisoned()).toBeGreaterThan(SESSIONS * MESSAGES * 0.5);
  expect(errors()).toEqual([]);
});
