/** The upload of a conversation's message: whole, in ranges, again, at the wrong place, too large, and too late. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Conversation } from '../../src/lib/conversation/conversation.ts';
import { viewOf } from '../../src/lib/conversation/conversation-table.ts';
import { bodyBytes } from '../../src/lib/core/body.ts';
import { must } from '../../src/lib/core/errors.ts';
import type { Response } from '../../src/lib/core/response.ts';
import { RangeProblem, type UploadAsk, type UploadProgress } from '../../src/lib/http/service.ts';
import {
  finalizeAt,
  MAX_BYTES,
  MEMORY_BYTES,
  range,
  SILENCE_MS,
  type TableHarness,
  tableHarness,
  whole,
} from '../helpers/conversation-table.ts';
import { settle } from '../helpers/fake-clock.ts';
import { deferred, never, permFail, recipient, sender } from '../helpers/fake-exchange.ts';

let harness: TableHarness;
beforeEach(async () => {
  harness = await tableHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

const LONG = 'the quick brown fox jumps over the lazy dog';

/** A conversation whose envelope is accepted and whose DATA is never answered, so that it stays open. */
function opened(): { conversation: Conversation; upload: (ask: UploadAsk) => Promise<UploadProgress> } {
  const { conversation } = harness.open({ data: never });
  conversation.live.apply({ type: 'mail', from: sender });
  conversation.live.apply({ type: 'rcpt', to: recipient });
  return { conversation, upload: (ask) => harness.table.upload(conversation, ask) };
}

async function message(conversation: Conversation): Promise<string> {
  const { body } = conversation.live.state;
  must(body !== undefined, 'the message is complete');
  return (await bodyBytes(body)).toString();
}

async function rangeProblem(upload: Promise<unknown>): Promise<UploadProgress> {
  const error = await upload.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RangeProblem);
  return (error as RangeProblem).progress;
}

describe('a message', () => {
  test.each([
    ['in memory', 'short'],
    ['in a file', LONG],
    ['without any bytes', ''],
  ])('comes whole, %s', async (_, text) => {
    const { conversation, upload } = opened();
    expect(await upload(whole(text))).toEqual({ length: text.length, total: text.length });
    expect(await message(conversation)).toBe(text);
    expect(viewOf(conversation).body).toEqual({ kind: 'plain', finalized: true });
  });

  test('comes in ranges, the last of which says the length', async () => {
    const { conversation, upload } = opened();
    expect(await upload(range(LONG.slice(0, 20), 0))).toEqual({ length: 20 });
    expect(viewOf(conversation).body).toEqual({ kind: 'plain', finalized: false });
    expect(await upload(range(LONG.slice(20), 20, LONG.length))).toEqual({ length: 43, total: 43 });
    expect(await message(conversation)).toBe(LONG);
  });

  test('comes in ranges, the first of which says the length', async () => {
    const { conversation, upload } = opened();
    expect(await upload(range(LONG.slice(0, 20), 0, 43))).toEqual({ length: 20, total: 43 });
    expect(viewOf(conversation).body).toEqual({ kind: 'plain', finalized: false });
    expect(await upload(range(LONG.slice(20), 20))).toEqual({ length: 43, total: 43 });
    expect(await message(conversation)).toBe(LONG);
  });

  test('is finished by saying its length', async () => {
    const { conversation, upload } = opened();
    await upload(range('hello', 0));
    expect(await upload(finalizeAt(5))).toEqual({ length: 5, total: 5 });
    expect(await message(conversation)).toBe('hello');
  });

  test('without any bytes is finished by saying so', async () => {
    const { conversation, upload } = opened();
    expect(await upload(finalizeAt(0))).toEqual({ length: 0, total: 0 });
    expect(await message(conversation)).toBe('');
  });
});

describe('a repeated upload', () => {
  test('of the whole message changes nothing', async () => {
    const { conversation, upload } = opened();
    await upload(whole(LONG));
    const { version } = conversation.live;
    expect(await upload(whole(LONG))).toEqual({ length: 43, total: 43 });
    expect(await upload(range(LONG.slice(3, 9), 3))).toEqual({ length: 43, total: 43 });
    expect(await upload(range(LONG.slice(30), 30, 43))).toEqual({ length: 43, total: 43 });
    expect(await upload(finalizeAt(43))).toEqual({ length: 43, total: 43 });
    expect(conversation.live.version).toBe(version);
  });

  test('after a broken one keeps what is there and adds what is missing', async () => {
    const { conversation, upload } = opened();
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from(LONG.slice(0, 20));
      throw new Error('the connection ended');
    }
    await expect(upload({ offset: 0, whole: true, bytes: broken() })).rejects.toThrow('the connection ended');
    expect(viewOf(conversation).body).toEqual({ kind: 'plain', finalized: false });
    expect(await upload(whole(LONG))).toEqual({ length: 43, total: 43 });
    expect(await message(conversation)).toBe(LONG);
  });

  test('may overlap in the middle', async () => {
    const { conversation, upload } = opened();
    await upload(range(LONG.slice(0, 25), 0));
    await upload(range(LONG.slice(10), 10, 43));
    expect(await message(conversation)).toBe(LONG);
  });

  test('in any pieces, in any overlap, gives the message', async () => {
    const piece = fc.tuple(fc.nat({ max: 30 }), fc.integer({ min: 1, max: 40 }));
    const text = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 120 });
    await fc.assert(
      fc.asyncProperty(text, fc.array(piece, { maxLength: 12 }), async (given, pieces) => {
        const { conversation, upload } = opened();
        for (const [back, size] of pieces) {
          const start = Math.max(0, conversation.uploadedBytes - back);
          const end = Math.min(given.length, start + size);
          if (end <= start) continue;
          const { length } = await upload(range(given.slice(start, end), start));
          expect(length).toBe(conversation.uploadedBytes);
        }
        await upload(whole(given));
        expect(await message(conversation)).toBe(given);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a range is refused, with the place to go on from,', () => {
  test('when it leaves a gap', async () => {
    const { upload } = opened();
    expect(await rangeProblem(upload(range('x', 1)))).toEqual({ length: 0 });
    await upload(range('hello', 0));
    expect(await rangeProblem(upload(range('x', 6)))).toEqual({ length: 5 });
    expect(await upload(range('x', 5))).toEqual({ length: 6 });
  });

  test('when it contradicts the length that was declared', async () => {
    const { conversation, upload } = opened();
    await upload(range('hello', 0, 10));
    expect(await rangeProblem(upload(range('x', 5, 11)))).toEqual({ length: 5, total: 10 });
    expect(await rangeProblem(upload(range('123456', 5)))).toEqual({ length: 5, total: 10 });
    expect(await rangeProblem(upload(finalizeAt(5)))).toEqual({ length: 5, total: 10 });
    expect(await rangeProblem(upload(whole('hello')))).toEqual({ length: 5, total: 10 });
    await upload(range('world', 5));
    expect(await message(conversation)).toBe('helloworld');
  });

  test('when the message is longer already', async () => {
    const { upload } = opened();
    await upload(range('hello', 0));
    expect(await rangeProblem(upload(finalizeAt(3)))).toEqual({ length: 5 });
    expect(await rangeProblem(upload(range('he', 0, 2)))).toEqual({ length: 5 });
    expect(await rangeProblem(upload(whole('hel')))).toEqual({ length: 5 });
    expect(await upload(range(' you', 5, 9))).toEqual({ length: 9, total: 9 });
  });

  test('when it says a length that is not reached', async () => {
    const { upload } = opened();
    await upload(range('hello', 0));
    expect(await rangeProblem(upload(finalizeAt(9)))).toEqual({ length: 5 });
  });

  test('when the message is complete', async () => {
    const { conversation, upload } = opened();
    await upload(whole('hello'));
    const progress = { length: 5, total: 5 };
    expect(await rangeProblem(upload(range('!', 5)))).toEqual(progress);
    expect(await rangeProblem(upload(range('lo!', 3, 6)))).toEqual(progress);
    expect(await rangeProblem(upload(whole('hello!')))).toEqual(progress);
    expect(await rangeProblem(upload(whole('hell')))).toEqual(progress);
    expect(await rangeProblem(upload(finalizeAt(4)))).toEqual(progress);
    expect(await message(conversation)).toBe('hello');
  });
});

test('a second upload at the same time is refused, and the first goes on', async () => {
  const { conversation, upload } = opened();
  const more = deferred<Buffer>();
  async function* slow(): AsyncGenerator<Buffer> {
    yield Buffer.from('hel');
    yield await more.promise;
  }
  const first = upload({ offset: 0, whole: true, bytes: slow() });
  await expect(upload(whole('other'))).rejects.toMatchObject({ name: 'RequestProblem', status: 409 });
  more.resolve(Buffer.from('lo'));
  expect(await first).toEqual({ length: 5, total: 5 });
  expect(await message(conversation)).toBe('hello');
  expect(await upload(whole('hello'))).toEqual({ length: 5, total: 5 });
});

test('a message that is too large is refused with 413, and never completed', async () => {
  const { conversation, upload } = opened();
  await expect(upload(whole('x'.repeat(MAX_BYTES + 1)))).rejects.toMatchObject({ name: 'RequestProblem', status: 413 });
  expect(conversation.isBodyComplete).toBe(false);
  expect((await opened().upload(whole('x'.repeat(MAX_BYTES)))).total).toBe(MAX_BYTES);
});

test('a slow client is not given up as long as bytes come', async () => {
  const { conversation, upload } = opened();
  async function* slow(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 5; i += 1) {
      await harness.clock.advance(SILENCE_MS - 2000);
      yield Buffer.from('x');
    }
  }
  expect(await upload({ offset: 0, whole: true, bytes: slow() })).toEqual({ length: 5, total: 5 });
  expect(await message(conversation)).toBe('xxxxx');
});

describe('too late', () => {
  test('after a refused MAIL, even one that is refused during the upload, the message is refused with 409', async () => {
    const mail = deferred<Response>();
    const { conversation } = harness.open({ mail: mail.promise });
    harness.table.update(conversation, { mailFrom: sender, rcptTo: [recipient] }, '1');
    async function* slow(): AsyncGenerator<Buffer> {
      yield Buffer.from('hello');
      mail.resolve(permFail);
      await settle();
    }
    const bytes = slow();
    const late = { name: 'RequestProblem', status: 409 };
    await expect(harness.table.upload(conversation, { offset: 0, whole: true, bytes })).rejects.toMatchObject(late);
    await expect(harness.table.upload(conversation, whole('hello'))).rejects.toMatchObject(late);
    expect(conversation.isBodyComplete).toBe(false);
  });

  test('after a cancel the message is refused with 409', async () => {
    const { conversation, upload } = opened();
    await upload(range('hello', 0));
    harness.table.cancel(conversation);
    await expect(upload(range('x', 5))).rejects.toMatchObject({ name: 'RequestProblem', status: 409 });
    await expect(upload(finalizeAt(5))).rejects.toMatchObject({ name: 'RequestProblem', status: 409 });
  });

  test('a cancel during the upload ends it with 409', async () => {
    const { conversation, upload } = opened();
    const more = deferred<Buffer>();
    async function* slow(): AsyncGenerator<Buffer> {
      yield Buffer.from('hel');
      yield await more.promise;
    }
    const running = upload({ offset: 0, whole: true, bytes: slow() });
    harness.table.cancel(conversation);
    more.resolve(Buffer.from('lo'));
    await expect(running).rejects.toMatchObject({ name: 'RequestProblem', status: 409 });
    expect(conversation.isBodyComplete).toBe(false);
  });

  test('an upload that stalls until the client is given up and forgotten ends with 409', async () => {
    const { upload } = opened();
    const more = deferred<Buffer>();
    async function* slow(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(MEMORY_BYTES + 1);
      yield await more.promise;
    }
    const refused = expect(upload({ offset: 0, whole: true, bytes: slow() })).rejects.toMatchObject({
      name: 'RequestProblem',
      status: 409,
    });
    await harness.clock.advance(2 * SILENCE_MS);
    expect(harness.table.size).toBe(0);
    more.resolve(Buffer.from('lo'));
    await refused;
  });

  test('a repetition of what is complete is still granted', async () => {
    const { conversation, upload } = opened();
    await upload(whole('hello'));
    harness.table.cancel(conversation);
    expect(await upload(whole('hello'))).toEqual({ length: 5, total: 5 });
  });
});
