import { describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { openExchange } from './client-hop.ts';
import { type Asked, behave, newUpstreamState, type Script, startFakeUpstream } from './fake-upstream.ts';
import { newGate } from './gate.ts';

const FROM = mailbox('ann@far.test');
const KIM = mailbox('kim@dest.test');
const ZED = mailbox('zed@dest.test');
/** A condition that will become true; the time only bounds a failure. */
const PATIENT = { timeout: 20_000 };
const BODY = memoryBody(Buffer.from('subject: hi\r\n\r\nhello\r\n'));

/** Answers as the test says, or as a well-behaved upstream does. */
async function upstream(script: (asked: Asked) => ReturnType<Script> | undefined = () => undefined) {
  const state = newUpstreamState();
  const fake = await startFakeUpstream((asked) => script(asked) ?? behave(state, asked));
  return { ...fake, state };
}

/** Moves a fake clock in small steps until something is true; bounded. */
async function advanceUntil(clock: FakeClock, stepMs: number, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !holds(); i += 1) {
    await clock.advance(stepMs);
    await settle();
  }
  expect(holds()).toBe(true);
}

describe('an exchange with a native endpoint', () => {
  it('creates the transaction whole, uploads the message in one PUT, and does not cancel what was answered', async () => {
    const { url, asked, lines } = await upstream();
    const exchange = openExchange(url, {
      ask: {
        sender: 'router',
        tag: 'out',
        remoteHost: { host: '203.0.113.4', port: 25 },
        localHost: { host: '2001:db8::1', port: 25 },
        smtpMeta: { ehloHost: 'h.test', esmtp: true, tls: false, auth: false },
        filterOutput: { 'some.Filter': { status: 3 } },
      },
    });
    const from = mailbox('ann@far.test', [{ keyword: 'SIZE', value: '812' }, { keyword: 'SMTPUTF8' }]);
    const replies = await Promise.all([exchange.mail(from), exchange.rcpt(KIM)]);
    expect(replies).toEqual([
      { code: 250, text: 'ok' },
      { code: 250, text: 'rcpt ok' },
    ]);
    expect(await exchange.data(BODY)).toEqual({ code: 250, enhanced: '2.0.0', text: 'queued' });
    await exchange.close();
    expect(asked[0]?.headers['content-type']).toBe('application/json');
    expect(asked[0]?.json).toEqual({
      remote_host: ['203.0.113.4', 25],
      local_host: ['2001:db8::1', 25],
      mail_from: { m: 'ann@far.test', e: [{ k: 'SIZE', p: '812' }, { k: 'SMTPUTF8' }] },
      rcpt_to: [{ m: 'kim@dest.test' }],
      smtp_meta: { ehlo_host: 'h.test', esmtp: true, tls: false, auth: null },
      sender: { name: 'router', tag: 'out' },
      filter_output: { 'some.Filter': { status: 3 } },
    });
    expect(asked[1]?.headers['content-length']).toBe(String(BODY.size));
    expect(asked[1]?.headers['content-range']).toBeUndefined();
    expect(lines()).toEqual(['POST /senders/router/transactions', 'PUT /transactions/1/body', 'GET /transactions/1']);
  });

  it('gives the recipient of a refused MAIL the class of that refusal', async () => {
    const { url } = await upstream(({ method }) =>
      method !== 'POST'
        ? undefined
        : {
            status: 201,
            headers: { location: '/transactions/1', etag: '1' },
            json: {
              mail_response: { code: 421, message: '4.3.2 busy' },
              rcpt_response: [{ code: 503, message: '5.5.1 failed precondition: MAIL' }],
            },
          },
    );
    const exchange = openExchange(url);
    const [mail, rcpt] = await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    expect(mail).toEqual({ code: 421, enhanced: '4.3.2', text: 'busy' });
    expect(rcpt.code).toBe(450);
    expect((await exchange.data(BODY)).code).toBe(450);
  });
});

describe('an exchange in the incremental dialect', () => {
  it('creates at MAIL, adds recipients with their offset and If-Match, and passes on each reply', async () => {
    const { url, asked } = await upstream();
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    expect((await exchange.mail(FROM)).code).toBe(250);
    expect((await exchange.rcpt(KIM)).code).toBe(250);
    expect((await exchange.rcpt(ZED)).code).toBe(250);
    expect((await exchange.data(BODY)).code).toBe(250);
    const patches = asked.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ json }) => json)).toEqual([
      { rcpt_to: [{ m: 'kim@dest.test' }] },
      { rcpt_to: [{ m: 'zed@dest.test' }], rcpt_to_list_offset: 1 },
    ]);
    expect(patches.map(({ headers }) => headers['if-match'])).toEqual(['2', '3']);
    expect(patches[0]?.headers['content-type']).toBe('application/json');
  });

  it('sends recipients that are asked at once in order, one PATCH after the other', async () => {
    let open = 0;
    const state = newUpstreamState();
    const fake = await startFakeUpstream(async (asked) => {
      open += asked.method === 'PATCH' ? 1 : 0;
      expect(open).toBeLessThanOrEqual(1);
      await settle();
      open -= asked.method === 'PATCH' ? 1 : 0;
      return behave(state, asked);
    });
    const exchange = openExchange(fake.url, { ask: { createAt: 'mail' } });
    const rcpts = Array.from({ length: 20 }, (_, i) => mailbox(`u${i}@dest.test`));
    const replies = await Promise.all([exchange.mail(FROM), ...rcpts.map((to) => exchange.rcpt(to))]);
    expect(replies.map((r) => r.code)).toEqual(Array(21).fill(250));
    const sent = fake.asked.flatMap(({ method, json }) =>
      method === 'PATCH' ? (json as { rcpt_to: { m: string }[] }).rcpt_to.map(({ m }) => m) : [],
    );
    expect(sent).toEqual(rcpts.map(({ address }) => address));
  });

  it('reads the new version and tries again when it lost a race (412)', async () => {
    let conflicts = 2;
    const { url, lines, state } = await upstream(({ method, json }) => {
      if (method !== 'PATCH' || json === undefined || conflicts === 0) return undefined;
      conflicts -= 1;
      state.etag += 1;
      return { status: 412, text: 'update conflict' };
    });
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    await exchange.mail(FROM);
    expect((await exchange.rcpt(KIM)).code).toBe(250);
    expect(lines().filter((line) => line.startsWith('PATCH'))).toHaveLength(3);
  });

  it('does not add a recipient twice when the answer to its PATCH was lost', async () => {
    let isLost = true;
    const { url, asked, state } = await upstream((ask) => {
      if (ask.method !== 'PATCH' || !isLost) return undefined;
      isLost = false;
      behave(state, ask);
      return 'hangup';
    });
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    await exchange.mail(FROM);
    expect((await exchange.rcpt(KIM)).code).toBe(250);
    expect(state.json.rcpt_to).toHaveLength(1);
    expect(asked.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'PATCH', 'GET']);
  });

  it('sends a heartbeat without a content type when it is quiet for long, and none once the message is under way', async () => {
    const clock = new FakeClock();
    const { url, asked } = await upstream();
    const exchange = openExchange(url, { ask: { createAt: 'mail', rcptTimeoutMs: 1e9 }, deps: { clock } });
    await exchange.mail(FROM);
    await advanceUntil(clock, 1000, () => asked.filter(({ method }) => method === 'PATCH').length === 2);
    const beat = asked.find(({ method }) => method === 'PATCH') as Asked;
    expect(beat.headers['content-type']).toBeUndefined();
    expect(beat.headers['content-length']).toBe('0');
    expect((await exchange.rcpt(KIM)).code).toBe(250);
    expect((await exchange.data(BODY)).code).toBe(250);
    const before = asked.length;
    await clock.advance(600_000);
    expect(asked.length).toBe(before);
  });
});

describe('waiting for a reply', () => {
  const pending = { status: 201, headers: { location: 'transactions/1', etag: '"v1"' }, json: { mail_from: {} } };

  it('hangs with the ETag exactly as it came and with the seconds that are left', async () => {
    const { url, asked } = await upstream(({ method, path }) =>
      method === 'POST'
        ? { ...pending, headers: { ...pending.headers, location: `/transactions/1?x=${path.length}` } }
        : undefined,
    );
    const exchange = openExchange(url, { ask: { createAt: 'mail', rcptTimeoutMs: 12_500 } });
    void exchange.mail(FROM);
    await expect.poll(() => asked.length, PATIENT).toBeGreaterThan(1);
    expect(asked[1]).toMatchObject({
      method: 'GET',
      path: '/transactions/1?x=28',
      headers: { 'if-none-match': '"v1"', 'request-timeout': expect.stringMatching(/^1[01]$/) },
    });
    await exchange.close();
  });

  it('takes a 500 on a hanging GET for a timeout when a plain GET still works', async () => {
    const { url, asked } = await upstream((ask) => {
      if (ask.method === 'POST') return pending;
      if (ask.headers['if-none-match'] === '"v1"') return { status: 500 };
      return undefined;
    });
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    const mail = exchange.mail(FROM);
    await expect.poll(() => asked.length, PATIENT).toBeGreaterThan(2);
    expect(asked[2]?.headers['if-none-match']).toBeUndefined();
    await exchange.close();
    expect((await mail).code).toBe(450);
  });

  it('gives up with a temporary failure when the plain GET fails too', async () => {
    const { url, lines } = await upstream(({ method }) => (method === 'POST' ? pending : { status: 500 }));
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    expect(await exchange.mail(FROM)).toEqual({ code: 450, enhanced: '4.4.1', text: 'upstream http error 500' });
    expect(lines().slice(1)).toEqual(['GET /senders/router/transactions/1', 'GET /senders/router/transactions/1']);
  });

  it('leaves a second between polls while the ETag does not move', async () => {
    const clock = new FakeClock();
    const polledAt: number[] = [];
    const { url } = await upstream(({ method }) => {
      if (method === 'POST') return pending;
      polledAt.push(clock.now());
      return { status: 304, headers: { etag: '"v1"' } };
    });
    const exchange = openExchange(url, { ask: { createAt: 'mail', rcptTimeoutMs: 1e6 }, deps: { clock } });
    const mail = exchange.mail(FROM);
    await advanceUntil(clock, 50, () => polledAt.length >= 4);
    const gaps = polledAt.slice(1).map((at, i) => at - (polledAt[i] as number));
    for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(1000);
    await exchange.close();
    await mail;
  });

  it('answers 450 4.4.7 when the time is over, and cancels on close', async () => {
    const clock = new FakeClock();
    const { url, lines } = await upstream(({ method, path }) => {
      if (method === 'POST' && !path.endsWith('cancel')) return pending;
      return method === 'GET' ? new Promise(() => undefined) : undefined;
    });
    const exchange = openExchange(url, { ask: { createAt: 'mail', rcptTimeoutMs: 30_000 }, deps: { clock } });
    const mail = exchange.mail(FROM);
    await expect.poll(() => lines().length, PATIENT).toBe(2);
    await clock.advance(30_000);
    expect(await mail).toEqual({ code: 450, enhanced: '4.4.7', text: 'upstream timeout' });
    await exchange.close();
    await expect.poll(lines, PATIENT).toContain('POST /senders/router/transactions/1/cancel');
  });

  it('does not offer the message when a recipient was answered too late to be told', async () => {
    const clock = new FakeClock();
    const { url, lines, state } = await upstream((ask) => {
      if (ask.method === 'GET')
        return ask.headers['if-none-match'] === undefined ? undefined : new Promise(() => undefined);
      if (ask.method === 'PATCH' && ask.body.includes('zed')) {
        const answer = behave(state, ask);
        const json = answer.json as { rcpt_response: object[] };
        return { ...answer, json: { ...json, rcpt_response: json.rcpt_response.slice(0, 1) } };
      }
      return undefined;
    });
    const exchange = openExchange(url, { ask: { createAt: 'mail', rcptTimeoutMs: 20_000 }, deps: { clock } });
    await exchange.mail(FROM);
    expect((await exchange.rcpt(KIM)).code).toBe(250);
    const late = exchange.rcpt(ZED);
    await expect.poll(() => lines().filter((line) => line.startsWith('PATCH')).length, PATIENT).toBe(2);
    await advanceUntil(clock, 5000, () => clock.now() >= Date.UTC(2026, 0, 1) + 21_000);
    expect((await late).code).toBe(450);
    expect(await exchange.data(BODY)).toMatchObject({ code: 450, enhanced: '4.4.7' });
    expect(lines().some((line) => line.startsWith('PUT'))).toBe(false);
  });

  it('stops waiting when upstream has ended the transaction without a reply', async () => {
    const { url } = await upstream(({ method }) =>
      method === 'POST'
        ? { ...pending, json: { mail_from: {}, final_attempt_reason: 'downstream timeout' } }
        : undefined,
    );
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    expect(await exchange.mail(FROM)).toMatchObject({ code: 450, enhanced: '4.4.2' });
  });

  it('cleans the text of a reply of control characters, and keeps its lines', async () => {
    const { url } = await upstream(({ method }) =>
      method === 'POST'
        ? { ...pending, json: { mail_response: { code: 550, message: '5.1.1 no\r\n5.1.1 really\u0000\r250 ok' } } }
        : undefined,
    );
    const exchange = openExchange(url, { ask: { createAt: 'mail' } });
    expect(await exchange.mail(FROM)).toEqual({ code: 550, enhanced: '5.1.1', text: 'no\nreally  250 ok' });
  });

  it('never hands on a code that is no reply', async () => {
    const { url } = await upstream(({ method }) =>
      method === 'POST'
        ? {
            ...pending,
            json: {
              surprise: 1,
              mail_response: { code: 354 },
            },
          }
        : undefined,
    );
    const exchange = openExchange(url);
    const [mail, rcpt] = await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    expect(mail).toMatchObject({ code: 450, enhanced: '4.5.0' });
    expect(rcpt.code).toBe(450);
  });
});

describe('trouble at the create', () => {
  it.each([
    ['404', { status: 404, text: 'no' }, 'upstream http error 404'],
    ['no location', { status: 201, json: {} }, 'upstream bad response no location'],
    ['no JSON', { status: 201, headers: { location: '/transactions/1' }, text: '<html>' }, 'upstream bad resp json'],
    ['an endless redirect', { status: 308, headers: { location: '/again' } }, 'upstream http exception'],
    ['a broken connection', 'hangup', 'upstream http exception'],
  ] as const)('turns %s into a temporary failure of MAIL and RCPT', async (_, answer, text) => {
    const { url } = await upstream(() => answer);
    const exchange = openExchange(url);
    const replies = await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    for (const reply of replies) expect(reply).toEqual({ code: 450, enhanced: '4.4.1', text });
    expect((await exchange.data(BODY)).code).toBe(450);
  });

  it('turns a refused connection into a temporary failure', async () => {
    const exchange = openExchange('http://127.0.0.1:1');
    expect((await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)])).map((r) => r.code)).toEqual([450, 450]);
  });

  it('follows 307 and 308 with method and body, and takes a relative location from the last URL', async () => {
    const target = await upstream();
    const { url, asked } = await upstream((ask) => ({
      status: ask.path.startsWith('/senders') ? 307 : 308,
      headers: { location: `${target.url}${ask.path}` },
    }));
    const exchange = openExchange(url);
    expect((await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)])).map((r) => r.code)).toEqual([250, 250]);
    expect(asked).toHaveLength(1);
    expect(target.asked[0]).toMatchObject({ method: 'POST', json: { mail_from: { m: 'ann@far.test' } } });
    expect((await exchange.data(BODY)).code).toBe(250);
    expect(target.state.stored.toString()).toContain('hello');
  });
});

describe('closing', () => {
  it('answers what is still asked and cancels upstream, once', async () => {
    const { url, lines } = await upstream(({ method }) =>
      method === 'GET' ? new Promise(() => undefined) : undefined,
    );
    const exchange = openExchange(url);
    await Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    const data = exchange.data(BODY);
    await expect.poll(lines, PATIENT).toContain('GET /transactions/1');
    await exchange.close();
    await exchange.close();
    expect((await data).code).toBe(450);
    await expect.poll(() => lines().filter((line) => line === 'POST /transactions/1/cancel'), PATIENT).toHaveLength(1);
  });

  it('cancels a transaction whose creation was under way', async () => {
    const gate = newGate();
    const { url, lines, state } = await upstream((ask) =>
      ask.path.startsWith('/senders') ? gate.opened.then(() => behave(state, ask)) : undefined,
    );
    const exchange = openExchange(url);
    const replies = Promise.all([exchange.mail(FROM), exchange.rcpt(KIM)]);
    await expect.poll(() => lines().length, PATIENT).toBe(1);
    await exchange.close();
    expect((await replies).map((r) => r.code)).toEqual([450, 450]);
    gate.open();
    await expect.poll(lines, PATIENT).toContain('POST /transactions/1/cancel');
  });

  it('asks nothing of an upstream that was never asked', async () => {
    const { url, asked } = await upstream();
    const exchange = openExchange(url);
    const mail = exchange.mail(FROM);
    await exchange.close();
    expect((await mail).code).toBe(450);
    expect(asked).toEqual([]);
  });
});
