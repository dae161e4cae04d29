/** Lists, histories and retries over real HTTP, of a real router with a real store. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { itself } from '../../src/lib/http/caller.ts';
import { historySchema, listSchema } from '../../src/lib/http/queue-schema.ts';
import { createRestServer, type RestServer } from '../../src/lib/http/server.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { eventually } from '../helpers/fake-clock.ts';
import { type Harness, sendAs, startRouter } from '../helpers/router-harness.ts';

const CHAINS = `
sender:
- {name: ingress, output_chain: mx, upstream_sender: relay}
- {name: relay, output_chain: deliver}
- {name: app, output_chain: deliver, retry: output_chain, notification: output_chain}
- {name: bounces, output_chain: deliver, retry: output_chain}
rest_endpoint:
- {name: far, endpoint: 'http://far.example:1/senders/router/transactions', sender: router}
endpoint:
- name: mx
  chain: [{filter: exploder, rcpt_timeout: 10, data_timeout: 20}]
- name: deliver
  output_handler:
    retry_params: {max_attempts: 3, min_attempt_time: 60, max_attempt_time: 600, deadline: 86400}
    notification: {sender: bounces}
  chain:
  - {filter: policy_action, tag: audit, name: seen, action: LOG}
  - {filter: router, destination: {endpoint: far, host_list: [{host: 192.0.2.1, port: 25}, {host: 192.0.2.2, port: 25}]}}
  - {filter: rest_output}
`;

interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
  readonly link: string | null;
}

describe.each(databases)('the queue over REST on $name', (kind) => {
  let database: TestDatabase;
  let harness: Harness;
  let server: RestServer;
  let base: string;

  beforeEach(async () => {
    database = await kind.create();
    harness = await startRouter({ databaseUrl: database.url, chains: CHAINS });
    const { service, queue } = harness.router;
    server = await createRestServer({ service, queue, log: harness.deps.log, clock: harness.deps.clock });
    base = `http://127.0.0.1:${(await server.listen({ host: '127.0.0.1', port: 0 })).port}`;
  });

  afterEach(async () => {
    await server.close(AbortSignal.abort());
    await harness.stop();
    await database.drop();
  });

  async function ask(path: string, init?: RequestInit): Promise<Answer> {
    const answer = await fetch(new URL(path, base), init);
    const text = await answer.text();
    const json = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status: answer.status, json, link: answer.headers.get('link') };
  }

  async function list(query = ''): Promise<readonly Record<string, unknown>[]> {
    const { status, json } = await ask(`/transactions${query}`);
    expect(status).toBe(200);
    return listSchema.parse(json).transactions;
  }

  async function submit(to: string, from = 'alice@example.com'): Promise<string> {
    const { status, json } = await ask('/senders/app/transactions', {
      method: 'POST',
      body: JSON.stringify({
        mail_from: { m: from },
        rcpt_to: [{ m: to }],
        body: { inline: 'subject: hi\r\n\r\nhello\r\n' },
      }),
    });
    expect(status).toBe(201);
    const { uri } = (json.body as { blob_status: { uri: string } }).blob_status;
    return uri.split('/').at(-2) as string;
  }

  /** Submits, and waits until its first attempt has ended. */
  async function submitted(to: string, state: string, from?: string): Promise<string> {
    const id = await submit(to, from);
    await eventually(async () => (await list()).some((tx) => tx.id === id && tx.state === state));
    return id;
  }

  it('lists what was delivered, what waits and what failed, with how it ended', async () => {
    const delivered = await submitted('bob@example.org', 'delivered');
    await harness.clock.advance(10);
    const deferred = await submitted('rcpttemp@example.net', 'deferred');
    await harness.clock.advance(10);
    const failed = await submitted('rcptperm@example.net', 'failed', '');
    expect((await list()).map(({ id }) => id)).toEqual([failed, deferred, delivered]);
    expect(await list('?state=deferred')).toEqual([
      {
        id: deferred,
        uri: `${base}/transactions/${deferred}`,
        sender: 'app',
        created_at: '2026-01-01T00:00:00.010Z',
        mail_from: 'alice@example.com',
        rcpt_to: ['rcpttemp@example.net'],
        state: 'deferred',
        attempts: 1,
        next_attempt_at: expect.stringMatching(/^2026-01-01T00:01:/),
        last_reply: { code: 450, message: '4.2.0 try later' },
      },
    ]);
    expect(await list('?to=example.net&from=%3C%3E')).toMatchObject([
      { id: failed, outcome: 'failed', reason: 'upstream rcpt_response permfail' },
    ]);
    expect(await list('?to=BOB@example.org&sender=app')).toMatchObject([{ id: delivered, state: 'delivered' }]);
    expect(await list('?sender=nobody')).toEqual([]);
  });

  it('leads from page to page by links', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      ids.unshift(await submitted(`bob${i}@example.org`, 'delivered'));
      await harness.clock.advance(5);
    }
    const seen: unknown[] = [];
    for (let path: string | undefined = '/transactions?limit=2&sender=app'; path !== undefined; ) {
      const { json, link } = await ask(path);
      const page = listSchema.parse(json);
      seen.push(...page.transactions.map(({ id }) => id));
      expect(link).toBe(page.next === undefined ? null : `<${page.next}>; rel="next"`);
      path = page.next;
    }
    expect(seen).toEqual(ids);
  });

  it.each([
    ['?stat=failed', '/stat', /did you mean state/],
    ['?state=fialed', '/state', /did you mean failed/],
    ['?limit=0', '/limit', /1 to 200/],
    ['?limit=201', '/limit', /1 to 200/],
    ['?to=a%20b', '/to', /address, or a domain/],
    ['?from=nobody', '/from', /address/],
    ['?after=xyz', '/after', /cursor/],
    ['?sender=a&sender=b', '/sender', /more than once/],
  ])('says what is wrong with %s', async (query, pointer, detail) => {
    const { status, json } = await ask(`/transactions${query}`);
    expect([status, json.pointer]).toEqual([400, pointer]);
    expect(json.detail).toMatch(detail);
  });

  it('tells the whole story of a transaction that waits', async () => {
    harness.far.answers = (stage) => (stage === 'mail' ? { code: 421, text: 'busy' } : undefined);
    const id = await submitted('bob@example.org', 'deferred');
    const history = historySchema.parse((await ask(`/transactions/${id}/history`)).json);
    expect(history).toMatchObject({
      id,
      state: 'deferred',
      envelope: { mail_from: { m: 'alice@example.com' }, rcpt_to: [{ m: 'bob@example.org' }] },
      retry: true,
      notification: true,
      policies: [{ tag: 'audit', name: 'seen', action: 'LOG', place: expect.stringMatching(/^router\.yaml:\d+$/) }],
      attempt_list: [
        {
          number: 1,
          ended_at: '2026-01-01T00:00:00.000Z',
          hosts: [
            ['192.0.2.1', 25],
            ['192.0.2.2', 25],
          ],
          mail_response: { code: 421, message: 'busy' },
        },
      ],
      next_reason: expect.stringContaining('retry policy: attempt 2 of 3, backoff'),
      blobs: [{ name: 'body', size: 22, finalized: true }],
      children: [],
    });
    // What peers are told of policies has no places in it.
    expect(JSON.stringify(harness.far.asks)).not.toContain('router.yaml');
  });

  it('leads from a failure to its notification and back', async () => {
    const id = await submitted('rcptperm@example.net', 'failed');
    await eventually(async () => (await list(`?parent=${id}&state=delivered`)).length > 0);
    const { children } = historySchema.parse((await ask(`/transactions/${id}/history`)).json);
    expect(children).toMatchObject([{ sender: 'bounces', mail_from: '', rcpt_to: ['alice@example.com'], parent: id }]);
    expect(await list(`?parent=${id}`)).toEqual(children);
  });

  it('tries at once what waits, and nothing else', async () => {
    const id = await submitted('rcpttemp@example.net', 'deferred');
    harness.far.answers = () => ({ code: 250, text: 'ok' });
    expect((await ask(`/transactions/${id}/retry`, { method: 'POST' })).status).toBe(200);
    await eventually(async () => (await list('?state=delivered')).length > 0);
    expect(await list('?state=delivered')).toMatchObject([{ id, attempts: 2 }]);
    expect(await ask(`/transactions/${id}/retry`, { method: 'POST' })).toMatchObject({
      status: 409,
      json: { detail: 'the transaction has ended' },
    });
    expect((await ask('/transactions/nothing/retry', { method: 'POST' })).status).toBe(404);
    expect((await ask('/transactions/nothing/history')).status).toBe(404);
  });

  it('shows what is in work, stored or not', async () => {
    const stored = await submit('rcpttimeout@example.net');
    const answered = sendAs(harness, 'ingress', ['datatimeout@example.org']);
    await eventually(async () => (await list('?state=active')).length === 2);
    const active = await list('?state=active');
    const child = active.find(({ sender }) => sender === 'relay');
    expect(active.map(({ id }) => id)).toContain(stored);
    expect(child).toMatchObject({ rcpt_to: ['datatimeout@example.org'], parent: expect.any(String), attempts: 1 });
    expect(await list(`?state=active&to=example.org&parent=${String(child?.parent)}`)).toEqual([child]);
    expect(historySchema.parse((await ask(`/transactions/${String(child?.id)}/history`)).json)).toMatchObject({
      state: 'active',
      attempt_list: [{ number: 1, rcpt_response: [{ code: 250 }] }],
    });
    expect((await ask(`/transactions/${stored}/retry`, { method: 'POST' })).status).toBe(409);
    await ask(`/transactions/${stored}/cancel`, { method: 'POST' });
    await harness.clock.advance(20_000);
    await answered;
  });

  it('shows a caller only the transactions of his senders', async () => {
    const id = await submitted('bob@example.org', 'delivered');
    const queue = harness.router.queue;
    const stranger = { ...itself, senders: new Set(['shop']), isOperator: false };
    const owner = { ...itself, senders: new Set(['shop', 'app']), isOperator: false };
    expect((await queue.list({ limit: 10 }, stranger)).transactions).toEqual([]);
    expect((await queue.list({ limit: 10 }, owner)).transactions.map((tx) => tx.id)).toEqual([id]);
    await expect(queue.history(id, stranger)).rejects.toMatchObject({ status: 404 });
    await expect(queue.retry(id, stranger)).rejects.toMatchObject({ status: 404 });
    expect((await queue.history(id, owner)).id).toBe(id);
  });
});
