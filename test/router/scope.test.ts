/** A transaction is there for its sender only: for any other caller it looks exactly like one that never was. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { checkSender } from '../../src/lib/http/authorize.ts';
import { type Caller, itself, sees } from '../../src/lib/http/caller.ts';
import type { CreateAsk, TransactionService, UploadAsk } from '../../src/lib/http/service.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { type Harness, startRouter } from '../helpers/router-harness.ts';

const never = new AbortController().signal;
const UNKNOWN = 'AAAAAAAAAAAAAAAAAAAAAA';

function ask(body?: CreateAsk['body']): CreateAsk {
  return { mailFrom: mailbox('alice@example.com'), rcptTo: [mailbox('bob@example.com')], ...(body && { body }) };
}

const caller = (...senders: string[]): Caller => ({
  ...itself,
  name: 'token test',
  senders: new Set(senders),
  isOperator: false,
});

async function* bytes(): AsyncGenerator<Buffer> {
  yield Buffer.from('a: b\r\n\r\nc\r\n');
}

const whole = (): UploadAsk => ({ offset: 0, whole: true, bytes: bytes() });

type Verb = readonly [string, (service: TransactionService, id: string, who: Caller) => Promise<unknown>];

const verbs: readonly Verb[] = [
  ['a read', (service, id, who) => service.read(id, undefined, never, who)],
  ['a hanging read', (service, id, who) => service.read(id, { ifNoneMatch: '1', waitMs: 1000 }, never, who)],
  ['a sign of life', (service, id, who) => service.heartbeat(id, who)],
  ['an update', (service, id, who) => service.update(id, { rcptTo: [mailbox('c@example.com')] }, '1', who)],
  ['an upload', (service, id, who) => service.upload(id, undefined, whole(), who)],
  ['an upload of a part', (service, id, who) => service.upload(id, 'part', whole(), who)],
  ['a cancel', (service, id, who) => service.cancel(id, who)],
];

it('an operator looks after everybody’s transactions, and submits none', () => {
  const operator = { ...itself, name: 'token ops', senders: new Set<string>() };
  expect(sees(operator, 'native')).toBe(true);
  expect(() => checkSender(operator, 'native')).toThrow('not for the sender native');
});

describe.each(databases)('another sender’s transaction on $name', (kind) => {
  let database: TestDatabase;
  let harness: Harness;

  beforeEach(async () => {
    database = await kind.create();
    harness = await startRouter({ databaseUrl: database.url });
  });

  afterEach(async () => {
    await harness.stop();
    await database.drop();
  });

  /** What came of a request, as its client sees it. */
  async function outcome(work: Promise<unknown>): Promise<unknown> {
    try {
      return { answer: await work };
    } catch (error) {
      const { name, message, status } = error as { name: string; message: string; status?: number };
      return { name, message, status };
    }
  }

  /** In work here, in work nowhere, and only in memory. */
  async function transactions(): Promise<Record<string, string>> {
    const { service } = harness.router;
    const live = await service.create('native', ask());
    const conversation = await service.create('ingress', ask());
    const stored = await service.create('native', ask({ kind: 'inline', text: 'a: b\r\n\r\nc\r\n' }));
    await expect.poll(async () => (await harness.store.load(stored.id))?.final?.outcome).toBe('delivered');
    await harness.clock.advance(30_000);
    return { live: live.id, conversation: conversation.id, stored: stored.id };
  }

  it.each(verbs)('looks like one that never was to %s, and is not touched', async (_, verb) => {
    const { service } = harness.router;
    const other = caller('oneshot', 'submission');
    const unknown = await outcome(verb(service, UNKNOWN, other));
    for (const [where, id] of Object.entries(await transactions())) {
      const before = await service.read(id, undefined, never);
      expect(await outcome(verb(service, id, other)), where).toEqual(unknown);
      expect((await service.read(id, undefined, never))?.state, where).toEqual(before?.state);
    }
  });

  it('is there for a caller that acts for its sender', async () => {
    const { service } = harness.router;
    const own = caller('native', 'ingress');
    for (const id of Object.values(await transactions())) {
      expect(await service.read(id, undefined, never, own)).toMatchObject({ id });
      expect(await service.heartbeat(id, own)).toMatchObject({ id });
    }
  });

  it('lends its message to its own sender only, and to others in the words for one that never was', async () => {
    const { service } = harness.router;
    const { stored = '' } = await transactions();
    const reuse = (id: string): CreateAsk => ask({ kind: 'reuse', uri: `http://any.example/transactions/${id}/body` });
    expect(await service.create('native', reuse(stored))).toBeDefined();
    const refused = { status: 400, pointer: '/body' };
    await expect(service.create('oneshot', reuse(stored))).rejects.toMatchObject({
      ...refused,
      message: `reuse_uri: this sender has no blob body of a transaction ${stored}`,
    });
    await expect(service.create('oneshot', reuse(UNKNOWN))).rejects.toMatchObject({
      ...refused,
      message: `reuse_uri: this sender has no blob body of a transaction ${UNKNOWN}`,
    });
  });

  it('does not tell another sender that its message is unfinished', async () => {
    const { service } = harness.router;
    const { live = '' } = await transactions();
    const create = ask({ kind: 'reuse', uri: `/transactions/${live}/body` });
    await expect(service.create('oneshot', create)).rejects.toMatchObject({ status: 400 });
    await expect(service.create('native', create)).rejects.toMatchObject({ status: 409 });
  });
});
