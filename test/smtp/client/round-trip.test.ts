/** Client and sink back to back: what goes in comes out, and each of several recipients has its own answer in LMTP. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Body, bodyBytes, memoryBody } from '../../../src/lib/core/body.ts';
import { mailbox } from '../../../src/lib/core/mailbox.ts';
import { isOk, type Response } from '../../../src/lib/core/response.ts';
import { SmtpConnection } from '../../../src/lib/smtp/client/connection.ts';
import { openConnection } from '../../../src/lib/smtp/client/open-connection.ts';
import { type Sink, startSink } from '../../../src/lib/smtp/sink/sink.ts';
import { realClock } from '../../helpers/fake-deps.ts';

interface Pair {
  readonly sink: Sink;
  readonly connection: SmtpConnection;
}

async function pair(lmtp: boolean): Promise<Pair> {
  const sink = await startSink({ lmtp });
  const protocol = lmtp ? 'lmtp' : 'smtp';
  const profile = { name: 't', protocol, ehloHost: 'c.example', timeoutMs: 10_000, tls: 'off' } as const;
  const connection = await openConnection({ host: sink.host, port: sink.port, profile }, realClock);
  if (!(connection instanceof SmtpConnection)) throw new Error(connection.text);
  return { sink, connection };
}

let smtp: Pair;
let lmtp: Pair;
beforeAll(async () => {
  smtp = await pair(false);
  lmtp = await pair(true);
});
afterAll(async () => {
  for (const { sink, connection } of [smtp, lmtp]) {
    connection.destroy();
    await sink.close();
  }
});

async function send(
  { connection }: Pair,
  body: Body,
  rcpts: readonly string[],
  bdatChunkBytes?: number,
): Promise<readonly Response[]> {
  const answers = await Promise.all([
    connection.mail(mailbox('')),
    ...rcpts.map((rcpt) => connection.rcpt(mailbox(rcpt))),
  ]);
  const acceptedRcpts = answers.slice(1).filter(isOk).length;
  return connection.message({ body, acceptedRcpts, bdatChunkBytes });
}

/** The same bytes, in chunks that end where the numbers say. */
function cut(bytes: Buffer, ends: readonly number[]): Body {
  const stops = [...ends.map((end) => end % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return {
    size: bytes.length,
    async *chunks() {
      let start = 0;
      for (const end of stops) {
        yield bytes.subarray(start, end);
        start = end;
      }
    },
    retain: () => () => undefined,
  };
}

function withCrlf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n'), 'latin1');
}

/** What the documented normalisation makes of a message: every line end, however written, is CRLF, and the last line has one. */
function normalised(bytes: Buffer): Buffer {
  const lines = withCrlf(bytes).toString('latin1');
  return Buffer.from(lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`, 'latin1');
}

const piece = fc.oneof(
  fc.constantFrom('\r\n', '\r\n.\r\n', '\r\n..', '.', '\r', '\n', '\n.\n', '\r.\r', '\0', 'QUIT\r\n', ' '),
  fc.string({ maxLength: 5 }),
  fc.nat({ max: 3000 }).map((n) => 'x'.repeat(n)),
);
const message = fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.from(pieces.join(''), 'utf8'));
const cuts = fc.array(fc.nat({ max: 10_000 }), { maxLength: 5 });

describe.each([['smtp'], ['lmtp']])('a message over %s', (kind) => {
  const chosen = (): Pair => (kind === 'smtp' ? smtp : lmtp);

  it('arrives with nothing changed but its line ends by DATA', async () => {
    await fc.assert(
      fc.asyncProperty(message, cuts, fc.boolean(), async (bytes, ends, inMemory) => {
        const answers = await send(chosen(), inMemory ? memoryBody(bytes) : cut(bytes, ends), ['b@y.example']);
        expect(answers.map((r) => r.code)).toEqual([250]);
        expect(chosen().sink.messages.at(-1)?.body.equals(normalised(bytes))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('arrives with nothing changed but its line ends by BDAT, too', async () => {
    await fc.assert(
      fc.asyncProperty(message, cuts, fc.integer({ min: 1, max: 5000 }), async (bytes, ends, chunkBytes) => {
        const answers = await send(
          chosen(),
          cut(bytes, ends),
          ['b@y.example'],
          Math.max(chunkBytes, Math.ceil(bytes.length / 50)),
        );
        expect(answers.map((r) => r.code)).toEqual([250]);
        expect(chosen().sink.messages.at(-1)).toMatchObject({ bdat: true });
        expect(chosen().sink.messages.at(-1)?.body.equals(withCrlf(bytes))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('arrives whole when it is large', async () => {
    const line = Buffer.from(`.${'y'.repeat(70)}\r\n`);
    const bytes = Buffer.concat(Array.from({ length: 100_000 }, () => line));
    const body = cut(
      bytes,
      Array.from({ length: 110 }, (_, i) => i * 65_536),
    );
    expect(await send(chosen(), body, ['b@y.example'])).toMatchObject([{ code: 250 }]);
    expect((await bodyBytes(memoryBody(chosen().sink.messages.at(-1)?.body as Buffer))).equals(bytes)).toBe(true);
  });
});

describe('several recipients over LMTP', () => {
  it.each([[undefined], [7]])('each have their own answer (BDAT chunks: %s)', async (bdatChunkBytes) => {
    const rcpts = ['a@y.example', 'datatemp@y.example', 'rcptperm@y.example', 'dataperm@y.example', 'b@y.example'];
    const body = memoryBody(Buffer.from('Subject: x\r\n\r\n'));
    const answers = await send(lmtp, body, rcpts, bdatChunkBytes);
    expect(answers.map((r) => r.code)).toEqual([250, 450, 550, 250]);
    expect(lmtp.sink.messages.at(-1)?.rcptTo.map((to) => to.address)).toEqual(['a@y.example', 'b@y.example']);
  });
});
