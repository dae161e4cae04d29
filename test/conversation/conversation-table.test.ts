/** Conversations by REST: adding to the envelope, cancelling, falling silent, being forgotten. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchangeOf } from '../../src/lib/chain/live-exchange.ts';
import { viewOf } from '../../src/lib/conversation/conversation-table.ts';
import { type Body, bodyBytes } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { Response } from '../../src/lib/core/response.ts';
import {
  DONE_TTL_MS,
  MEMORY_BYTES,
  SILENCE_MS,
  type TableHarness,
  tableHarness,
  whole,
} from '../helpers/conversation-table.ts';
import { settle } from '../helpers/fake-clock.ts';
import { deferred, never, ok, permFail, recipient, sender, tempFail } from '../helpers/fake-exchange.ts';

let harness: TableHarness;
beforeEach(async () => {
  harness = await tableHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

const other = mailbox('c@to.test');

describe('an update', () => {
  const opened = () => {
    const { conversation, upstream } = harness.open();
    const update = (ask: Parameters<typeof harness.table.update>[1], ifMatch = String(conversation.live.version)) =>
      harness.table.update(conversation, ask, ifMatch);
    return { conversation, upstream, update };
  };

  test('adds the sender and recipients, and shows the new version', async () => {
    const { update, upstream } = opened();
    const view = update({ mailFrom: sender, rcptTo: [recipient, other] });
    expect(view.state).toMatchObject({ mailFrom: sender, rcptTo: [recipient, other] });
    await settle();
    expect(upstream.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'RCPT c@to.test']);
  });

  test('is refused with 412 unless it knows the current version', () => {
    const { update, conversation } = opened();
    update({ mailFrom: sender });
    for (const ifMatch of ['0', '', '*', `${conversation.live.version + 1}`]) {
      expect(() => update({ rcptTo: [recipient] }, ifMatch)).toThrow(expect.objectContaining({ status: 412 }));
    }
    expect(conversation.live.state.rcptTo).toEqual([]);
  });

  test('of recipients says how many are there, unless there are none', () => {
    const { update, conversation } = opened();
    update({ mailFrom: sender });
    update({ rcptTo: [recipient] });
    update({ rcptTo: [other], rcptToListOffset: 1 });
    update({ rcptTo: [recipient], rcptToListOffset: 2 });
    expect(conversation.live.state.rcptTo).toEqual([recipient, other, recipient]);
  });

  test('of recipients at the wrong place is refused with 409 and the place', () => {
    const { update, conversation } = opened();
    const refusal = expect.objectContaining({ status: 409, pointer: '/rcpt_to_list_offset' });
    update({ mailFrom: sender });
    expect(() => update({ rcptTo: [recipient], rcptToListOffset: 1 })).toThrow(refusal);
    update({ rcptTo: [recipient], rcptToListOffset: 0 });
    for (const rcptToListOffset of [0, 2]) {
      expect(() => update({ rcptTo: [other], rcptToListOffset })).toThrow(refusal);
    }
    expect(() => update({ rcptTo: [other] })).toThrow(refusal);
    expect(conversation.live.state.rcptTo).toEqual([recipient]);
  });

  test('of a sender that is there already keeps the first', () => {
    const { update } = opened();
    update({ mailFrom: sender });
    expect(update({ mailFrom: other, rcptTo: [recipient] }).state).toMatchObject({
      mailFrom: sender,
      rcptTo: [recipient],
    });
  });

  test('that adds nothing changes nothing', () => {
    const { update, conversation } = opened();
    const { version } = conversation.live;
    expect(update({}).version).toBe(version);
  });

  test('of recipients without a sender is refused with 409', () => {
    const { update } = opened();
    expect(() => update({ rcptTo: [recipient] })).toThrow(
      expect.objectContaining({ name: 'RequestProblem', status: 409 }),
    );
  });

  test('after the message is refused with 409, whole: nothing of it is taken', async () => {
    const { update, conversation } = opened();
    await harness.table.upload(conversation, whole('hello'));
    const { version } = conversation.live;
    expect(() => update({ mailFrom: sender, rcptTo: [recipient] })).toThrow(expect.objectContaining({ status: 409 }));
    expect(conversation.live.version).toBe(version);
  });

  test('after a cancel is refused with 409', () => {
    const { update, conversation } = opened();
    harness.table.cancel(conversation);
    expect(() => update({ mailFrom: sender })).toThrow(expect.objectContaining({ status: 409 }));
  });

  test('with too many recipients is refused with 422', () => {
    const { update } = opened();
    const many = Array.from({ length: limits.rcptsPerTransaction }, () => recipient);
    expect(() => update({ mailFrom: sender, rcptTo: [...many, other] })).toThrow(
      expect.objectContaining({ status: 422, pointer: '/rcpt_to' }),
    );
    update({ mailFrom: sender, rcptTo: many });
    expect(() => update({ rcptTo: [other], rcptToListOffset: many.length })).toThrow(
      expect.objectContaining({ status: 422 }),
    );
  });
});

test('a refused recipient does not end a conversation: the next one is asked', async () => {
  const { conversation, upstream } = harness.open({ rcpt: (to) => (to === recipient ? permFail : ok) });
  const client = exchangeOf(conversation.live);
  await client.mail(sender);
  expect(await client.rcpt(recipient)).toEqual(permFail);
  expect(await client.rcpt(other)).toEqual(ok);
  await harness.table.upload(conversation, whole('hello'));
  await settle();
  expect(conversation.live.state.replies.data).toEqual(ok);
  expect(upstream.asked.slice(-2)).toEqual(['DATA 5', 'CLOSE']);
  expect(conversation.endedAt).toBeDefined();
});

describe('a cancel', () => {
  test('closes the exchange upstream', async () => {
    const { conversation, upstream } = harness.open({ rcpt: never });
    harness.table.update(conversation, { mailFrom: sender, rcptTo: [recipient] }, '1');
    await settle();
    harness.table.cancel(conversation);
    await settle();
    expect(upstream.isClosed).toBe(true);
    expect(viewOf(conversation).state.cancelled).toBe(true);
  });

  test('of what is decided changes nothing', async () => {
    const { conversation } = harness.open({ mail: tempFail });
    harness.table.update(conversation, { mailFrom: sender }, '1');
    await settle();
    const { version } = conversation.live;
    harness.table.cancel(conversation);
    expect(conversation.live.version).toBe(version);
  });
});

describe('a client that falls silent', () => {
  test('before the message is complete is given up, and who waits is answered', async () => {
    const { conversation, upstream } = harness.open({ rcpt: never });
    const client = exchangeOf(conversation.live);
    await client.mail(sender);
    const rcpt = client.rcpt(recipient);
    await harness.clock.advance(SILENCE_MS);
    expect(conversation.endedAt).toBeUndefined();
    await harness.clock.advance(2000);
    expect(conversation.endedAt).toBeDefined();
    expect(upstream.isClosed).toBe(true);
    expect((await rcpt).code).toBe(450);
    expect(viewOf(conversation).state.final).toEqual({ outcome: 'abandoned', text: 'downstream timeout' });
  });

  test('with a complete message that waits for the far end is waited for', async () => {
    const { conversation } = harness.open({ data: never });
    harness.table.update(conversation, { mailFrom: sender, rcptTo: [recipient] }, '1');
    await harness.table.upload(conversation, whole('hello'));
    await harness.clock.advance(100 * SILENCE_MS);
    expect(conversation.endedAt).toBeUndefined();
  });

  test('with a message but nobody to send it to is given up', async () => {
    const { conversation } = harness.open();
    await harness.table.upload(conversation, whole('hello'));
    await harness.clock.advance(SILENCE_MS + 2000);
    expect(conversation.endedAt).toBeDefined();
  });

  test.each<[string, (conversation: ReturnType<TableHarness['open']>['conversation']) => unknown]>([
    ['a heartbeat', (conversation) => harness.table.heartbeat(conversation)],
    ['an update', (conversation) => harness.table.update(conversation, {}, String(conversation.live.version))],
    [
      'an upload',
      (conversation) => harness.table.upload(conversation, { offset: 0, whole: false, bytes: whole('').bytes }),
    ],
  ])('is there again with %s', async (_, speak) => {
    const { conversation } = harness.open();
    for (let i = 0; i < 5; i += 1) {
      await harness.clock.advance(SILENCE_MS - 2000);
      await speak(conversation);
    }
    expect(conversation.endedAt).toBeUndefined();
    await harness.clock.advance(SILENCE_MS + 2000);
    expect(conversation.endedAt).toBeDefined();
  });

  test('a heartbeat shows as a new version', () => {
    const { conversation } = harness.open();
    const { version } = conversation.live;
    expect(harness.table.heartbeat(conversation).version).toBe(version + 1);
  });
});

describe('an ended conversation', () => {
  test('can be read for a while, and is then forgotten with its bytes', async () => {
    const { conversation } = harness.open();
    harness.table.update(conversation, { mailFrom: sender, rcptTo: [recipient] }, '1');
    await harness.table.upload(conversation, whole('x'.repeat(2 * MEMORY_BYTES)));
    await settle();
    expect(conversation.endedAt).toBeDefined();
    await harness.clock.advance(DONE_TTL_MS - 1000);
    expect(harness.table.find('c1')).toBe(conversation);
    await harness.clock.advance(2000);
    expect(harness.table.find('c1')).toBeUndefined();
    expect(harness.table.size).toBe(0);
    const { body } = conversation.live.state;
    await expect(bodyBytes(body as NonNullable<typeof body>)).rejects.toThrow();
  });

  test('leaves its bytes to who retained them', async () => {
    const kept: { readonly body: Body; readonly release: () => void }[] = [];
    const { conversation } = harness.open({
      data: (body) => {
        kept.push({ body, release: body.retain() });
        return ok;
      },
    });
    harness.table.update(conversation, { mailFrom: sender, rcptTo: [recipient] }, '1');
    await harness.table.upload(conversation, whole('x'.repeat(2 * MEMORY_BYTES)));
    await harness.clock.advance(DONE_TTL_MS + 2000);
    expect(harness.table.size).toBe(0);
    for (const { body, release } of kept) {
      expect(await bodyBytes(body)).toHaveLength(2 * MEMORY_BYTES);
      release();
    }
    expect(kept).toHaveLength(1);
  });

  test('still grants a repetition of its upload', async () => {
    const { conversation } = harness.open();
    harness.table.update(conversation, { mailFrom: sender, rcptTo: [recipient] }, '1');
    const text = 'x'.repeat(2 * MEMORY_BYTES);
    await harness.table.upload(conversation, whole(text));
    await settle();
    expect(conversation.endedAt).toBeDefined();
    expect(await harness.table.upload(conversation, whole(text))).toEqual({ length: text.length, total: text.length });
    expect(viewOf(conversation).body).toEqual({ kind: 'plain', finalized: true });
  });
});

test('a bug ends a conversation, is logged, and answers who waits', async () => {
  const conversation = harness.table.open({ id: 'c1', origin: {}, silenceMs: SILENCE_MS }, async ({ live }) => {
    await live.until((state) => state.mailFrom !== undefined);
    throw new Error('bug');
  });
  expect((await exchangeOf(conversation.live).mail(sender)).code).toBe(450);
  expect(harness.log).toContainEqual(expect.objectContaining({ level: 'error' }));
  await harness.clock.advance(DONE_TTL_MS + 2000);
  expect(harness.table.size).toBe(0);
});

test('more conversations than the limit are refused with 503, and ended ones make room', async () => {
  for (let i = 0; i < limits.conversations; i += 1) harness.open();
  expect(() => harness.open()).toThrow(expect.objectContaining({ name: 'RequestProblem', status: 503 }));
  harness.table.cancel(harness.table.find('c1') as NonNullable<ReturnType<typeof harness.table.find>>);
  await settle();
  expect(harness.open().conversation.endedAt).toBeUndefined();
});

test('closing stops everything, answers who waits, and keeps nothing', async () => {
  const { conversation, upstream } = harness.open({ mail: never });
  const second = harness.open();
  const mail = exchangeOf(conversation.live).mail(sender);
  await settle();
  await harness.table.close();
  expect((await mail).code).toBe(450);
  expect([upstream.isClosed, second.upstream.isClosed]).toEqual([true, true]);
  expect(harness.table.size).toBe(0);
});

describe('a table that drains', () => {
  const hurry = new AbortController();
  const later = new AbortController().signal;

  /** Whether it has resolved, when everything that could happen has. */
  const isDone = async (draining: Promise<void>): Promise<boolean> => {
    let done = false;
    void draining.then(() => {
      done = true;
    });
    await settle();
    return done;
  };

  test('takes no more, and waits for what is under way', async () => {
    const answer = deferred<Response>();
    const { conversation } = harness.open({ mail: answer.promise });
    const mail = exchangeOf(conversation.live).mail(sender);
    const draining = harness.table.drain(later);
    expect(() => harness.open()).toThrow(expect.objectContaining({ name: 'RequestProblem', status: 503 }));
    expect(await isDone(draining)).toBe(false);
    answer.resolve(permFail);
    expect(await mail).toEqual(permFail);
    await draining;
  });

  test('waits until a REST client has read the answer', async () => {
    const { conversation } = harness.open({ mail: permFail });
    harness.table.update(conversation, { mailFrom: sender }, '1');
    await settle();
    expect(conversation.endedAt).toBeDefined();
    const draining = harness.table.drain(later);
    expect(await isDone(draining)).toBe(false);
    expect(harness.table.show(conversation).state.replies.mail).toEqual(permFail);
    await draining;
  });

  test('does not wait for ever for a reader who is gone', async () => {
    const { conversation } = harness.open({ mail: permFail });
    harness.table.update(conversation, { mailFrom: sender }, '1');
    await settle();
    const draining = harness.table.drain(later);
    await harness.clock.advance(limits.drainLingerMs);
    await draining;
  });

  test('waits no longer when it is told to hurry', async () => {
    harness.open({ mail: never });
    const draining = harness.table.drain(hurry.signal);
    expect(await isDone(draining)).toBe(false);
    hurry.abort();
    await draining;
  });
});
