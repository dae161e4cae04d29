import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { Response } from '../../src/lib/core/response.ts';
import { BodyReader } from '../../src/lib/http/body-reader.ts';
import { openExchange } from './client-hop.ts';
import {
  type Asked,
  behave,
  newUpstreamState,
  type Script,
  startFakeUpstream,
  type UpstreamState,
} from './fake-upstream.ts';

const TEXT = 'abcdefghijklmnopqrstuvwxyz';

/** A body that is not in memory and comes in odd pieces. */
function spooledBody(bytes: Buffer, pieceBytes = 7): Body {
  return {
    size: bytes.length,
    async *chunks() {
      for (let i = 0; i < bytes.length; i += pieceBytes) yield bytes.subarray(i, i + pieceBytes);
    },
    retain: () => () => undefined,
  };
}

/** Sends the alphabet in ranges of ten bytes to an upstream that answers PUTs as the script says. */
async function sendAlphabet(script: (asked: Asked, state: UpstreamState) => ReturnType<Script> | undefined) {
  const state = newUpstreamState();
  const fake = await startFakeUpstream((asked) => script(asked, state) ?? behave(state, asked));
  const exchange = openExchange(fake.url, { hop: { chunkSize: 10 } });
  await Promise.all([exchange.mail(mailbox('ann@far.test')), exchange.rcpt(mailbox('kim@dest.test'))]);
  const response: Response = await exchange.data(spooledBody(Buffer.from(TEXT)));
  await exchange.close();
  const puts = fake.asked.filter(({ method }) => method === 'PUT');
  return { response, state, puts, ranges: puts.map(({ headers }) => headers['content-range']) };
}

describe('uploading to an upstream', () => {
  it.each([
    ['in ranges', 10],
    ['whole', 100],
  ])('is answered 451 when the message cannot be read, %s', async (_, chunkSize) => {
    const state = newUpstreamState();
    const fake = await startFakeUpstream((asked) => behave(state, asked));
    const exchange = openExchange(fake.url, { hop: { chunkSize } });
    await Promise.all([exchange.mail(mailbox('ann@far.test')), exchange.rcpt(mailbox('kim@dest.test'))]);
    const broken: Body = {
      size: TEXT.length,
      async *chunks() {
        yield Buffer.from(TEXT.slice(0, 15));
        throw new Error('the store is away');
      },
      retain: () => () => undefined,
    };
    expect(await exchange.data(broken)).toEqual({
      code: 451,
      enhanced: '4.3.0',
      text: 'the message could not be read',
    });
    await exchange.close();
    expect(state.stored.length).toBeLessThan(TEXT.length);
  });

  it('sends a large message in ranges, the last with the total', async () => {
    const { response, state, ranges } = await sendAlphabet(() => undefined);
    expect(response.code).toBe(250);
    expect(state.stored.toString()).toBe(TEXT);
    expect(ranges).toEqual(['bytes 0-9/*', 'bytes 10-19/*', 'bytes 20-25/26']);
  });

  it('resumes where a 416 says', async () => {
    let isFirst = true;
    const { response, state, ranges } = await sendAlphabet(({ method, headers }) => {
      if (method !== 'PUT' || headers['content-range'] !== 'bytes 10-19/*' || !isFirst) return undefined;
      isFirst = false;
      return { status: 416, headers: { 'content-range': 'bytes 0-9/*' } };
    });
    expect(response.code).toBe(250);
    expect(state.stored.toString()).toBe(TEXT);
    expect(ranges).toEqual(['bytes 0-9/*', 'bytes 10-19/*', 'bytes 10-19/*', 'bytes 20-25/26']);
  });

  it('goes back, and begins anew, when the upstream has lost bytes', async () => {
    let losses = 1;
    const { response, state } = await sendAlphabet(({ method, headers }, upstream) => {
      if (method !== 'PUT' || headers['content-range'] !== 'bytes 10-19/*' || losses === 0) return undefined;
      losses -= 1;
      upstream.stored = Buffer.alloc(0);
      return { status: 416, headers: { 'content-range': 'bytes */0' } };
    });
    expect(response.code).toBe(250);
    expect(state.stored.toString()).toBe(TEXT);
  });

  it('gives up on a 416 that never ends, without a doubt: the upstream never had the end of the message', async () => {
    const { response, puts } = await sendAlphabet(({ method, headers }) =>
      method === 'PUT' && headers['content-range']?.startsWith('bytes 10') === true
        ? { status: 416, headers: { 'content-range': 'bytes 0-9/*' } }
        : undefined,
    );
    expect(response).toEqual({ code: 450, enhanced: '4.4.1', text: 'upstream blob upload error' });
    expect(puts.length).toBeLessThanOrEqual(limits.uploadResyncs + 3);
  });

  it('is in doubt once nobody has answered the end of the message, whatever is said afterwards', async () => {
    let isFirst = true;
    const { response } = await sendAlphabet(({ method, headers }) => {
      if (method !== 'PUT' || headers['content-range'] === 'bytes 0-9/*') return undefined;
      if (headers['content-range'] === 'bytes 10-19/*') return undefined;
      if (!isFirst) return { status: 403 };
      isFirst = false;
      return 'hangup';
    });
    expect(response).toMatchObject({ code: 450, text: 'upstream blob upload error 403', inDoubt: true });
  });

  it('repeats a range whose answer was lost, and finds out that it had arrived', async () => {
    let isFirst = true;
    const { response, state } = await sendAlphabet((asked, upstream) => {
      if (asked.method !== 'PUT' || asked.headers['content-range'] !== 'bytes 20-25/26' || !isFirst) return undefined;
      isFirst = false;
      behave(upstream, asked);
      return 'hangup';
    });
    expect(response.code).toBe(250);
    expect(state.stored.toString()).toBe(TEXT);
  });

  it('declares the length when everything is stored but open', async () => {
    const { response, puts } = await sendAlphabet(({ method, headers }, upstream) => {
      if (method !== 'PUT') return undefined;
      if (headers['x-finalize-blob-length'] === '26') {
        upstream.json.data_response = { code: 250, message: 'ok' };
        return { status: 200, headers: { 'content-range': 'bytes 0-25/26' }, json: {} };
      }
      return { status: 416, headers: { 'content-range': 'bytes 0-25/*' } };
    });
    expect(response.code).toBe(250);
    expect(puts.map(({ body }) => body.length)).toEqual([10, 0]);
  });

  it('sends one stream with a Content-Length when ranges are refused', async () => {
    const { response, puts } = await sendAlphabet(({ method, headers }) =>
      method === 'PUT' && headers['content-range'] !== undefined ? { status: 400 } : undefined,
    );
    expect(response.code).toBe(250);
    expect(puts).toHaveLength(2);
    expect(puts[1]?.headers['content-length']).toBe('26');
    expect(puts[1]?.body.toString()).toBe(TEXT);
  });

  it('answers what the upstream has said when it refuses the upload', async () => {
    const { response } = await sendAlphabet(({ method }, upstream) => {
      if (method !== 'PUT') return undefined;
      upstream.json.data_response = { code: 554, message: '5.7.1 no' };
      return { status: 409 };
    });
    expect(response).toEqual({ code: 554, enhanced: '5.7.1', text: 'no' });
  });
});

describe('an application that receives mail', () => {
  it.each([
    ['finalized: false', { blob_status: { uri: '/transactions/1/body', finalized: false } }],
    ['a message_builder.uri', { blob_status: { uri: '/transactions/1/body' }, message_builder: { uri: '/x' } }],
  ])(
    'known by %s, gets a large message as one stream, and its reply is read though the ETag never moves',
    async (_, body) => {
      const { response, puts } = await sendAlphabet(({ method, path }, { json }) => {
        if (method === 'PUT') {
          json.data_response = { code: 250, message: 'ok' };
          return { status: 200, json: {} };
        }
        if (path.endsWith('/cancel')) return undefined;
        return {
          status: method === 'POST' ? 201 : 200,
          headers: { location: '/transactions/1', etag: '1' },
          json: {
            mail_from: {},
            rcpt_to: [{}],
            mail_response: { code: 250, message: 'ok' },
            rcpt_response: [{ code: 250, message: 'ok' }],
            body,
            ...json,
          },
        };
      });
      expect(response.code).toBe(250);
      expect(puts).toHaveLength(1);
      expect(puts[0]?.headers['content-range']).toBeUndefined();
      expect(puts[0]?.headers['content-length']).toBe('26');
      expect(puts[0]?.body.toString()).toBe(TEXT);
    },
  );
});

describe('reading slices of a body', () => {
  it('yields what is there, wherever one begins and in whatever order', async () => {
    const bytes = Buffer.from(TEXT);
    const reads = fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(reads, fc.integer({ min: 1, max: 9 }), fc.boolean(), async (slices, piece, isInMemory) => {
        const reader = new BodyReader(isInMemory ? memoryBody(bytes) : spooledBody(bytes, piece));
        for (const [offset, length] of slices) {
          const got = await reader.read(offset, length);
          expect(got.toString()).toBe(TEXT.slice(offset, offset + length));
        }
        await reader.close();
      }),
    );
  });
});
