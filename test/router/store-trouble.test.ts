/** A store that fails for a moment, and leases that are lost: nothing stays behind under a lease that nobody works on. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusing } from '../../src/lib/chain/refusing.ts';
import type { Body } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import type { HopAsk } from '../../src/lib/core/hop.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import type { UploadAsk } from '../../src/lib/http/service.ts';
import { StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { settle, tickUntil } from '../helpers/fake-clock.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { startRouter } from '../helpers/router-harness.ts';
import { storeWith } from '../helpers/store-with.ts';

const inlineAsk = (rcpt: string) => ({
  mailFrom: mailbox('alice@example.com'),
  rcptTo: [mailbox(rcpt)],
  body: { kind: 'inline', text: 'subject: quoted\r\n\r\nhello\r\n' } as const,
});

/** Lets its first client wait for the answer to MAIL until it is told to refuse. */
class SlowFarEnd extends FarEnd {
  answerFirst: () => void = () => undefined;

  override open(ask: HopAsk): Exchange {
    const exchange = super.open(ask);
    if (this.asks.length > 1) return exchange;
    const refused = new Promise<Response>((resolve) => {
      this.answerFirst = () => resolve(reply(450, '4.2.0', 'later'));
    });
    return { ...refusing(reply(450, '4.2.0', 'later')), mail: () => refused, close: () => exchange.close() };
  }
}

const uploadOf = (text: string): UploadAsk => ({
  offset: 0,
  whole: true,
  bytes: (async function* () {
    yield Buffer.from(text);
  })(),
});

const away = (): Promise<never> => Promise.reject(new StoreUnavailableError('away'));

describe.each(databases)('a router whose store is in trouble ($name)', (kind) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(() => database.drop());

  it('delivers a retry that it had claimed when its message could not be read', async () => {
    let isAway = false;
    const failures: string[] = [];
    const wrapStore = storeWith((real) => ({
      openBlob: (txId, name) => {
        if (!isAway) return real.openBlob(txId, name);
        failures.push(txId);
        return away();
      },
    }));
    const harness = await startRouter({ databaseUrl: database.url, wrapStore });
    harness.far.answers = (stage) => (stage === 'data' ? { code: 450, text: 'later' } : undefined);
    await harness.router.service.create('native', inlineAsk('bob@example.com'));
    await settle(20);
    harness.far.answers = () => undefined;
    isAway = true;
    await tickUntil(harness.clock, () => failures.length > 0);
    isAway = false;
    await tickUntil(harness.clock, () => harness.far.deliveries.length > 0);
    await harness.stop();
    expect(harness.far.deliveries).toHaveLength(1);
  });

  it('lets go of an attempt under its lost lease, and delivers with what it claims again', async () => {
    const far = new SlowFarEnd();
    const storage = ', session_refresh_interval: 2, session_ttl: 6';
    const harness = await startRouter({ databaseUrl: database.url, storage, far });
    const { id } = await harness.router.service.create('native', inlineAsk('bob@example.com'));
    await settle(20);
    // From here on the transaction is anybody's, while the attempt waits for an answer.
    await harness.store.expireSessions(await harness.store.sessions());
    await tickUntil(harness.clock, () => far.deliveries.length > 0);
    far.answerFirst();
    await settle(20);
    await tickUntil(harness.clock, async () => (await harness.store.load(id))?.final?.outcome === 'delivered');
    await harness.stop();
    expect(far.deliveries).toHaveLength(1);
  });

  it('does not count attempts that were claimed, and nobody heard of', async () => {
    let lost = 0;
    const wrapStore = storeWith((real) => ({
      claimDue: async (...args) => {
        const claimed = await real.claimDue(...args);
        if (claimed.length === 0 || lost === 5) return claimed;
        lost += 1;
        throw new StoreUnavailableError('the answer was lost', { isInDoubt: true });
      },
    }));
    const harness = await startRouter({ databaseUrl: database.url, wrapStore });
    harness.far.answers = (stage) => (stage === 'data' ? reply(450, '4.2.0', 'later') : undefined);
    const { id } = await harness.router.service.create('native', inlineAsk('bob@example.com'));
    await settle(20);
    await tickUntil(harness.clock, () => lost === 5);
    await tickUntil(harness.clock, async () => (await harness.store.load(id))?.attempts.at(-1)?.number === 2);
    harness.far.answers = () => undefined;
    await tickUntil(harness.clock, async () => (await harness.store.load(id))?.final !== undefined);
    const stored = await harness.store.load(id);
    await harness.stop();
    expect(stored?.final?.outcome).toBe('delivered');
    expect(stored?.attempts.every(({ endedAt }) => endedAt !== undefined)).toBe(true);
  });

  it('bounces although the header to quote could not be read at first', async () => {
    let reads = 0;
    const failSecondRead = (body: Body): Body => ({
      size: body.size,
      retain: () => body.retain(),
      async *chunks() {
        reads += 1;
        if (reads === 2) await away();
        yield* body.chunks();
      },
    });
    const wrapStore = storeWith((real) => ({
      openBlob: async (txId, name) => {
        const body = await real.openBlob(txId, name);
        return body === undefined ? undefined : failSecondRead(body);
      },
    }));
    const harness = await startRouter({ databaseUrl: database.url, wrapStore });
    const { body, ...envelope } = inlineAsk('dataperm@example.com');
    const { id } = await harness.router.service.create('native', envelope);
    await harness.router.service.upload(id, undefined, uploadOf(body.text));
    await tickUntil(harness.clock, () => harness.far.deliveries.length > 0);
    await harness.stop();
    expect(reads).toBeGreaterThan(2);
    expect(harness.far.deliveries[0]).toMatchObject({ mailFrom: '', rcptTo: ['alice@example.com'] });
    expect(harness.far.deliveries[0]?.body).toContain('subject: quoted');
  });

  it('keeps what it answered 201 for when a message that it shares cannot be read', async () => {
    let isAway = false;
    const wrapStore = storeWith((real) => ({
      openBlob: (txId, name) => (isAway ? away() : real.openBlob(txId, name)),
    }));
    const harness = await startRouter({ databaseUrl: database.url, wrapStore });
    const { service } = harness.router;
    const first = await service.create('native', inlineAsk('ann@example.com'));
    isAway = true;
    const reuse = { kind: 'reuse', uri: `/transactions/${first.id}/body` } as const;
    const { id } = await service.create('native', { ...inlineAsk('bob@example.com'), body: reuse });
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 1);
    isAway = false;
    await tickUntil(harness.clock, async () => (await harness.store.load(id))?.final?.outcome === 'delivered');
    await harness.stop();
    expect(harness.far.deliveries.map(({ rcptTo }) => rcptTo[0])).toEqual(['ann@example.com', 'bob@example.com']);
  });

  it('tells no client at its end how a transaction has ended that it could not record', async () => {
    const harness = await startRouter({
      databaseUrl: database.url,
      wrapStore: storeWith(() => ({ recordOutcome: away })),
    });
    const { service } = harness.router;
    const { id } = await service.create('native', inlineAsk('dataperm@example.com'));
    await settle(30);
    const view = await service.read(id, undefined, new AbortController().signal);
    expect(view?.state.replies.data?.code).toBe(550);
    const wait = { ifNoneMatch: String(view?.version), waitMs: 60_000 };
    const read = service.read(id, wait, new AbortController().signal);
    await harness.stop();
    expect((await read)?.state.final).toBeUndefined();
    // The next life asks again, and hears otherwise.
    const far = new FarEnd();
    far.answers = () => reply(250, '2.0.0', 'ok');
    const next = await startRouter({ databaseUrl: database.url, seed: 2, far });
    await tickUntil(next.clock, async () => (await next.store.load(id))?.final !== undefined);
    expect((await next.store.load(id))?.final?.outcome).toBe('delivered');
    await next.stop();
  });

  it('tells a client in a while, not never, that it cannot cancel', async () => {
    let isAway = false;
    const wrapStore = storeWith((real) => ({
      recordOutcome: (outcome, now) => (isAway ? away() : real.recordOutcome(outcome, now)),
      cancel: (txId, now) => (isAway ? away() : real.cancel(txId, now)),
    }));
    const harness = await startRouter({ databaseUrl: database.url, wrapStore });
    isAway = true;
    const { id } = await harness.router.service.create('native', inlineAsk('datatemp@example.com'));
    await tickUntil(harness.clock, () => harness.log.some(({ text }) => text.startsWith('an outcome could not')));
    let answer: unknown;
    harness.router.service.cancel(id).catch((error: unknown) => {
      answer = error;
    });
    await tickUntil(harness.clock, () => answer !== undefined);
    expect(answer).toBeInstanceOf(StoreUnavailableError);
    isAway = false;
    await harness.stop();
  });

  it('does not send after a crash what it had answered as cancelled', async () => {
    const far = new FarEnd();
    far.answers = () => 'hang';
    const never = new Promise<never>(() => undefined);
    // It dies before it has recorded how the cancelled attempt ended.
    const wrapStore = storeWith(() => ({ recordOutcome: () => never }));
    const first = await startRouter({ databaseUrl: database.url, far, wrapStore });
    const { id } = await first.router.service.create('native', inlineAsk('bob@example.com'));
    await settle(20);
    let isCancelled = false;
    const cancelling = first.router.service.cancel(id).then(() => {
      isCancelled = true;
    });
    await tickUntil(first.clock, () => isCancelled);
    await cancelling;
    await first.store.closeSession();
    far.answers = () => undefined;
    const second = await startRouter({ databaseUrl: database.url, far, seed: 2 });
    await second.clock.advance(60_000);
    const stored = await second.store.load(id);
    await second.stop();
    await first.store.close();
    expect(stored?.final?.outcome).toBe('cancelled');
    expect(far.deliveries).toHaveLength(0);
  });
});
