/** `rest_output` over next hops that answer as the test says. */
import { describe, expect, test } from 'vitest';
import { bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import type { HostPort } from '../../src/lib/core/envelope.ts';
import type { HopOptions } from '../../src/lib/core/hop.ts';
import { hopBody, notesOf } from '../../src/lib/core/parsed-message.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import type { Route } from '../../src/lib/core/route.ts';
import { type DnsResult, dnsResolutionSignal } from '../../src/lib/core/signals/dns-resolution.ts';
import { restOutput } from '../../src/lib/outputs/rest.ts';
import { type OpenOutputAsk, openOutput } from '../helpers/chain-env.ts';
import { settle } from '../helpers/fake-clock.ts';
import {
  deferred,
  type FakeAnswers,
  HopSequence,
  never,
  ok,
  permFail,
  recipient,
  sender,
  tempFail,
} from '../helpers/fake-exchange.ts';

const body = memoryBody(Buffer.from('hello'));
const endpoint = 'http://gateway.test:8001/senders/router/transactions';
const route = { endpoint, sender: 'router', tag: 'out', hosts: [], options: {} };
const hosts: readonly HostPort[] = [1, 2, 3].map((n) => ({ host: `192.0.2.${n}`, port: 25 }));

interface Ask {
  readonly route?: Route | undefined;
  readonly resolution?: readonly HostPort[];
  readonly senders?: OpenOutputAsk['senders'];
  readonly resolvePath?: (file: string) => string;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** An output whose next hops answer in the order in which they are opened. */
function output(ask: Ask, ...answers: readonly FakeAnswers[]) {
  const hops = new HopSequence(...(answers.length === 0 ? [{}] : answers));
  const found: { endpoint: string; options: HopOptions | undefined }[] = [];
  const { exchange, tx } = openOutput(restOutput, {
    options: ask.options ?? {},
    ...(ask.senders && { senders: ask.senders }),
    ...(ask.resolvePath && { resolvePath: ask.resolvePath }),
    hop: (url, options) => {
      found.push({ endpoint: url, options });
      return hops;
    },
    origin: {
      remoteHost: { host: '203.0.113.9', port: 40_000 },
      localHost: { host: '203.0.113.1', port: 25 },
      smtpMeta: { ehloHost: 'client.test', esmtp: true, tls: true, auth: false },
    },
  });
  tx.route = 'route' in ask ? ask.route : route;
  tx.resolution = ask.resolution;
  return { exchange, tx, hops, found };
}

describe('the next hop', () => {
  test('hears what the configuration says of connections, when it is a router with a sender that we know', async () => {
    const smtpMeta = { ehloHost: 'inside.test', esmtp: true, tls: true, auth: true };
    const inside = { name: 'inside', outputChain: 'c', retry: false, notification: false, upstreamSender: 'inside' };
    const family = { untagged: { ...inside, remoteHost: '192.0.2.7', smtpMeta }, tags: new Map([['plain', inside]]) };
    const senders = new Map([['inside', family]]);
    const { exchange, hops } = output({ route: { endpoint, sender: 'inside', hosts: [], options: {} }, senders });
    void exchange.mail(sender);
    await exchange.rcpt(recipient);
    expect(hops.asks[0]).toMatchObject({ remoteHost: { host: '192.0.2.7' }, smtpMeta });
    const plain = output({ route: { ...route, sender: 'inside', tag: 'plain' }, senders });
    void plain.exchange.mail(sender);
    await plain.exchange.rcpt(recipient);
    expect(plain.hops.asks[0]).toMatchObject({ remoteHost: { host: '203.0.113.9' }, smtpMeta: { auth: false } });
  });

  test('is asked once the recipient is known, and MAIL is answered then', async () => {
    const { exchange, hops } = output({}, { mail: reply(250, '2.1.0', 'their words') });
    let isAnswered = false;
    const mail = exchange.mail(sender).finally(() => {
      isAnswered = true;
    });
    await settle();
    expect([isAnswered, hops.asks]).toEqual([false, []]);
    expect(await exchange.rcpt(recipient)).toEqual(ok);
    expect((await mail).text).toBe('their words');
    expect(await exchange.data(body)).toEqual(ok);
    expect(hops.exchanges[0]?.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'DATA 5']);
    expect(await bodyBytes(hops.exchanges[0]?.bodies[0] ?? memoryBody(Buffer.alloc(0)))).toEqual(Buffer.from('hello'));
  });

  test('is told who asks, what is known of the client, and how long to wait', async () => {
    const { exchange, hops, found, tx } = output({ options: { rcpt_timeout: 3, data_timeout: 9 } });
    void exchange.mail(sender);
    await exchange.rcpt(recipient);
    expect(found).toEqual([{ endpoint, options: { verify: true } }]);
    expect(hops.asks).toEqual([
      {
        sender: 'router',
        tag: 'out',
        remoteHost: tx.remoteHost,
        localHost: tx.localHost,
        smtpMeta: tx.smtpMeta,
        rcptTimeoutMs: 3000,
        dataTimeoutMs: 9000,
        createAt: 'rcpt',
      },
    ]);
  });

  test('is found with the options for its certificate and for uploads', async () => {
    const { exchange, found } = output({ options: { verify: 'package.json', chunk_size: 1000 } });
    void exchange.mail(sender);
    await exchange.rcpt(recipient);
    expect(found[0]?.options).toEqual({ verify: 'package.json', chunkSize: 1000 });
  });

  test('may be fixed in the configuration, and is asked in the name of our own sender then', async () => {
    const { exchange, found, hops } = output({ route: undefined, options: { static_endpoint: 'http://app.test/x' } });
    void exchange.mail(sender);
    await exchange.rcpt(recipient);
    expect(found[0]?.endpoint).toBe('http://app.test/x');
    expect(hops.asks[0]).toMatchObject({ sender: 'submission' });
    expect(hops.asks[0]?.tag).toBeUndefined();
  });

  test('gets what filters observed only when the route asks for it', async () => {
    for (const [options, isSent] of [
      [{}, false],
      [{ send_filter_output: false }, false],
      [{ send_filter_output: true }, true],
    ] as const) {
      const { exchange, hops, tx } = output({ route: { ...route, options } });
      tx.signals.set(dnsResolutionSignal, { rcptResults: [], resolutionResult: 'OK' });
      void exchange.mail(sender);
      await exchange.rcpt(recipient);
      expect(hops.asks[0]?.filterOutput).toEqual(isSent ? tx.signals.toJson() : undefined);
    }
  });

  test('gets with the message what was found out since, and the parsed message, each only when the route asks for it', async () => {
    const parsed = { json: { parts: {} }, blobs: new Map() };
    for (const [options, expected] of [
      [{}, []],
      [{ send_filter_output: false }, []],
      [{ receive_parsing: null }, ['parsed']],
      [{ receive_parsing: { max_inline: 0 } }, ['parsed']],
      [{ send_filter_output: true }, ['filterOutput']],
      [{ receive_parsing: {}, send_filter_output: true }, ['filterOutput', 'parsed']],
    ] as const) {
      const { exchange, hops, tx } = output({ route: { ...route, options } });
      void exchange.mail(sender);
      await exchange.rcpt(recipient);
      tx.signals.set(dnsResolutionSignal, { rcptResults: [], resolutionResult: 'OK' });
      tx.parsed = parsed;
      await exchange.data(body);
      const sent = hops.exchanges[0]?.bodies[0] ?? body;
      expect(Object.keys(notesOf(sent)).sort()).toEqual(expected);
      expect(notesOf(sent)).toMatchObject(expected.length === 2 ? { parsed, filterOutput: tx.signals.toJson() } : {});
      expect([sent.size, sent.inMemory]).toEqual([body.size, body.inMemory]);
    }
  });

  test('is not told what an earlier hop was told of the same message', async () => {
    const { exchange, hops } = output({});
    void exchange.mail(sender);
    await exchange.rcpt(recipient);
    await exchange.data(hopBody(body, { filterOutput: { theirs: 1 } }));
    expect(notesOf(hops.exchanges[0]?.bodies[0] ?? body)).toEqual({});
  });

  test('is closed with the exchange', async () => {
    const { exchange, hops } = output({}, { data: never });
    void exchange.mail(sender);
    await exchange.rcpt(recipient);
    void exchange.data(body);
    await exchange.close();
    expect(hops.exchanges[0]?.asked.at(-1)).toBe('CLOSE');
  });
});

describe('without somewhere to go', () => {
  const refusals: readonly [string, Ask, DnsResult | undefined, Partial<Response>][] = [
    ['no route', { route: undefined }, undefined, { code: 550, enhanced: '5.1.2' }],
    [
      'a route that is only a place',
      { route: { hosts: [], options: {} } },
      undefined,
      { code: 550, enhanced: '5.1.2' },
    ],
    ['hosts that do not exist', { resolution: [] }, 'NX', { code: 550, enhanced: '5.1.2' }],
    ['hosts that could not be looked up', { resolution: [] }, 'TEMP', { code: 450, enhanced: '4.4.3' }],
    ['no hosts and nobody who says why', { resolution: [] }, undefined, { code: 450, enhanced: '4.4.3' }],
  ];
  test.each(refusals)('%s: MAIL is fine, the recipient is refused, nobody is asked', async (_, ask, dns, expected) => {
    const { exchange, hops, tx } = output(ask);
    if (dns !== undefined) tx.signals.set(dnsResolutionSignal, { rcptResults: [], resolutionResult: dns });
    const mail = exchange.mail(sender);
    expect(await exchange.rcpt(recipient)).toMatchObject(expected);
    expect(await mail).toMatchObject({ code: 250 });
    expect(hops.asks).toEqual([]);
  });

  test('a host that exists is tried, whatever became of the others', async () => {
    const { exchange, hops, tx } = output({ resolution: hosts.slice(0, 1) });
    tx.signals.set(dnsResolutionSignal, { rcptResults: [], resolutionResult: 'TEMP' });
    void exchange.mail(sender);
    expect(await exchange.rcpt(recipient)).toEqual(ok);
    expect(hops.asks[0]?.remoteHost).toEqual(hosts[0]);
  });
});

describe('the hosts of a route', () => {
  const asked = (hops: HopSequence): (HostPort | undefined)[] => hops.asks.map(({ remoteHost }) => remoteHost);

  test('are offered the message in turn until one does not refuse MAIL for now; those that did are closed', async () => {
    const { exchange, hops } = output(
      { resolution: hosts },
      { mail: tempFail, rcpt: tempFail },
      { mail: tempFail, rcpt: never },
      {},
    );
    const mail = exchange.mail(sender);
    expect(await exchange.rcpt(recipient)).toEqual(ok);
    expect(await mail).toEqual(ok);
    expect(await exchange.data(body)).toEqual(ok);
    expect(asked(hops)).toEqual(hosts);
    expect(hops.exchanges.map(({ isClosed }) => isClosed)).toEqual([true, true, false]);
    expect(hops.exchanges.map(({ bodies }) => bodies.length)).toEqual([0, 0, 1]);
  });

  test('are the resolved ones, or those of the route while nothing was resolved', async () => {
    const { exchange, hops } = output({ route: { ...route, hosts } });
    void exchange.mail(sender);
    await exchange.rcpt(recipient);
    expect(asked(hops)).toEqual([hosts[0]]);
  });

  test('are not tried any more after a permanent refusal', async () => {
    const { exchange, hops } = output(
      { resolution: hosts },
      { mail: tempFail, rcpt: never },
      { mail: permFail, rcpt: never },
      {},
    );
    const mail = exchange.mail(sender);
    expect(await exchange.rcpt(recipient)).toMatchObject({ code: 503, enhanced: '5.5.1' });
    expect(await mail).toEqual(permFail);
    expect(asked(hops)).toEqual(hosts.slice(0, 2));
  });

  test('are not tried any more when the recipient is refused: that is about the recipient', async () => {
    for (const refusal of [tempFail, permFail]) {
      const { exchange, hops } = output({ resolution: hosts }, { rcpt: refusal }, {});
      const mail = exchange.mail(sender);
      expect(await exchange.rcpt(recipient)).toEqual(refusal);
      expect(await mail).toEqual(ok);
      expect(asked(hops)).toEqual(hosts.slice(0, 1));
    }
  });

  test('may all refuse for now: the last one is quoted, and the recipient is refused for now too', async () => {
    const last = reply(421, '4.3.2', 'shutting down');
    const { exchange } = output({ resolution: hosts }, { mail: tempFail }, { mail: tempFail }, { mail: last });
    const mail = exchange.mail(sender);
    expect(await exchange.rcpt(recipient)).toMatchObject({ code: 450, enhanced: '4.5.1' });
    expect(await mail).toEqual(last);
  });
});

describe('closing', () => {
  test('before RCPT answers MAIL and asks nobody, then or later', async () => {
    const { exchange, hops } = output({});
    const mail = exchange.mail(sender);
    await exchange.close();
    expect(await mail).toMatchObject({ code: 450, enhanced: '4.4.2' });
    expect(await exchange.rcpt(recipient)).toMatchObject({ code: 450, enhanced: '4.4.2' });
    expect(hops.asks).toEqual([]);
  });

  test('while a host is asked closes that host and tries no other', async () => {
    const answer = deferred<Response>();
    const { exchange, hops } = output({ resolution: hosts }, { mail: answer.promise, rcpt: never });
    const mail = exchange.mail(sender);
    const rcpt = exchange.rcpt(recipient);
    await settle();
    await exchange.close();
    answer.resolve(tempFail);
    expect((await mail).code).toBe(450);
    expect((await rcpt).code).toBe(450);
    expect(hops.asks).toHaveLength(1);
    expect(hops.exchanges[0]?.isClosed).toBe(true);
  });
});

test('a bug in the next hop rejects RCPT and leaves no failure unheard', async () => {
  const bug = (): Promise<Response> => Promise.reject(new Error('bug'));
  const { exchange } = output({}, { mail: bug, rcpt: bug });
  void exchange.mail(sender);
  await expect(exchange.rcpt(recipient)).rejects.toThrow('bug');
  await settle();
});

test('DATA without an accepted recipient is a bug of the caller', async () => {
  const { exchange } = output({});
  await expect(exchange.data(body)).rejects.toThrow('DATA follows');
});

describe('the CA file of the next hop', () => {
  test('is relative to the configuration', async () => {
    const { exchange, found } = output({ options: { verify: 'package.json' }, resolvePath: (file) => `./${file}` });
    void exchange.mail(sender);
    await exchange.rcpt(recipient);
    expect(found[0]?.options?.verify).toBe('./package.json');
  });

  test('that cannot be read is a mistake of the configuration', () => {
    expect(() => output({ options: { verify: 'no-such-ca.pem' } })).toThrow('cannot be read (ENOENT)');
  });
});
