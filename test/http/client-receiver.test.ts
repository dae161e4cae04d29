/** Our client and an application that takes parsed mail: the order of requests, and what becomes of a message when the extras are not taken. */
import { describe, expect, it } from 'vitest';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import type { HopAsk } from '../../src/lib/core/hop.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { type HopBodyNotes, hopBody } from '../../src/lib/core/parsed-message.ts';
import type { Response } from '../../src/lib/core/response.ts';
import {
  startUpstreamReceiver,
  type UpstreamReceiver,
  type UpstreamReceiverOptions,
} from '../interop/upstream-receiver.ts';
import { openExchange } from './client-hop.ts';
import { type Answered, type Asked, behave, newUpstreamState, startFakeUpstream } from './fake-upstream.ts';

const MESSAGE = 'From: a@b.test\r\nSubject: x\r\n\r\nhello, this is more than one chunk\r\n';
const SPF = 'koukan.spf_check_filter.SpfCheckFilter';
const VALIDATION = 'koukan.message_validation_filter.MessageValidationFilter';

/** A body that is not in memory and knows whether somebody holds it. */
function spooled(bytes: Buffer): Body & { held: number } {
  const body = {
    size: bytes.length,
    held: 0,
    async *chunks() {
      expect(body.held).toBeGreaterThan(0);
      for (let i = 0; i < bytes.length; i += 7) yield bytes.subarray(i, i + 7);
    },
    retain: () => {
      body.held += 1;
      return () => {
        body.held -= 1;
      };
    },
  };
  return body;
}

const large = Buffer.alloc(5000, 'png ');
const json = {
  parts: {
    headers: [['subject', 'x']],
    content_type: 'multipart/mixed',
    parts: [
      { headers: [], content_type: 'text/plain', content: { inline: 'hello' } },
      { headers: [], content_type: 'image/png', content: { create_id: '0' } },
      { headers: [], content_type: 'text/plain', content: { create_id: '1' } },
    ],
  },
  text_body: [{ content_type: 'text/plain', content: { inline: 'hello' } }],
  file_attachments: [{ content_type: 'image/png', content: { create_id: '0' }, filename: 'a.png' }],
};

function notes(): HopBodyNotes & { readonly parsed: NonNullable<HopBodyNotes['parsed']> } {
  return {
    parsed: {
      json,
      blobs: new Map([
        ['0', spooled(large)],
        ['1', memoryBody(Buffer.alloc(0))],
      ]),
    },
  };
}

/** Sends one message in ranges of ten bytes, with notes. */
async function send(url: string, with_: HopBodyNotes, ask: Partial<HopAsk> = {}): Promise<Response> {
  const exchange = openExchange(url, { ask, hop: { chunkSize: 10 } });
  await Promise.all([exchange.mail(mailbox('ann@far.test')), exchange.rcpt(mailbox('kim@dest.test'))]);
  const body = spooled(Buffer.from(MESSAGE));
  const response = await exchange.data(hopBody(body, with_));
  await exchange.close();
  expect(body.held).toBe(0);
  return response;
}

const receiver = (options: UpstreamReceiverOptions = {}): Promise<UpstreamReceiver> => startUpstreamReceiver(options);
const isBuilder = ({ method, path }: Asked): boolean => method === 'POST' && path.endsWith('/message_builder');
type Instead = NonNullable<UpstreamReceiverOptions['instead']>;
/** Answers the first request that matches otherwise than the receiver would. */
function once(matches: (asked: Asked) => boolean, answer: Instead): { readonly instead: Instead } {
  let isDone = false;
  return {
    instead: (asked, real) => {
      if (isDone || !matches(asked)) return undefined;
      isDone = true;
      return answer(asked, real);
    },
  };
}
/** The receiver hears the request, and its answer is lost. */
const unheard: Instead = (_, real) => {
  real();
  return 'hangup';
};
const always =
  (matches: (asked: Asked) => boolean, status: number): Instead =>
  (asked) =>
    matches(asked) ? { status } : undefined;
const isPart = ({ method, path }: Asked): boolean => method === 'PUT' && path.includes('/blob/');
const isUpdate = ({ method }: Asked): boolean => method === 'PATCH';
const changes = (app: UpstreamReceiver): string[] => app.lines().filter((line) => !line.startsWith('GET'));

describe('an application that takes parsed mail', () => {
  it('gets the JSON, then each part whole, and the message last', async () => {
    const app = await receiver();
    const { parsed } = notes();
    expect((await send(app.url, { parsed })).code).toBe(250);
    expect(app.complaints).toEqual([]);
    expect(app.received).toHaveLength(1);
    expect(app.received[0]?.parsed).toEqual(json);
    expect(app.received[0]?.blobs).toMatchObject({ '0': large, '1': Buffer.alloc(0) });
    expect(app.received[0]?.body.toString()).toBe(MESSAGE);
    expect(changes(app)).toEqual([
      'POST /senders/router/transactions',
      'POST /transactions/r1/message_builder',
      'PUT /transactions/r1/blob/0',
      'PUT /transactions/r1/blob/1',
      'PUT /transactions/r1/body',
    ]);
    const [builder] = app.asked.filter(isBuilder);
    expect(builder?.headers).toMatchObject({ 'content-type': 'application/json', 'if-match': '1' });
    expect(builder?.headers['request-timeout']).toMatch(/^1\d$/);
    expect((parsed.blobs.get('0') as ReturnType<typeof spooled>).held).toBe(0);
  });

  it('gets a message without parts as JSON and body', async () => {
    const app = await receiver();
    const parsed = { json: { parts: { headers: [], content_type: 'text/plain', content: { inline: 'x' } } } };
    expect((await send(app.url, { parsed: { ...parsed, blobs: new Map() } })).code).toBe(250);
    expect(app.received[0]?.blobs).toEqual({ inline0: Buffer.from('x') });
  });

  it('may name the places as relative URIs', async () => {
    const app = await receiver({ uri: (_, path) => path });
    expect((await send(app.url, notes())).code).toBe(250);
    expect([app.received.length, app.complaints]).toEqual([1, []]);
  });

  it('may name another host later: a place is where it was named first', async () => {
    const named = new Set<string>();
    const uri = (base: string, path: string): string => {
      const isFirst = !named.has(path);
      named.add(path);
      return isFirst ? `${base}${path}` : `http://elsewhere.invalid${path}`;
    };
    const app = await receiver({ uri });
    expect((await send(app.url, notes())).code).toBe(250);
    expect([app.received.length, app.complaints]).toEqual([1, []]);
  });

  it('may redirect every request', async () => {
    let target = '';
    const old = await startFakeUpstream(({ path }) => ({ status: 308, headers: { location: `${target}${path}` } }));
    const app = await receiver({ uri: (_, path) => `${old.url}${path}` });
    target = app.url;
    expect((await send(old.url, notes())).code).toBe(250);
    expect([app.received.length, app.complaints]).toEqual([1, []]);
    expect(old.asked.filter(isPart)).toHaveLength(2);
  });

  it('may lose a race or an answer: the client looks what is there and goes on', async () => {
    for (const options of [
      once(isBuilder, () => ({ status: 412 })),
      once(isBuilder, unheard),
      once(isPart, unheard),
      once(isPart, () => ({ status: 503 })),
    ]) {
      const app = await receiver(options);
      expect((await send(app.url, notes())).code).toBe(250);
      expect(app.received).toHaveLength(1);
      expect(app.received[0]?.parsed).toEqual(json);
    }
  });
});

describe('an application that does not take what was parsed', () => {
  const poison = { parts: { headers: [], content_type: 'text/plain', content: { inline: '' } } };

  it.each([
    ['refuses the JSON', {}, { json: poison, blobs: new Map() }],
    ['names a place for the JSON that takes none', { instead: always(isBuilder, 405) }, notes().parsed],
    ['says nothing of where parts go', { instead: once(isBuilder, withoutParts).instead }, notes().parsed],
    ['refuses a part', { instead: always(isPart, 400) }, notes().parsed],
    ['finds a part too large', { instead: always(isPart, 413) }, notes().parsed],
  ])('because it %s gets the message in a new transaction without it', async (_, options, parsed) => {
    const app = await receiver(options);
    const filterOutput = { [SPF]: { result: 1 }, [VALIDATION]: { status: 3 } };
    const ask = { filterOutput: { [SPF]: { result: 1 } } };
    expect(await send(app.url, { parsed, filterOutput }, ask)).toMatchObject({ code: 250, text: 'received' });
    expect(app.received).toHaveLength(1);
    expect(app.received[0]).toMatchObject({ parsed: undefined, filterOutput, blobs: {} });
    expect(app.received[0]?.body.toString()).toBe(MESSAGE);
    expect(changes(app).filter((line) => line.endsWith('/cancel'))).toEqual(['POST /transactions/r1/cancel']);
    expect(changes(app).slice(-2)).toEqual(['POST /senders/router/transactions', 'PUT /transactions/r2/body']);
  });

  it('is asked again later when it says that it cannot now', async () => {
    for (const status of [404, 429, 500, 503]) {
      const app = await receiver({ instead: always(isBuilder, status) });
      const response = await send(app.url, notes());
      expect(response).toEqual({ code: 450, enhanced: '4.3.0', text: `upstream parsed message: http error ${status}` });
      expect(app.received).toEqual([]);
      await expect.poll(() => app.lines().at(-1)).toBe('POST /transactions/r1/cancel');
      expect(app.asked.filter(isBuilder)).toHaveLength(1);
    }
  });

  it('may refuse the new transaction, for good or for now', async () => {
    for (const [code, answer] of [
      [550, 503],
      [451, 450],
    ] as const) {
      let creates = 0;
      const app = await receiver({
        instead: (asked, real) => {
          if (!asked.path.endsWith('/transactions')) return undefined;
          creates += 1;
          const answer = real();
          return { ...answer, json: { ...(answer.json as object), ...(creates > 1 && { mail_response: { code } }) } };
        },
      });
      expect((await send(app.url, { parsed: { json: poison, blobs: new Map() } })).code).toBe(answer);
      expect(app.received).toEqual([]);
      await expect.poll(() => app.lines().at(-1)).toBe('POST /transactions/r2/cancel');
    }
  });

  it('gets the message alone when it has no place for JSON', async () => {
    const state = newUpstreamState();
    const fake = await startFakeUpstream((asked) => behave(state, asked));
    expect((await send(fake.url, notes())).code).toBe(250);
    expect(state.stored.toString()).toBe(MESSAGE);
    expect(fake.asked.filter(({ path }) => /blob|builder/.test(path))).toEqual([]);
  });
});

describe('what filters find out at DATA', () => {
  const told = { filterOutput: { [SPF]: { result: 1 } } };
  const known = { filterOutput: { [SPF]: { result: 1 }, [VALIDATION]: { status: 3 } } };

  it('is sent before the message and anything about it, without what was said at the start', async () => {
    const app = await receiver();
    expect((await send(app.url, { ...notes(), ...known }, told)).code).toBe(250);
    expect(app.complaints).toEqual([]);
    expect(app.received[0]).toMatchObject({ ...known, parsed: json });
    const [update] = app.asked.filter(isUpdate);
    expect(update?.json).toEqual({ filter_output: { [VALIDATION]: { status: 3 } } });
    expect(update?.headers).toMatchObject({ 'content-type': 'application/json', 'if-match': '1' });
    expect(changes(app)[1]).toBe('PATCH /transactions/r1');
  });

  it('is sent again when it has changed since, and not at all when it has not', async () => {
    const app = await receiver();
    await send(app.url, { filterOutput: { [SPF]: { result: 2 } } }, told);
    await send(app.url, told, told);
    expect(app.asked.filter(isUpdate).map((asked) => asked.json)).toEqual([
      { filter_output: { [SPF]: { result: 2 } } },
    ]);
    expect(app.received).toHaveLength(2);
  });

  it('is left out by who refuses it: the message arrives', async () => {
    for (const [status, tries] of [
      [400, 1],
      [404, 1],
      [412, 5],
      [500, 5],
    ] as const) {
      const app = await receiver({ instead: always(isUpdate, status) });
      expect((await send(app.url, { ...notes(), ...known }, told)).code).toBe(250);
      expect(app.received[0]).toMatchObject({ ...told, parsed: json });
      expect(app.asked.filter(isUpdate)).toHaveLength(tries);
    }
  });

  it('is said again after a lost race or a lost answer', async () => {
    for (const options of [once(isUpdate, () => ({ status: 412 })), once(isUpdate, unheard)]) {
      const app = await receiver(options);
      expect((await send(app.url, known, told)).code).toBe(250);
      expect(app.received[0]).toMatchObject(known);
    }
  });
});

function withoutParts(_: Asked, real: () => Answered): Answered {
  const { status, headers = {}, json: shown } = real();
  return { status, headers, json: { ...(shown as object), body: { message_builder: { blob_status: {} } } } };
}
