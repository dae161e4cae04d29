/** What an operator does with whole processes: look at the queue, read the story of a message, move it, watch it; health, metrics, logs. */
import { readFile, writeFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, type TestContext } from 'vitest';
import { Journey, type JourneyAsk, shapes } from '../helpers/journey.ts';
import { sendSmtp } from '../helpers/journey-mail.ts';
import { metricValue, parseMetrics } from '../helpers/prometheus.ts';

/** Retries are for the test to ask for. */
async function openPatient(context: TestContext, ask: JourneyAsk = {}): Promise<Journey> {
  const journey = await Journey.open(context, ask);
  for (const file of [journey.routerFile, journey.gatewayFile]) {
    const text = await readFile(file, 'utf8');
    const patient = text
      .replace('max_attempts: null, min_attempt_time: 0, max_attempt_time: 1', 'min_attempt_time: 600')
      .replace('format: text', 'format: json');
    await writeFile(file, patient);
  }
  return journey;
}

async function submit(journey: Journey, to: string, text = 'Subject: hi\r\n\r\nhello\r\n'): Promise<string> {
  const answer = await fetch(`${journey.routerUrl}/senders/app/transactions`, {
    method: 'POST',
    body: JSON.stringify({ mail_from: { m: 'alice@example.com' }, rcpt_to: [{ m: to }], body: { inline: text } }),
  });
  expect(answer.status).toBe(201);
  return answer.headers.get('location')?.split('/').at(-1) as string;
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await setImmediate();
}

async function stateOf(journey: Journey, id: string): Promise<unknown> {
  const answer = await fetch(`${journey.routerUrl}/transactions/${id}/history`);
  return ((await answer.json()) as Record<string, unknown>).state;
}

async function tx(journey: Journey, ...args: readonly string[]) {
  const child = journey.run('tx', ...args, '--url', journey.routerUrl);
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

describe('koukan tx', () => {
  it('lists, shows, retries, watches and cancels', async (context) => {
    let isUp = false;
    const journey = await openPatient(context, {
      far: (stage) => (stage === 'rcpt' && !isUp ? { code: 450, enhanced: '4.2.1', text: 'mailbox busy' } : undefined),
    });
    await journey.serve();
    const [first, second, third] = [
      await submit(journey, 'bob@example.org'),
      await submit(journey, 'carol@example.org'),
      await submit(journey, 'dave@example.net'),
    ];
    for (const id of [first, second, third]) await eventually(async () => (await stateOf(journey, id)) === 'deferred');

    const list = await tx(journey, 'list', '--state', 'deferred', '--to', 'example.org');
    expect(list.code).toBe(0);
    expect(list.stdout).toMatch(/^ID +CREATED +STATE +TRIES +SENDER +FROM +TO +NEXT +LAST REPLY\n/);
    const line = list.stdout.split('\n').find((each) => each.startsWith(first));
    expect(line).toMatch(
      / deferred +1 +app +<alice@example\.com> +bob@example\.org +20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ +450 4\.2\.1 mailbox busy$/,
    );
    expect(list.stdout).not.toContain(third);

    const page = await tx(journey, 'list', '--limit', '2', '--json');
    const { transactions, next } = JSON.parse(page.stdout);
    expect(transactions.map(({ id }: { id: string }) => id)).toHaveLength(2);
    const rest = await tx(journey, 'list', '--json', '--after', next);
    const rests = JSON.parse(rest.stdout).transactions;
    expect(new Set([...transactions, ...rests].map(({ id }) => id))).toEqual(new Set([first, second, third]));

    const show = await tx(journey, 'show', `${journey.routerUrl}/transactions/${first}`);
    expect(show.code).toBe(0);
    expect(show.stdout).toMatch(/^state +deferred, 1 attempt$/m);
    expect(show.stdout).toMatch(/^ +retry policy: attempt 2 of 30, backoff/m);
    expect(show.stdout).toContain(`to 127.0.0.1:${journey.ports.far}`);
    expect(show.stdout).toMatch(/^ +RCPT {2}450 4\.2\.1 mailbox busy$/m);

    isUp = true;
    const watch = journey.run('tx', 'watch', first, '--url', journey.routerUrl);
    await watch.until('not delivered yet');
    expect(await tx(journey, 'retry', first)).toEqual({ code: 0, stdout: `${first}: due now\n`, stderr: '' });
    expect((await watch.exited).code).toBe(0);
    expect(watch.stdout).toMatch(/attempt 2: delivered: 250 /);

    expect((await tx(journey, 'cancel', third)).stdout).toBe(`${third}: cancelled\n`);
    expect((await tx(journey, 'list', '--state', 'cancelled')).stdout).toContain(third);

    const counted = await tx(journey, 'retry', '--to', 'example.org');
    expect(counted).toMatchObject({ code: 64, stderr: expect.stringContaining('would retry 1 transactions') });
    expect((await tx(journey, 'retry', '--to', 'example.org', '--yes')).stdout).toBe(`${second}: due now\n`);
    await eventually(async () => (await stateOf(journey, second)) === 'delivered');
  });

  it('lists a recipient who was refused as failed, in his own transaction and in the conversation', async (context) => {
    const journey = await openPatient(context);
    await journey.serve();
    const { rcpts } = await sendSmtp(context, { port: journey.ports.msa, rcpts: ['rcptperm@example.org'] });
    expect(rcpts).toEqual(['550 5.2.0 rcpt perm']);
    const failed = async () => (await tx(journey, 'list', '--state', 'failed')).stdout;
    await eventually(async () => (await failed()).split('\n').length === 4);
    expect((await failed()).match(/ failed +1 +submission\/(?:out|smtp) .* 550 5\.2\.0 rcpt perm$/gm)).toHaveLength(2);
  });

  it('says what is wrong, with an exit status', async (context) => {
    const journey = await openPatient(context);
    await journey.serve();
    const id = await submit(journey, 'bob@example.org');
    await eventually(async () => (await stateOf(journey, id)) === 'delivered');
    expect(await tx(journey, 'list', '--to', 'bob@@example.org')).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/^--to: /),
    });
    expect(await tx(journey, 'show', 'nothing')).toMatchObject({
      code: 66,
      stderr: expect.stringContaining('unknown tx'),
    });
    expect(await tx(journey, 'watch', 'nothing')).toMatchObject({ code: 66 });
    expect(await tx(journey, 'retry', id, 'nothing')).toMatchObject({
      code: 66,
      stderr: expect.stringContaining('the transaction has ended'),
    });
    expect((await tx(journey, 'retry')).code).toBe(64);
    const ended = await tx(journey, 'watch', id);
    expect(ended.code).toBe(0);
    const story = JSON.parse((await tx(journey, 'show', id, '--json')).stdout);
    expect(ended.stdout).toContain(`${story.attempt_list[0].ended_at}  `);
    const nobody = journey.run('tx', 'list', '--url', 'http://127.0.0.1:1');
    expect((await nobody.exited).code).toBe(75);
    expect(nobody.stderr).toContain('connection refused');
  });
});

describe.each(shapes)('a %s', (shape) => {
  it('says that it lives, that it is ready, and what it has done', async (context) => {
    const journey = await openPatient(context);
    const { processes } = await journey.start(shape);
    expect(processes).toHaveLength(shape === 'serve' ? 1 : 2);
    for (const base of [journey.routerUrl, journey.gatewayUrl]) {
      expect(await (await fetch(`${base}/livez`)).json()).toEqual({ alive: true });
      const ready = await fetch(`${base}/readyz`);
      expect([ready.status, await ready.json()]).toEqual([200, { ready: true }]);
    }
    const { msa } = journey.ports;
    expect((await sendSmtp(context, { port: msa, rcpts: ['bob@example.org', 'rcptperm@example.org'] })).data).toMatch(
      /^250/,
    );
    const id = await submit(journey, 'carol@example.org');
    await eventually(async () => (await stateOf(journey, id)) === 'delivered');
    const router = parseMetrics(await (await fetch(`${journey.routerUrl}/metrics`)).text());
    const gateway = parseMetrics(await (await fetch(`${journey.gatewayUrl}/metrics`)).text());
    expect(metricValue(router, 'koukan_transactions_total', { sender: 'app', event: 'accepted' })).toBe(1);
    expect(metricValue(router, 'koukan_transactions_total', { event: 'delivered' })).toBe(2);
    expect(metricValue(router, 'koukan_attempts_total', { outcome: 'failed', code: '5xx' })).toBe(1);
    expect(metricValue(router, 'koukan_attempt_slots')).toBe(1000);
    expect(metricValue(router, 'koukan_log_lines_lost_total')).toBe(0);
    expect(metricValue(router, 'koukan_queue_transactions', { state: 'deferred' })).toBe(0);
    expect(metricValue(router, 'koukan_store_commit_duration_seconds_count')).toBeGreaterThan(0);
    expect(
      metricValue(router, 'koukan_http_requests_total', {
        part: 'router',
        route: '/senders/:sender/transactions',
        status: '201',
      }),
    ).toBeGreaterThan(0);
    expect(metricValue(gateway, 'koukan_smtp_commands_total', { command: 'MAIL' })).toBe(1);
    expect(metricValue(gateway, 'koukan_smtp_replies_total', { code: '5xx' })).toBe(1);
    expect(metricValue(gateway, 'koukan_smtp_sessions_total')).toBe(1);
    expect(metricValue(gateway, 'koukan_smtp_connections_opened_total')).toBeGreaterThan(0);
    expect(metricValue(gateway, 'koukan_spool_bytes')).toBe(0);
    expect(metricValue(gateway, 'koukan_build_info')).toBe(1);
    expect(metricValue(gateway, 'nodejs_eventloop_lag_seconds')).toBeGreaterThanOrEqual(0);
    for (const [name, { type, help }] of [...router, ...gateway]) {
      expect(type, name).toMatch(/^(counter|gauge|histogram|summary)$/);
      expect(help, name).not.toBe('');
    }
  });

  it('tells the story of a message in its log, and nothing of what is in it', async (context) => {
    const journey = await openPatient(context);
    const { processes } = await journey.start(shape);
    const secret = 'Subject: the merger\r\nX-Secret: 31337\r\n\r\nDear Bob, the price is 42 million.\r\n';
    const id = await submit(journey, 'rcpttemp@example.org', secret);
    await sendSmtp(context, {
      port: journey.ports.msa,
      rcpts: ['bob@example.org', 'datatemp@example.org'],
      message: secret,
    });
    await sendSmtp(context, { port: journey.ports.mx, rcpts: ['rcptperm@example.org'], message: secret });
    await eventually(async () => (await stateOf(journey, id)) === 'deferred');
    // A conversation in which somebody was refused can be looked up, too; its row is written behind.
    await eventually(async () => {
      const answer = await fetch(`${journey.routerUrl}/transactions?sender=ingress`);
      const { transactions } = (await answer.json()) as { transactions: Record<string, unknown>[] };
      return transactions.filter(({ last_reply }) => (last_reply as { code?: number })?.code === 550).length === 2;
    });
    for (const each of processes) await each.terminate();
    const output = processes.map((each) => each.output).join('');
    expect(output).not.toMatch(/merger|31337|million|X-Secret/i);
    const lines = output
      .split('\n')
      .filter((each) => each.startsWith('{'))
      .map((each) => JSON.parse(each) as Record<string, unknown>);
    const story = lines.filter((each) => each.tx === id);
    expect(story.map(({ text }) => text)).toEqual(['accepted', 'attempt ended']);
    expect(story[0]).toMatchObject({ sender: 'app', mailFrom: 'alice@example.com', rcptTo: 'rcpttemp@example.org' });
    expect(story[1]).toMatchObject({
      attempt: 1,
      host: `127.0.0.1:${journey.ports.far}`,
      reply: expect.stringMatching(/^4/),
      outcome: 'deferred',
      sizeBytes: expect.any(Number),
      durationMs: expect.any(Number),
      delayMs: expect.any(Number),
      nextAttemptAt: expect.any(String),
    });
    const conversation = lines.find((each) => each.text === 'conversation ended' && each.rcpts === 2);
    const children = lines.filter((each) => each.parent === conversation?.tx && each.text === 'attempt ended');
    expect(children.map(({ rcptTo }) => rcptTo).sort()).toEqual(['bob@example.org', 'datatemp@example.org']);
    const atGateway = lines.filter(({ text }) => text === 'mail transaction answered');
    expect(atGateway).toMatchObject([{ tx: conversation?.tx, code: 250 }]);
  });
});
