import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Body } from '../../src/lib/core/body.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { RedirectProblem, type UploadAsk } from '../../src/lib/http/service.ts';
import { MemoryService } from '../helpers/memory-service.ts';
import { testCertificate } from '../smtp/client/certificate.ts';
import { openExchange } from './client-hop.ts';
import { newGate } from './gate.ts';
import { startRestServer } from './rest-server.ts';

const MEBIBYTE = 1024 * 1024;
const SIZE = 25 * MEBIBYTE;
const PIECE = 64 * 1024;
const FROM = mailbox('ann@far.test', [{ keyword: 'SIZE', value: String(SIZE) }]);
const KIM = mailbox('kim@dest.test');
const ZED = mailbox('zed@dest.test');

/** A large body that exists only piece by piece, and says how much of it was read. */
function largeBody(onRead: (size: number) => void = () => undefined): Body {
  return {
    size: SIZE,
    async *chunks() {
      for (let i = 0; i < SIZE / PIECE; i += 1) {
        onRead(PIECE);
        yield Buffer.alloc(PIECE, i % 251);
      }
    },
    retain: () => () => undefined,
  };
}

async function digest(body: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk);
  return hash.digest('hex');
}

describe('our client with our server', () => {
  it('hands an envelope and a message through, with the replies of the far end word for word', async () => {
    const rcpt = (to: { address: string }): Response =>
      to.address.startsWith('zed')
        ? { code: 550, enhanced: '5.1.1', text: 'no such user\nask somebody' }
        : reply(250, '2.1.5', 'ok');
    const received = newGate();
    let text = '';
    const { url, service } = await startRestServer({
      rcpt,
      data: async (bytes) => {
        text = bytes.toString();
        received.open();
        return reply(250, '2.6.0', 'queued as 9F2');
      },
    });
    const origin = { remoteHost: { host: '198.51.100.7', port: 40_022 }, localHost: { host: '::1', port: 25 } };
    const exchange = openExchange(url, { ask: { createAt: 'mail', tag: 'mx', ...origin } });
    const replies = await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM), exchange.rcpt(ZED)]);
    expect(replies[0]).toEqual(reply(250, '2.0.0', 'ok'));
    expect(replies[1]).toEqual(reply(250, '2.1.5', 'ok'));
    expect(replies[2]).toEqual({ code: 550, enhanced: '5.1.1', text: 'no such user\nask somebody' });
    expect(await exchange.data(memoryBody(Buffer.from('hello')))).toEqual(reply(250, '2.6.0', 'queued as 9F2'));
    await exchange.close();
    await received.opened;
    expect(text).toBe('hello');
    expect(service.latest.ask).toMatchObject({ ...origin, tag: 'mx', mailFrom: FROM });
    expect(service.latest.live.state).toMatchObject({ cancelled: false, rcptTo: [KIM, ZED] });
  });

  it('hands through who gave a reply and who reports a success, beside the JSON', async () => {
    const source = { mta: 'mx.dest.test', handover: 'relayed' } as const;
    const { url } = await startRestServer({
      rcpt: () => ({ ...reply(250, '2.1.5', 'ok'), source: { mta: 'mx.dest.test' } }),
      data: async () => ({ ...reply(250, '2.6.0', 'queued'), source }),
    });
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    await exchange.mail(FROM);
    expect((await exchange.rcpt(KIM)).source).toEqual({ mta: 'mx.dest.test' });
    expect((await exchange.data(memoryBody(Buffer.from('hello')))).source).toEqual(source);
    await exchange.close();
  });

  it('waits for a slow far end, phase by phase', async () => {
    const gates = { mail: newGate(), rcpt: newGate(), data: newGate() };
    const slowly = (gate: keyof typeof gates) => () => gates[gate].opened.then(() => reply(250, '2.0.0', gate));
    const { url } = await startRestServer({
      incremental: false,
      mail: slowly('mail'),
      rcpt: slowly('rcpt'),
      data: slowly('data'),
    });
    const exchange = openExchange(url);
    const mail = exchange.mail(FROM);
    const rcpt = exchange.rcpt(KIM);
    gates.mail.open();
    expect((await mail).text).toBe('mail');
    gates.rcpt.open();
    expect((await rcpt).text).toBe('rcpt');
    const data = exchange.data(memoryBody(Buffer.from('hello')));
    gates.data.open();
    expect((await data).text).toBe('data');
  });

  it('cancels what it does not finish', async () => {
    const { url, service } = await startRestServer();
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    await exchange.mail(FROM);
    await exchange.close();
    await service.latest.live.until((state) => state.cancelled);
  });

  it('delivers an empty message', async () => {
    const { url, service } = await startRestServer();
    const exchange = openExchange(url);
    await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    expect((await exchange.data(memoryBody(Buffer.alloc(0)))).code).toBe(250);
    expect(service.latest.live.state.body?.size).toBe(0);
  });

  it.each([
    ['in one stream', {}, 8 * MEBIBYTE],
    ['in ranges of a mebibyte', { chunkSize: MEBIBYTE }, 4 * MEBIBYTE],
  ])('carries 25 MiB %s, holding only a little of it', async (_, hop, aheadMax) => {
    const hash = createHash('sha256');
    let ahead = 0;
    let farthest = 0;
    class Counting extends MemoryService {
      override upload(id: string, blob: string | undefined, ask: UploadAsk) {
        const bytes = (async function* () {
          for await (const chunk of ask.bytes) {
            ahead -= chunk.length;
            hash.update(chunk);
            yield chunk;
          }
        })();
        return super.upload(id, blob, { ...ask, bytes });
      }
    }
    const service = new Counting({ countOnly: true });
    const { url } = await startRestServer({}, { service });
    const exchange = openExchange(url, { hop });
    await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    const body = largeBody((size) => {
      ahead += size;
      farthest = Math.max(farthest, ahead);
    });
    expect((await exchange.data(body)).code).toBe(250);
    expect(farthest).toBeLessThan(aheadMax);
    expect(hash.digest('hex')).toBe(await digest(largeBody().chunks()));
    expect(service.latest.blobs.get('')?.length).toBe(SIZE);
  });

  it('follows a redirect to another replica in the middle of everything', async () => {
    const owner = await startRestServer({ countOnly: true });
    class Elsewhere extends MemoryService {
      override create() {
        return Promise.reject(new RedirectProblem(owner.url));
      }
    }
    const { url } = await startRestServer({}, { service: new Elsewhere() });
    const exchange = openExchange(url);
    await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    expect((await exchange.data(largeBody())).code).toBe(250);
    expect(owner.service.latest.blobs.get('')?.length).toBe(SIZE);
  });

  it('sends a message again to where a redirect of its upload points', async () => {
    let owner = '';
    class Moved extends MemoryService {
      override upload() {
        return Promise.reject(new RedirectProblem(owner));
      }
    }
    const holder = new MemoryService({ countOnly: true });
    const moved = new Moved({ countOnly: true });
    const first = await startRestServer({}, { service: moved });
    owner = (await startRestServer({}, { service: holder })).url;
    // Both replicas see the same transactions.
    Object.defineProperty(holder, 'transactions', { value: moved.transactions });
    const exchange = openExchange(first.url);
    await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    expect((await exchange.data(largeBody())).code).toBe(250);
    expect(moved.latest.blobs.get('')?.length).toBe(SIZE);
  });

  it('answers 552 when the next hop takes no message of that size', async () => {
    const { url } = await startRestServer({}, { bodyLimits: { blobBytes: 1000 } });
    const exchange = openExchange(url);
    await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    expect(await exchange.data(memoryBody(Buffer.alloc(1001)))).toMatchObject({ code: 552, enhanced: '5.3.4' });
  });

  it('speaks TLS, and only with a server whose certificate it can verify', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'koukan-http-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
    writeFileSync(tls.cert, testCertificate.cert);
    writeFileSync(tls.key, testCertificate.key);
    const { url } = await startRestServer({}, { tls });
    const codesWith = async (verify: boolean | string): Promise<number[]> => {
      const exchange = openExchange(url, { hop: { verify } });
      const replies = await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
      return replies.map((r) => r.code);
    };
    expect(await codesWith(tls.cert)).toEqual([250, 250]);
    expect(await codesWith(false)).toEqual([250, 250]);
    expect(await codesWith(true)).toEqual([450, 450]);
    expect(() => openExchange(url, { hop: { verify: join(directory, 'none') } })).toThrow(/cannot read the CA file/);
  });

  it('does not lose a wait that begins while the last one ends', async () => {
    const { url } = await startRestServer({ mail: async () => reply(250, '2.1.0', 'ok') });
    for (let ticks = 0; ticks < 20; ticks += 1) {
      const exchange = openExchange(url, { ask: { createAt: 'mail' } });
      await exchange.mail(FROM);
      for (let i = 0; i < ticks; i += 1) await Promise.resolve();
      expect((await exchange.rcpt(KIM)).code).toBe(250);
    }
  });

  it('runs many exchanges at once', async () => {
    const { url, service } = await startRestServer();
    const exchanges = Array.from({ length: 50 }, () => openExchange(url, { ask: { createAt: 'mail' } }));
    const codes = await Promise.all(
      exchanges.map(async (exchange) => {
        const replies = await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM), exchange.rcpt(ZED)]);
        const data = await exchange.data(memoryBody(Buffer.from('hello')));
        await exchange.close();
        return [...replies, data].map((r) => r.code);
      }),
    );
    expect(new Set(codes.flat())).toEqual(new Set([250]));
    expect(service.transactions.size).toBe(50);
    for (const { live } of service.transactions.values()) expect(live.state.rcptTo).toEqual([KIM, ZED]);
  });
});
