/** The end of a large message leaves only under a certain lease. */
import { describe, expect, it } from 'vitest';
import { type Body, bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { LeaseLostError } from '../../src/lib/core/errors.ts';
import { leasedBody } from '../../src/lib/router/leased-body.ts';

const pieces = (...texts: readonly string[]): Body => ({
  size: texts.join('').length,
  async *chunks() {
    for (const text of texts) yield Buffer.from(text);
  },
  retain: () => () => undefined,
});

function readFrom(body: Body, offset: number) {
  const chunks = (): AsyncIterable<Buffer> => body.chunksFrom?.(offset) ?? expect.fail('it is read from any byte on');
  return read({ size: body.size, retain: () => () => undefined, chunks });
}

async function read(body: Body): Promise<{ readonly text: string; readonly error: unknown }> {
  let text = '';
  try {
    for await (const chunk of body.chunks()) text += chunk.toString();
  } catch (error) {
    return { text, error };
  }
  return { text, error: undefined };
}

/** A lease that is certain, or not, at once or after a question. */
const lease = (isCertain: () => boolean | Promise<boolean>, keptBack: () => void = () => undefined) => ({
  mayEnd: isCertain,
  keptBack,
});

describe('a body that is sent under a lease', () => {
  it('is the same, for as many readers as there are, while the lease is certain', async () => {
    const body = leasedBody(
      pieces('a', 'bc', 'd'),
      lease(
        () => true,
        () => expect.fail('nobody doubts'),
      ),
    );
    expect(body.size).toBe(4);
    expect(await read(body)).toEqual({ text: 'abcd', error: undefined });
    expect(await read(body)).toEqual({ text: 'abcd', error: undefined });
    expect(
      (
        await read(
          leasedBody(
            pieces(),
            lease(() => false),
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
      lease(
        () => Promise.resolve(isCertain),
        () => {
          doubts += 1;
        },
      ),
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
    const certain = leasedBody(
      seekable,
      lease(() => true),
    );
    expect(await readFrom(certain, 1)).toEqual({ text: 'bcd' });
    const doubtful = leasedBody(
      seekable,
      lease(() => Promise.resolve(false)),
    );
    const { text, error } = await readFrom(doubtful, 1);
    expect([text, error]).toEqual(['bc', expect.any(LeaseLostError)]);
    expect(
      leasedBody(
        whole,
        lease(() => true),
      ).chunksFrom,
    ).toBeUndefined();
  });

  it('is never in memory: even a small message has to be read by whoever sends it, who is given it when the lease is certain', async () => {
    const small = memoryBody(Buffer.from('small'));
    for (const refused of [
      leasedBody(
        small,
        lease(() => false),
      ),
      leasedBody(
        small,
        lease(async () => false),
      ),
    ]) {
      expect(refused.inMemory).toBeUndefined();
      expect(refused.size).toBe(5);
      expect(await read(refused)).toMatchObject({ text: '', error: expect.any(LeaseLostError) });
      await expect(bodyBytes(refused)).rejects.toBeInstanceOf(LeaseLostError);
    }
    for (const given of [
      leasedBody(
        small,
        lease(() => true),
      ),
      leasedBody(
        small,
        lease(async () => true),
      ),
    ]) {
      expect((await bodyBytes(given)).toString()).toBe('small');
      expect(await read(given)).toEqual({ text: 'small', error: undefined });
    }
  });
});
