/** The places of a router for attempts, shared among the senders they are for. */
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Admission } from '../../src/lib/core/admission.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { reply } from '../../src/lib/core/response.ts';
import type { CreateAsk } from '../../src/lib/http/service.ts';
import { sqlite } from '../helpers/databases.ts';
import { tickUntil } from '../helpers/fake-clock.ts';
import { DEFAULT_CHAINS, type Harness, openExchange, sendAs, startRouter } from '../helpers/router-harness.ts';

const PLACES = 20;
const KEPT = 2;

/** Where clients were sent away, and why. */
const refusals = new Set<string>();
beforeEach(() => refusals.clear());

async function router(chains = DEFAULT_CHAINS, places = PLACES): Promise<Harness> {
  const database = await sqlite.create();
  const globals = `, executor: {output: {max_inflight: ${places}}}`;
  const admission: Admission = { overload: undefined, refused: (door, why) => void refusals.add(`${door} ${why}`) };
  const harness = await startRouter({ databaseUrl: database.url, chains, globals, admission });
  onTestFinished(async () => {
    await harness.stop();
    await database.drop();
  });
  return harness;
}

function ask(to: string): CreateAsk {
  const body = { kind: 'inline', text: 'subject: x\r\n\r\nhello\r\n' } as const;
  return { mailFrom: mailbox('alice@example.com'), rcptTo: [mailbox(to)], body };
}

/** Takes every place that one sender gets, with messages to as many domains that nobody answers. */
async function flooded(harness: Harness): Promise<void> {
  harness.far.answers = (stage, rcpt) => (stage === 'data' && rcpt.startsWith('flood') ? 'hang' : undefined);
  const creates = Array.from({ length: 2 * PLACES }, (_, i) =>
    harness.router.service.create('native', ask(`flood${i}@d${i}.example`)),
  );
  await Promise.all(creates);
}

describe('a sender that floods', () => {
  it('leaves places for the next who comes, who is served at once and in full', async () => {
    const harness = await router();
    await flooded(harness);
    expect(harness.router.load.slots).toEqual({ limit: PLACES, used: PLACES - KEPT });
    for (let i = 0; i < 10; i += 1) {
      const { data } = await sendAs(harness, 'ingress', [`bob${i}@example.com`]);
      expect(data?.code).toBe(250);
    }
    await harness.router.service.create('bounces', ask('ann@example.com'));
    await harness.far.received(11);
    await expect.poll(() => harness.router.load.slots.used).toBe(PLACES - KEPT);
  });

  it('is told apart from others that go out through the same sender', async () => {
    const harness = await router();
    harness.far.answers = (stage, rcpt) => (stage === 'rcpt' && rcpt.startsWith('flood') ? 'hang' : undefined);
    const exchanges = Array.from({ length: 2 * PLACES }, () => openExchange(harness, 'ingress'));
    const replies = exchanges.map(async (exchange, i) => {
      await exchange.mail(mailbox('mallory@example.com'));
      return (await exchange.rcpt(mailbox(`flood${i}@d${i}.example`))).code;
    });
    const busy = replies.map((each) => each.then((code) => codes.push(code)));
    const codes: number[] = [];
    await expect.poll(() => codes.length).toBe(PLACES + KEPT);
    expect(new Set(codes)).toEqual(new Set([451]));
    expect(refusals).toEqual(new Set(['rcpt share']));
    expect((await sendAs(harness, 'submission', ['bob@example.com'])).data?.code).toBe(250);
    await Promise.all(exchanges.map((exchange) => exchange.close()));
    await Promise.all(busy);
  });

  it('waits in the store meanwhile, and is worked off without the places that are kept', async () => {
    const harness = await router();
    await flooded(harness);
    const { store, clock } = harness;
    expect(await store.leases(false)).toHaveLength(PLACES - KEPT);
    await clock.advance(5000);
    expect(await store.leases(false)).toHaveLength(PLACES - KEPT);
  });
});

describe('a domain that does not answer', () => {
  const LANE = PLACES - Math.floor(PLACES / 3);

  /** As many as there are places and more, to one domain. */
  async function silent(harness: Harness): Promise<void> {
    harness.far.answers = (stage, rcpt) => (stage === 'data' && rcpt.endsWith('@silent.example') ? 'hang' : undefined);
    for (let i = 0; i < 2 * PLACES; i += 1) await harness.router.service.create('native', ask(`u${i}@silent.example`));
    expect(harness.router.load.slots.used).toBe(LANE);
  }

  it('leaves its sender places for other domains', async () => {
    const harness = await router();
    await silent(harness);
    for (let i = 0; i < 5; i += 1) await harness.router.service.create('native', ask(`bob${i}@example.com`));
    await harness.far.received(5);
  });

  it('keeps neither the retries of its sender waiting nor those of others, whatever was due before them', async () => {
    const harness = await router();
    const putOff = new Set(['app@example.com', 'other@example.com']);
    await silent(harness);
    const { answers } = harness.far;
    harness.far.answers = (stage, rcpt) =>
      stage === 'rcpt' && putOff.delete(rcpt) ? reply(450, '4.2.0', 'not now') : answers?.(stage, rcpt);
    await harness.router.service.create('native', ask('app@example.com'));
    await harness.router.service.create('bounces', ask('other@example.com'));
    await expect.poll(() => putOff.size).toBe(0);
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 2);
    await expect.poll(() => harness.router.load.slots.used).toBe(LANE);
  });
});

describe('a domain that does not answer conversations', () => {
  /** One client alone gets all but the last tenth. */
  const LANE = PLACES - Math.floor(PLACES / 3) - 1;

  /** Asks as many clients as there are places and more; answers who was sent away. */
  async function stalled(
    harness: Harness,
    sender: string,
  ): Promise<{ readonly codes: number[]; end(): Promise<void> }> {
    harness.far.answers = (stage, rcpt) => (stage === 'rcpt' && /@silent\.example$/i.test(rcpt) ? 'hang' : undefined);
    const codes: number[] = [];
    const exchanges = Array.from({ length: 2 * PLACES }, () => openExchange(harness, sender));
    const asked = exchanges.map(async (exchange, i) => {
      await exchange.mail(mailbox('mallory@example.com'));
      codes.push((await exchange.rcpt(mailbox(`u${i}@${i % 2 === 0 ? 'silent' : 'Silent'}.Example`))).code);
    });
    await expect.poll(() => harness.router.load.slots.used).toBe(LANE);
    await expect.poll(() => codes.length).toBe(2 * PLACES - LANE);
    return {
      codes,
      async end() {
        await Promise.all([...exchanges.map((exchange) => exchange.close()), ...asked]);
      },
    };
  }

  it('leaves their sender places for other domains', async () => {
    const harness = await router();
    const { codes, end } = await stalled(harness, 'ingress');
    expect(new Set(codes)).toEqual(new Set([451]));
    expect(refusals).toEqual(new Set(['rcpt domain']));
    for (let i = 0; i < 10; i += 1) {
      expect((await sendAs(harness, 'ingress', [`bob${i}@example.com`])).data?.code).toBe(250);
    }
    expect((await sendAs(harness, 'ingress', ['bob@example.com', 'u@silent.example'])).rcpts[1]?.code).toBe(451);
    await end();
    await expect.poll(() => harness.router.load.slots.used).toBe(0);
    harness.far.answers = () => undefined;
    expect((await sendAs(harness, 'ingress', ['u@silent.example'])).data?.code).toBe(250);
  });

  it('leaves other clients a place for it, however many one has taken', async () => {
    const harness = await router();
    const { end } = await stalled(harness, 'ingress');
    const other = harness.router.hop.open({
      sender: 'ingress',
      remoteHost: { host: '192.0.2.2', port: 4711 },
      rcptTimeoutMs: 60_000,
      dataTimeoutMs: 600_000,
      createAt: 'mail',
    });
    harness.far.answers = () => undefined;
    await other.mail(mailbox('alice@example.com'));
    expect((await other.rcpt(mailbox('bob@silent.example'))).code).toBe(250);
    await Promise.all([other.close(), end()]);
  });

  it('has the rest of it stored where that is a submission', async () => {
    const harness = await router();
    const { codes, end } = await stalled(harness, 'submission');
    expect(new Set(codes)).toEqual(new Set([250]));
    expect((await sendAs(harness, 'submission', ['u@silent.example'])).data?.code).toBe(250);
    expect((await sendAs(harness, 'submission', ['bob@example.com'])).data?.code).toBe(250);
    expect(harness.far.deliveries).toHaveLength(1);
    await end();
  });

  it('is kept from all places also where others have most of them: a busy domain is not sent away for that', async () => {
    const harness = await router();
    harness.far.answers = (stage) => (stage === 'rcpt' ? 'hang' : undefined);
    const domains = ['a', 'b', 'c', 'busy', 'busy', 'busy', 'busy', 'busy'].flatMap((name) => [name, name]);
    const exchanges = domains.map(() => openExchange(harness, 'ingress'));
    const asked = exchanges.map(async (exchange, i) => {
      await exchange.mail(mailbox('alice@example.com'));
      return exchange.rcpt(mailbox(`u${i}@${domains[i]}.example`));
    });
    await expect.poll(() => harness.router.load.slots.used).toBe(domains.length);
    await Promise.all([...exchanges.map((exchange) => exchange.close()), ...asked]);
  });
});

describe('the conversations of a sender', () => {
  const LIMITED = DEFAULT_CHAINS.replace('- name: ingress\n', '- name: ingress\n  max_inflight: 2\n');

  it('that come by SMTP are as many as configured; more are told to come later', async () => {
    const harness = await router(LIMITED);
    const from = () =>
      harness.router.hop.open({
        sender: 'ingress',
        remoteHost: { host: '192.0.2.1', port: 4711 },
        rcptTimeoutMs: 60_000,
        dataTimeoutMs: 600_000,
        createAt: 'mail',
      });
    const [one, two, three] = [from(), from(), from()];
    const mails = await Promise.all([one, two, three].map((each) => each.mail(mailbox('alice@example.com'))));
    expect(mails.map(({ code, enhanced }) => [code, enhanced])).toEqual([
      [250, '2.1.0'],
      [250, '2.1.0'],
      [451, '4.3.2'],
    ]);
    await one.close();
    await expect.poll(async () => (await from().mail(mailbox('bob@example.com'))).code).toBe(250);
  });
});
