/** Native REST transactions: durable before the 201, cut-through, uploads, reuse, cancellation, retries. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { CreateAsk, TransactionView, UploadAsk } from '../../src/lib/http/service.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { eventually, settle, tickUntil } from '../helpers/fake-clock.ts';
import { type Harness, startRouter } from '../helpers/router-harness.ts';

const never = new AbortController().signal;

function ask(rcpt: string, body?: CreateAsk['body']): CreateAsk {
  return { mailFrom: mailbox('alice@example.com'), rcptTo: [mailbox(rcpt)], ...(body && { body }) };
}

const inline = (text: string): CreateAsk['body'] => ({ kind: 'inline', text });

function whole(text: string): UploadAsk {
  return { offset: 0, whole: true, bytes: bytesOf(text) };
}

async function* bytesOf(text: string): AsyncGenerator<Buffer> {
  if (text !== '') yield Buffer.from(text);
}

async function* oneOf(chunk: Buffer): AsyncGenerator<Buffer> {
  yield chunk;
}

describe.each(databases)('a native transaction on $name', (kind) => {
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

  const service = (): Harness['router']['service'] => harness.router.service;

  async function read(id: string): Promise<TransactionView> {
    const view = await service().read(id, undefined, never);
    if (view === undefined) throw new Error('a read without condition always shows something');
    return view;
  }

  /** Follows a transaction as a client does, until it is final. */
  async function untilFinal(id: string): Promise<TransactionView> {
    for (let view = await read(id); ; ) {
      if (view.state.final !== undefined) return view;
      const changed = await service().read(id, { ifNoneMatch: String(view.version), waitMs: 30_000 }, never);
      view = changed ?? (await read(id));
      if (changed === undefined) await harness.clock.advance(1000);
    }
  }

  it('is in the store before it is answered, and delivered with its inline body in two commits', async () => {
    const before = harness.store.stats.promises;
    const view = await service().create('native', ask('bob@example.com', inline('a: b\r\n\r\nc\r\n')));
    expect((await harness.store.load(view.id))?.record.rcptTo[0]?.address).toBe('bob@example.com');
    const done = await untilFinal(view.id);
    expect(done.state.final).toEqual({ outcome: 'delivered', text: 'upstream response success' });
    expect(done.state.replies.data).toMatchObject({ code: 250, text: 'queued as 1' });
    expect(harness.store.stats.promises - before).toBe(2);
    expect(harness.far.deliveries[0]?.body).toBe('a: b\r\n\r\nc\r\n');
  });

  it('shows a refused recipient before the message is uploaded', async () => {
    const view = await service().create('oneshot', ask('rcptperm@example.com'));
    const done = await untilFinal(view.id);
    expect(done.state.replies.rcpt[0]).toMatchObject({ code: 550, enhanced: '5.1.1' });
    expect(done.state.final?.text).toBe('upstream rcpt_response permfail');
  });

  it('takes the message by PUT, and shows it finalized to whoever asks after the PUT', async () => {
    const { id } = await service().create('native', ask('bob@example.com'));
    const progress = await service().upload(id, undefined, whole('subject: x\r\n\r\nhello\r\n'));
    expect(progress).toEqual({ length: 21, total: 21 });
    expect((await read(id)).body).toEqual({ kind: 'plain', finalized: true });
    expect((await untilFinal(id)).state.final?.outcome).toBe('delivered');
  });

  it('takes the message in ranges and refuses a gap', async () => {
    const { id } = await service().create('native', ask('bob@example.com'));
    await service().upload(id, undefined, { offset: 0, whole: false, bytes: bytesOf('abc\r\n') });
    const gap = service().upload(id, undefined, { offset: 9, whole: false, bytes: bytesOf('x') });
    await expect(gap).rejects.toMatchObject({ progress: { length: 5 } });
    await service().upload(id, undefined, { offset: 3, whole: false, total: 9, bytes: bytesOf('\r\ndef\n') });
    await untilFinal(id);
    expect(harness.far.deliveries[0]?.body).toBe('abc\r\ndef\n');
  });

  it('takes an empty message', async () => {
    const { id } = await service().create('native', ask('bob@example.com'));
    await service().upload(id, undefined, whole(''));
    expect((await untilFinal(id)).state.final?.outcome).toBe('delivered');
  });

  it('builds a message from parts, one of them uploaded, and shares the upload with a second transaction', async () => {
    const part = (content: object): object => ({ content_type: 'text/plain', content });
    const builder = (content: object): CreateAsk['body'] => ({
      kind: 'builder',
      spec: {
        headers: [['subject', 'hi']],
        text_body: [part({ inline: 'text' })],
        file_attachments: [part(content)],
      } as never,
    });
    const first = await service().create('native', ask('bob@example.com', builder({ create_id: 'file' })));
    expect(first.body).toMatchObject({ kind: 'builder' });
    await service().upload(first.id, 'file', whole('attached'));
    expect((await untilFinal(first.id)).state.final?.outcome).toBe('delivered');
    const reuse = { create_id: 'file', reuse_uri: `/transactions/${first.id}/blob/file` };
    const second = await service().create('native', ask('carol@example.com', builder(reuse)));
    expect((await untilFinal(second.id)).state.final?.outcome).toBe('delivered');
    const attached = Buffer.from('attached').toString('base64');
    for (const { body } of harness.far.deliveries) expect(body).toContain(attached);
  });

  it('says at once, for good and why, when the parts make no message', async () => {
    const builder = {
      headers: [['from', [{ address: 'alice@example.com' }]]],
      text_body: [{ content_type: 'text/plain', content: { create_id: 'text' } }],
    };
    const { id } = await service().create(
      'native',
      ask('bob@example.com', { kind: 'builder', spec: builder as never }),
    );
    const noText: UploadAsk = { offset: 0, whole: true, bytes: oneOf(Buffer.from([0x68, 0xff])) };
    await service().upload(id, 'text', noText);
    const { state } = await untilFinal(id);
    expect(state.replies.data).toMatchObject({ code: 550, enhanced: '5.6.0' });
    expect(state.replies.data?.text).toContain(
      '/body/message_builder/text_body/0/content: the text is not valid UTF-8',
    );
    expect(state.final?.text).toBe('upstream response permfail');
    expect(harness.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('reuses the body of an earlier transaction', async () => {
    const first = await service().create('native', ask('bob@example.com', inline('one\r\n')));
    await untilFinal(first.id);
    const uri = `http://anything/transactions/${first.id}/body`;
    const second = await service().create('native', ask('carol@example.com', { kind: 'reuse', uri }));
    await untilFinal(second.id);
    expect(harness.far.deliveries[1]?.body).toBe('one\r\n');
  });

  it.each([
    ['an unknown sender', 'nobody', ask('b@c.example'), 404],
    [
      'two recipients',
      'native',
      { ...ask('b@c.example'), rcptTo: [mailbox('b@c.example'), mailbox('d@e.example')] },
      400,
    ],
    [
      'a body that does not exist',
      'native',
      ask('b@c.example', { kind: 'reuse', uri: '/transactions/nope/body' }),
      400,
    ],
    [
      'a builder that is none',
      'native',
      ask('b@c.example', { kind: 'builder', spec: { text_body: 'x' } as never }),
      400,
    ],
    ['a recipient without a domain', 'native', ask('kim'), 400],
    ['a reverse-path without a domain', 'native', { ...ask('b@c.example'), mailFrom: mailbox('ann') }, 400],
    [
      'a notification that cannot be asked for',
      'native',
      { ...ask('b@c.example'), rcptTo: [mailbox('b@c.example', [{ keyword: 'NOTIFY', value: 'ALWAYS' }])] },
      400,
    ],
  ] as const)('refuses %s', async (_, sender, create, status) => {
    await expect(service().create(sender, create)).rejects.toMatchObject({ status });
  });

  it('retries what failed temporarily and shows a growing version all the way', async () => {
    let isDown = true;
    harness.far.answers = (stage) =>
      isDown && stage === 'data' ? { code: 451, enhanced: '4.3.0', text: 'down' } : undefined;
    const { id } = await service().create('native', ask('bob@example.com', inline('x\r\n')));
    const versions = [(await read(id)).version];
    await eventually(async () => (await harness.store.load(id))?.nextAttemptAt !== undefined);
    versions.push((await read(id)).version);
    expect((await read(id)).state.replies.data).toMatchObject({ code: 451 });
    isDown = false;
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 1);
    const done = await untilFinal(id);
    versions.push(done.version);
    expect(done.state).toMatchObject({ attemptCount: 2, final: { outcome: 'delivered' } });
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
  });

  it('ends without retry with a reason that says so', async () => {
    const { id } = await service().create('oneshot', ask('datatemp@example.com', inline('x\r\n')));
    expect((await untilFinal(id)).state.final).toEqual({ outcome: 'failed', text: 'no retry' });
  });

  it('gives up a client that never uploads, and cancels upstream', async () => {
    const { id } = await service().create('native', ask('bob@example.com'));
    await harness.clock.advance(90_000);
    expect((await untilFinal(id)).state.final).toEqual({ outcome: 'abandoned', text: 'downstream timeout' });
    expect(harness.far.cancelled).toBe(1);
  });

  it('stays alive on heartbeats', async () => {
    const { id } = await service().create('native', ask('bob@example.com'));
    for (let i = 0; i < 6; i += 1) {
      await harness.clock.advance(30_000);
      await service().heartbeat(id);
    }
    expect((await read(id)).state.final).toBeUndefined();
  });

  it('stays alive while an upload trickles in, long before a piece of it is complete', async () => {
    const { id } = await service().create('native', ask('bob@example.com'));
    async function* slowly(): AsyncGenerator<Buffer> {
      for (let i = 0; i < 6; i += 1) {
        await harness.clock.advance(30_000);
        yield Buffer.from('x\r\n');
      }
    }
    await service().upload(id, undefined, { offset: 0, whole: true, bytes: slowly() });
    expect((await untilFinal(id)).state.final?.outcome).toBe('delivered');
  });

  it('shows the end to a client that has read while it was being recorded, however late it comes back', async () => {
    const recordOutcome = harness.store.recordOutcome.bind(harness.store);
    let record: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      record = resolve;
    });
    vi.spyOn(harness.store, 'recordOutcome').mockImplementation(async (...args) => {
      await held;
      return recordOutcome(...args);
    });
    const { id } = await service().create('native', ask('bob@example.com', inline('x\r\n')));
    await eventually(async () => (await read(id)).state.replies.data !== undefined);
    await settle(20);
    const { version } = await service().heartbeat(id);
    record();
    await untilFinal(id);
    await harness.clock.advance(60_000);
    const late = await service().read(id, { ifNoneMatch: String(version), waitMs: 0 }, never);
    expect(late?.state.final?.outcome).toBe('delivered');
  });

  it('cancels a transaction in work, and the next hop hears of it', async () => {
    const { id } = await service().create('native', ask('datatimeout@example.com', inline('x\r\n')));
    await settle(20);
    await service().cancel(id);
    // At once: a client reads it right after the answer to its cancel.
    expect((await read(id)).state.final).toEqual({ outcome: 'cancelled', text: 'downstream cancelled' });
    expect(harness.far.cancelled).toBe(1);
  });

  it('cancels a transaction that waits for its next attempt', async () => {
    const { id } = await service().create('native', ask('datatemp@example.com', inline('x\r\n')));
    await eventually(async () => (await harness.store.load(id))?.nextAttemptAt !== undefined);
    await service().cancel(id);
    expect((await read(id)).state.final?.outcome).toBe('cancelled');
    await harness.clock.advance(600_000);
    expect(harness.far.asks).toHaveLength(1);
  });

  it('does not make a client wait for a transaction that will not change any more', async () => {
    const { id } = await service().create('native', ask('bob@example.com', inline('x\r\n')));
    const { version } = await untilFinal(id);
    expect(await service().read(id, { ifNoneMatch: String(version), waitMs: 30_000 }, never)).toBeUndefined();
    await harness.clock.advance(60_000);
    expect(
      await service().read(id, { ifNoneMatch: String((await read(id)).version), waitMs: 30_000 }, never),
    ).toBeUndefined();
  });

  it('accepts more than it can have in work, and works it off', async () => {
    await harness.stop();
    harness = await startRouter({ databaseUrl: database.url, globals: ', executor: {output: {max_inflight: 2}}' });
    const views = await Promise.all(
      Array.from({ length: 12 }, (_, i) => service().create('native', ask(`user${i}@example.com`, inline('x\r\n')))),
    );
    await tickUntil(harness.clock, () => harness.far.deliveries.length >= 12);
    expect(new Set(harness.far.deliveries.map(({ rcptTo }) => rcptTo[0])).size).toBe(12);
    expect(views).toHaveLength(12);
  });
});
