/** A message in memory, and what becomes of that memory: it is used again only when certainly nobody can see it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Body, bodyBytes, prefixedBody } from '../../src/lib/core/body.ts';
import { Slabs } from '../../src/lib/spool/slabs.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import type { SpoolWriter } from '../../src/lib/spool/spool-writer.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

const POISON = 0xdb;
let givenBack: number;
let slabs: Slabs;
let spool: Spool;

beforeEach(() => {
  givenBack = 0;
  slabs = new Slabs({
    onGivenBack: (slab) => {
      slab.fill(POISON);
      givenBack += 1;
    },
  });
  spool = new Spool('unused', fakeDeps(), undefined, slabs);
});

async function held(bytes: Buffer): Promise<{ readonly body: Body; readonly writer: SpoolWriter }> {
  const writer = spool.writer({ maxBytes: bytes.length });
  await writer.append(bytes);
  return { writer, body: await writer.finish(true) };
}

const lent = (body: Body) => body.lend?.() ?? expect.fail('what lies in memory can be lent');
const joined = (pieces: readonly Buffer[]): string => Buffer.concat(pieces).toString();

describe('the memory of a message', () => {
  it.each([10, 4096, 70_000, 300_000])('of %d bytes is given back when it was only ever lent', async (size) => {
    const text = 'x'.repeat(size);
    const { body, writer } = await held(Buffer.from(text));
    const loan = lent(body);
    expect(joined(loan.pieces)).toBe(text);
    loan.giveBack();
    expect(givenBack).toBe(0);
    writer.discard();
    expect(givenBack).toBe(Math.ceil(size / Slabs.largestBytes));
    expect(slabs.idleBytes).toBeGreaterThanOrEqual(size);
  });

  it('stays as long as it is lent, also when nobody holds the message any more', async () => {
    const { body, writer } = await held(Buffer.from('still needed'));
    const [first, second] = [lent(body), lent(body)];
    writer.discard();
    first.giveBack();
    expect(givenBack).toBe(0);
    expect(joined(second.pieces)).toBe('still needed');
    second.giveBack();
    expect(givenBack).toBe(1);
    expect(joined(second.pieces)).not.toBe('still needed');
  });

  it('stays as long as somebody holds the message', async () => {
    const { body, writer } = await held(Buffer.from('kept'));
    const release = body.retain();
    writer.discard();
    lent(body).giveBack();
    expect(givenBack).toBe(0);
    release();
    expect(givenBack).toBe(1);
  });

  const readers: readonly (readonly [string, (body: Body) => Buffer | Promise<Buffer>])[] = [
    ['as one buffer', (body) => body.inMemory ?? expect.fail('it is one')],
    ['in pieces', (body) => body.inPieces?.[0] ?? expect.fail('there is one')],
    ['in chunks', (body) => firstOf(body.chunks())],
    ['from a byte on', (body) => firstOf(body.chunksFrom?.(0) ?? expect.fail('it can be'))],
  ];

  it.each(readers)('is not used again when it was read %s: nobody knows who still looks at it', async (_, read) => {
    const { body, writer } = await held(Buffer.from('seen'));
    const seen = await read(body);
    writer.discard();
    expect(givenBack).toBe(0);
    expect(seen.toString()).toBe('seen');
    expect((await bodyBytes(body)).toString()).toBe('seen');
  });

  it('cannot be read, or lent, once it may hold another message', async () => {
    const { body, writer } = await held(Buffer.from('gone'));
    writer.discard();
    expect(() => body.inMemory).toThrow(/holds it/);
    expect(() => body.chunks()).toThrow(/holds it/);
    expect(() => body.lend?.()).toThrow(/holds it/);
  });

  it('is lent through a header that was put before it, and not seen when the two are copied together', async () => {
    const { body, writer } = await held(Buffer.from('text'));
    const traced = prefixedBody(Buffer.from('Trace: x\r\n'), body);
    const loan = lent(traced);
    expect(joined(loan.pieces)).toBe('Trace: x\r\ntext');
    loan.giveBack();
    const copy = traced.inMemory;
    writer.discard();
    expect(givenBack).toBe(1);
    expect(copy?.toString()).toBe('Trace: x\r\ntext');
  });

  it('holds the next message, and that one alone', async () => {
    const first = await held(Buffer.alloc(5000, 'a'));
    first.writer.discard();
    const second = await held(Buffer.alloc(4500, 'b'));
    expect(slabs.idleBytes).toBe(0);
    expect((await bodyBytes(second.body)).equals(Buffer.alloc(4500, 'b'))).toBe(true);
  });

  it('of a message that did not come to its end is given back', async () => {
    const writer = spool.writer({ maxBytes: 100_000 });
    await writer.append(Buffer.alloc(70_000));
    writer.discard();
    expect(givenBack).toBe(2);
  });

  it('is kept for later only up to a bound', () => {
    const few = new Slabs({ idleBytes: 10_000 });
    const taken = Array.from({ length: 4 }, () => few.take(4096));
    for (const slab of taken) few.give(slab);
    expect(few.idleBytes).toBe(8192);
  });
});

async function firstOf(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  for await (const chunk of chunks) return chunk;
  return expect.fail('there is one');
}
