/** The end of a large message leaves only under a certain lease. */
import { describe, expect, it } from 'vitest';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { LeaseLostError } from '../../src/lib/core/errors.ts';
import { leasedBody } from '../../src/lib/router/leased-body.ts';

const pieces = (...texts: readonly string[]): Body => ({
  size: texts.join('').length,
  async *chunks() {
    for (const text of texts) yield Buffer.from(text);
  },
  retain: () => () => undefined,
});

async function read(body: Body): Promise<{ readonly text: string; readonly error: unknown }> {
  let text = '';
  try {
    for await (const chunk of body.chunks()) text += chunk.toString();
  } catch (error) {
    return { text, error };
  }
  return { text, error: undefined };
}

describe('a body that is sent under a lease', () => {
  it('is the same, for as many readers as there are, while the lease is certain', async () => {
    const body = leasedBody(
      pieces('a', 'bc', 'd'),
      () => Promise.resolve(true),
      () => expect.fail('nobody doubts'),
    );
    expect(body.size).toBe(4);
    expect(await read(body)).toEqual({ text: 'abcd', error: undefined });
    expect(await read(body)).toEqual({ text: 'abcd', error: undefined });
    expect(
      (
        await read(
          leasedBody(
            pieces(),
            () => Promise.resolve(false),
            () => undefined,
          ),
        )
      ).error,
    ).toBeUndefined();
  });

  it('keeps back its last piece when the lease is in doubt, and says so', async () => {
    let isCertain = true;
    let doubts = 0;
    const body = leasedBody(
      pieces('a', 'bc', 'd'),
      () => Promise.resolve(isCertain),
      () => {
        doubts += 1;
      },
    );
    isCertain = false;
    const { text, error } = await read(body);
    expect(text).toBe('abc');
    expect(error).toBeInstanceOf(LeaseLostError);
    expect(doubts).toBe(1);
  });

  it('is read from any byte on where the body can be, and keeps back the last piece of that too', async () => {
    const whole = pieces('a', 'bc', 'd');
    const seekable: Body = { ...whole, chunksFrom: (offset) => pieces(...'abcd'.slice(offset)).chunks() };
    const doubt = () => undefined;
    const certain = leasedBody(seekable, () => Promise.resolve(true), doubt);
    expect(await read({ ...certain, chunks: () => certain.chunksFrom?.(1) ?? whole.chunks() })).toEqual({
      text: 'bcd',
    });
    const doubtful = leasedBody(seekable, () => Promise.resolve(false), doubt);
    const { text, error } = await read({ ...doubtful, chunks: () => doubtful.chunksFrom?.(1) ?? whole.chunks() });
    expect([text, error]).toEqual(['bc', expect.any(LeaseLostError)]);
    expect(leasedBody(whole, () => Promise.resolve(true), doubt).chunksFrom).toBeUndefined();
  });

  it('is never in memory: even a small message has to be read by whoever sends it', async () => {
    const body = leasedBody(
      memoryBody(Buffer.from('small')),
      () => Promise.resolve(false),
      () => undefined,
    );
    expect(body.inMemory).toBeUndefined();
    expect(body.size).toBe(5);
    expect(await read(body)).toMatchObject({ text: '', error: expect.any(LeaseLostError) });
  });
});
