/** What senders are told of failures, delays and successes (RFC 3461), by a whole router over a scripted far end. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { type DatabaseKind, databases, type TestDatabase } from '../helpers/databases.ts';
import { BODY, boxOf, dsnsAt, isLate, patient, sendDsnMail } from '../helpers/dsn-mail.ts';
import { eventually, tickUntil } from '../helpers/fake-clock.ts';
import { DEFAULT_CHAINS, type Harness, startRouter } from '../helpers/router-harness.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A message whose bytes are gone. */
const unreadable: Body = {
  size: BODY.length,
  chunks: () => {
    throw new Error('the disk says no');
  },
  retain: () => () => undefined,
};
const never = new AbortController().signal;
describe('notifications', () => {
  let database: TestDatabase;
  let harness: Harness;

  async function restart(chains = DEFAULT_CHAINS): Promise<void> {
    const { far, clock } = harness;
    await harness.stop();
    harness = await startRouter({ databaseUrl: database.url, chains, far, clock, seed: 2 });
  }

  beforeEach(async () => {
    database = await (databases[0] as DatabaseKind).create();
    harness = await startRouter({ databaseUrl: database.url });
  });

  afterEach(async () => {
    await harness.stop();
    await database.drop();
  });

  /** The ids of the notifications that were created. */
  const created = (): readonly string[] =>
    harness.log.flatMap(({ fields }) => ('notification' in fields ? String(fields.notification) : []));

  /** Mixed results, so that a failure is ours to report. */
  const failFor = (rcpt: string, from?: string, body?: Body): Promise<Response | undefined> =>
    sendDsnMail(harness, 'ingress', { rcpts: ['bob@b.test', rcpt], ...(from && { from }), ...(body && { body }) });

  describe('of a failure', () => {
    it('names recipient, envelope and far end as the sender and the far end do', async () => {
      harness.far.answers = (stage, rcpt) =>
        stage === 'data' && rcpt.startsWith('dataperm')
          ? { code: 550, enhanced: '5.7.1', text: 'go away', source: { mta: 'mx.b.test' } }
          : undefined;
      await failFor('dataperm@b.test ORCPT=rfc822;Robert+2Bx@b.test', 'alice@a.test ENVID=QQ+2B7 RET=HDRS');
      await harness.far.received(2);
      const [dsn] = dsnsAt(harness);
      expect(dsn?.status).toMatchObject({ envelopeId: 'QQ+7', reportingMta: 'koukan.example' });
      expect(dsn?.recipient).toMatchObject({
        finalRecipient: { type: 'rfc822', address: 'dataperm@b.test' },
        originalRecipient: { type: 'rfc822', address: 'Robert+x@b.test' },
        action: 'failed',
        status: '5.7.1',
        remoteMta: 'mx.b.test',
        diagnostic: '550 5.7.1 go away',
      });
      expect(dsn?.text).toContain('The answer of mx.b.test was:');
      expect(dsn?.shape).toContain('text/rfc822-headers');
      expect(dsn?.quoted).not.toContain('hello');
    });

    it.each(['NOTIFY=NEVER', 'NOTIFY=SUCCESS', 'NOTIFY=DELAY'])(
      'is not sent with %s, and the 250 stands',
      async (notify) => {
        expect((await failFor(`dataperm@b.test ${notify}`))?.code).toBe(250);
        await harness.clock.advance(10 * MINUTE);
        expect(dsnsAt(harness)).toEqual([]);
      },
    );

    it('is not sent for the null reverse-path', async () => {
      expect((await failFor('dataperm@b.test NOTIFY=FAILURE', '<>'))?.code).toBe(250);
      await harness.clock.advance(10 * MINUTE);
      expect(harness.far.deliveries.map(({ rcptTo }) => rcptTo)).toEqual([['bob@b.test']]);
    });

    it('hides no failure behind a 250 when it cannot be sent, unless nobody wants to hear of it', async () => {
      await restart(DEFAULT_CHAINS.replace('    notification: {sender: bounces}\n', ''));
      expect((await failFor('dataperm@b.test'))?.code).toBe(550);
      expect((await failFor('dataperm@b.test NOTIFY=NEVER'))?.code).toBe(250);
    });

    it('returns the whole message when that is asked for, and its header when it is too large', async () => {
      await failFor('dataperm@b.test', 'alice@a.test RET=FULL');
      await harness.far.received(2);
      expect(dsnsAt(harness)[0]).toMatchObject({
        quoted: BODY,
        shape: 'report(text/plain,message/delivery-status,message/rfc822)',
      });
      const large = memoryBody(Buffer.from(`Subject: big\r\n\r\n${'x'.repeat(70).concat('\r\n').repeat(20_000)}`));
      await failFor('dataperm@b.test', 'alice@a.test RET=FULL', large);
      await harness.far.received(4);
      expect(dsnsAt(harness)[1]).toMatchObject({ quoted: 'Subject: big\r\n' });
    });

    it('asks for 8BITMIME when it returns 8-bit text, and for SMTPUTF8 when its addressee needs that', async () => {
      const body = memoryBody(Buffer.from('Subject: x\r\n\r\nbödy\r\n'));
      await failFor('dataperm@b.test', 'jürgen@a.test RET=FULL', body);
      await harness.far.received(2);
      const dsn = harness.far.deliveries.find(({ mailFrom }) => mailFrom === '');
      expect(dsn?.envelope.from).toEqual(boxOf('<> BODY=8BITMIME SMTPUTF8'));
      expect(dsnsAt(harness)[0]?.shape).toBe('report(text/plain,message/global-delivery-status,message/global)');
    });

    it('is one for each recipient that failed, and none for the others', async () => {
      await sendDsnMail(harness, 'submission', {
        rcpts: [
          'dataperm1@b.test',
          'bob@b.test',
          'dataperm2@b.test NOTIFY=NEVER',
          'dataperm3@b.test',
          'datatemp@b.test',
        ],
      });
      await tickUntil(harness.clock, () => dsnsAt(harness).length === 3);
      await harness.clock.advance(10 * MINUTE);
      expect(
        dsnsAt(harness)
          .map(({ recipient }) => recipient.finalRecipient.address)
          .sort(),
      ).toEqual(['dataperm1@b.test', 'dataperm3@b.test', 'datatemp@b.test']);
    });

    it('goes without the message when that cannot be read, and the outcome is recorded', async () => {
      const { store } = harness;
      const { service } = harness.router;
      harness.far.answers = isLate;
      const { id } = await service.create('native', {
        mailFrom: boxOf('alice@a.test RET=FULL'),
        rcptTo: [boxOf('late@b.test')],
        body: { kind: 'inline', text: BODY },
      });
      await eventually(async () => (await store.load(id))?.nextAttemptAt !== undefined);
      harness.far.answers = (stage, rcpt) =>
        stage === 'rcpt' && rcpt === 'late@b.test' ? reply(550, '5.1.1', 'gone') : undefined;
      vi.spyOn(store, 'openBlob').mockImplementationOnce(async () => unreadable);
      await tickUntil(harness.clock, () => dsnsAt(harness).length === 1);
      expect(dsnsAt(harness)[0]?.shape).toBe('report(text/plain,message/delivery-status)');
      expect((await store.load(id))?.final?.outcome).toBe('failed');
      expect(harness.log.some(({ text }) => text.includes('goes without the message'))).toBe(true);
    });
  });

  describe('of a delay', () => {
    const deferred = (rcpt: string): Promise<Response | undefined> => {
      harness.far.answers = isLate;
      return sendDsnMail(harness, 'submission', { rcpts: [rcpt], from: 'alice@a.test ENVID=7' });
    };

    it.each(['NOTIFY=NEVER', 'NOTIFY=FAILURE', 'NOTIFY=SUCCESS'])('is not sent with %s', async (notify) => {
      await restart(patient('delay_after: 120'));
      await deferred(`late@b.test ${notify}`);
      await harness.clock.advance(10 * MINUTE);
      expect(dsnsAt(harness)).toEqual([]);
    });

    it('is never sent when the configuration says so', async () => {
      await restart(patient('delay_after: null'));
      await deferred('late@b.test');
      await harness.clock.advance(10 * MINUTE);
      expect(dsnsAt(harness)).toEqual([]);
    });
  });

  describe('of a success', () => {
    const takenBy = (handover?: 'passed' | 'relayed' | 'delivered'): void => {
      harness.far.answers = (stage, rcpt) =>
        stage === 'data' && rcpt !== 'alice@a.test'
          ? { code: 250, enhanced: '2.0.0', text: 'taken', source: { mta: 'mx.b.test', ...(handover && { handover }) } }
          : undefined;
    };

    it.each([
      ['relayed', 'relayed'],
      ['delivered', 'delivered'],
      [undefined, 'relayed'],
    ] as const)(
      'is sent when the far end has it and says %s, before the client hears its 250',
      async (handover, action) => {
        takenBy(handover);
        const data = await sendDsnMail(harness, 'ingress', {
          rcpts: ['bob@b.test NOTIFY=SUCCESS'],
          from: 'alice@a.test ENVID=7',
        });
        expect(data).toMatchObject({ code: 250, text: 'taken', source: { handover: 'reported' } });
        expect((await harness.store.load(String(created()[0])))?.record.mailFrom?.address).toBe('');
        await harness.far.received(2);
        const [dsn] = dsnsAt(harness);
        expect(dsn?.status.envelopeId).toBe('7');
        expect(dsn?.recipient).toMatchObject({ action, status: '2.0.0', remoteMta: 'mx.b.test' });
        await harness.clock.advance(10 * MINUTE);
        expect(dsnsAt(harness)).toHaveLength(1);
      },
    );

    it('is left to the far end that has the duty', async () => {
      takenBy('passed');
      const before = harness.store.stats.promises;
      await sendDsnMail(harness, 'ingress', {
        rcpts: ['bob@b.test NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@y'],
        from: 'alice@a.test RET=FULL ENVID=7',
      });
      expect(harness.store.stats.promises).toBe(before);
      await harness.clock.advance(10 * MINUTE);
      expect(harness.far.deliveries).toHaveLength(1);
      expect(harness.far.deliveries[0]?.envelope).toEqual({
        from: boxOf('alice@a.test RET=FULL ENVID=7'),
        to: [boxOf('bob@b.test NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@y')],
      });
    });

    it.each(['', 'NOTIFY=NEVER', 'NOTIFY=FAILURE,DELAY'])(
      'is not sent when nobody asked for it: "%s"',
      async (notify) => {
        takenBy('relayed');
        await sendDsnMail(harness, 'ingress', { rcpts: [`bob@b.test ${notify}`.trim()] });
        await sendDsnMail(harness, 'stored', { rcpts: [`bob@b.test ${notify}`.trim()] });
        await harness.clock.advance(10 * MINUTE);
        expect(dsnsAt(harness)).toEqual([]);
      },
    );

    it('is for REST clients that ask for it in `e`, when their sender has notifications', async () => {
      takenBy('relayed');
      const { service } = harness.router;
      const ask = {
        mailFrom: boxOf('alice@a.test ENVID=rest'),
        rcptTo: [boxOf('bob@b.test NOTIFY=SUCCESS')],
        body: { kind: 'inline', text: BODY } as const,
      };
      await service.create('oneshot', ask);
      await harness.far.received(1);
      const { id } = await service.create('native', ask);
      await harness.far.received(3);
      await eventually(async () => (await service.read(id, undefined, never))?.state.final?.outcome === 'delivered');
      await harness.clock.advance(10 * MINUTE);
      expect(dsnsAt(harness).map(({ status }) => status.envelopeId)).toEqual(['rest']);
    });
  });
});

describe('a configuration that says nothing about delays', () => {
  it('tells of one after four hours', async (context) => {
    const database = await (databases[0] as DatabaseKind).create();
    context.onTestFinished(() => database.drop());
    const chains = patient('tag: null', 86_400).replace('max_attempt_time: 60', 'max_attempt_time: 1800');
    const harness = await startRouter({ databaseUrl: database.url, chains });
    context.onTestFinished(() => harness.stop());
    harness.far.answers = isLate;
    await sendDsnMail(harness, 'submission', { rcpts: ['late@b.test'] });
    await harness.clock.advance(3.9 * HOUR);
    expect(dsnsAt(harness)).toEqual([]);
    await tickUntil(harness.clock, () => dsnsAt(harness).length === 1);
    expect(dsnsAt(harness)[0]?.recipient.action).toBe('delayed');
  });
});
