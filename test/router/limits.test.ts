/** What one sender may have at work at the same time, and what may come together in one message. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { CreateAsk, UploadAsk } from '../../src/lib/http/service.ts';
import { sqlite } from '../helpers/databases.ts';
import { DEFAULT_CHAINS, type Harness, startRouter } from '../helpers/router-harness.ts';
import { newGate } from '../http/gate.ts';

const MEBIBYTE = 1024 * 1024;

async function router(chains = DEFAULT_CHAINS, globals = ''): Promise<Harness> {
  const database = await sqlite.create();
  const harness = await startRouter({ databaseUrl: database.url, chains, globals });
  onTestFinished(async () => {
    await harness.stop();
    await database.drop();
  });
  return harness;
}

function ask(body?: CreateAsk['body']): CreateAsk {
  return { mailFrom: mailbox('alice@example.com'), rcptTo: [mailbox('bob@example.com')], ...(body && { body }) };
}

describe('the requests of one sender', () => {
  const LIMITED = DEFAULT_CHAINS.replace('- name: native\n', '- name: native\n  max_inflight: 1\n').replace(
    '- name: ingress\n',
    '- name: ingress\n  max_inflight: 1\n',
  );

  it.each(['native', 'ingress'])('are as many as configured (%s); more are told when to come back', async (sender) => {
    const { router: running } = await router(LIMITED);
    const { service } = running;
    const gate = newGate();
    const started = newGate();
    async function* slowly(): AsyncGenerator<Buffer> {
      started.open();
      await gate.opened;
      yield Buffer.from('a: b\r\n\r\nc\r\n');
    }
    const { id } = await service.create(sender, ask());
    const upload = service.upload(id, undefined, { offset: 0, whole: true, bytes: slowly() });
    await started.opened;
    const busy = { status: 429, headers: { 'retry-after': '1' } };
    await expect(service.create(sender, ask())).rejects.toMatchObject(busy);
    expect(await service.create('oneshot', ask())).toBeDefined();
    expect(await service.read(id, undefined, new AbortController().signal)).toBeDefined();
    gate.open();
    await upload;
    expect(await service.create(sender, ask())).toBeDefined();
  });
});

describe('attempts at the same time', () => {
  it('are no more than configured when many transactions are created at the same moment', async () => {
    const harness = await router(DEFAULT_CHAINS, ', dequeue: false, executor: {output: {max_inflight: 3}}');
    harness.far.answers = () => 'hang';
    const body = { kind: 'inline', text: 'subject: x\r\n\r\nhello\r\n' } as const;
    await Promise.all(Array.from({ length: 10 }, () => harness.router.service.create('native', ask(body))));
    expect(harness.router.load.slots).toEqual({ limit: 3, used: 3 });
    expect(await harness.store.leases(false)).toHaveLength(3);
  });

  it('are not fewer because of transactions that could not be created', async () => {
    const harness = await router(DEFAULT_CHAINS, ', executor: {output: {max_inflight: 1}}');
    const reuse = { kind: 'reuse', uri: '/transactions/nothing/body' } as const;
    for (let i = 0; i < 3; i += 1) {
      await expect(harness.router.service.create('native', ask(reuse))).rejects.toMatchObject({ status: 400 });
    }
    await harness.router.service.create('native', ask({ kind: 'inline', text: 'subject: x\r\n\r\nhello\r\n' }));
    expect(await harness.far.received(1)).toHaveLength(1);
  });
});

describe('the parts of one message', () => {
  const part = (id: string) => ({ content_type: 'application/octet-stream', content: { create_id: id } });
  const body: CreateAsk['body'] = { kind: 'builder', spec: { file_attachments: [part('one'), part('two')] } };

  function upload(sizeBytes: number): UploadAsk {
    async function* bytes(): AsyncGenerator<Buffer> {
      for (let sent = 0; sent < sizeBytes; sent += MEBIBYTE) yield Buffer.alloc(Math.min(MEBIBYTE, sizeBytes - sent));
    }
    return { offset: 0, whole: true, bytes: bytes() };
  }

  it('are no larger together than a message may be', async () => {
    const { service } = (await router()).router;
    const { id } = await service.create('native', ask(body));
    await service.upload(id, 'one', upload(limits.messageBytes - MEBIBYTE));
    await expect(service.upload(id, 'two', upload(2 * MEBIBYTE))).rejects.toMatchObject({
      status: 413,
      message: `all parts of a message together are larger than ${limits.messageBytes} bytes`,
    });
  });
});
