/** Notifications that come of what is in the store: created with an outcome, once, and linked to their original. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DatabaseKind, databases, type TestDatabase } from '../helpers/databases.ts';
import { BODY, boxOf, dsnsAt, isLate, patient, sendDsnMail, temporary } from '../helpers/dsn-mail.ts';
import { eventually, tickUntil } from '../helpers/fake-clock.ts';
import { DEFAULT_CHAINS, type Harness, startRouter } from '../helpers/router-harness.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Nobody else is there to hear a sign of life every two seconds, and hours pass. */
const ALONE = ', session_refresh_interval: 60';

describe.each(databases)('a notification on $name', (kind: DatabaseKind) => {
  let database: TestDatabase;
  let harness: Harness;

  async function restart(chains = DEFAULT_CHAINS): Promise<void> {
    const { far, clock } = harness;
    await harness.stop();
    harness = await startRouter({ databaseUrl: database.url, storage: ALONE, chains, far, clock, seed: 2 });
  }

  beforeEach(async () => {
    database = await kind.create();
    harness = await startRouter({ databaseUrl: database.url, storage: ALONE });
  });

  afterEach(async () => {
    await harness.stop();
    await database.drop();
  });

  const created = (): readonly string[] =>
    harness.log.flatMap(({ fields }) => ('notification' in fields ? String(fields.notification) : []));

  it('is linked to its original, retried, and never reported itself', async () => {
    harness.far.answers = (stage, rcpt) => (stage === 'rcpt' && rcpt === 'alice@a.test' ? temporary : undefined);
    const { service } = harness.router;
    const { id } = await service.create('native', {
      mailFrom: boxOf('alice@a.test'),
      rcptTo: [boxOf('dataperm@b.test')],
      body: { kind: 'inline', text: BODY },
    });
    await eventually(async () => (await harness.store.load(id))?.final !== undefined);
    const dsn = await harness.store.load(String(created()[0]));
    expect(dsn?.record).toMatchObject({ parentId: id, retry: true, notification: false, mailFrom: { address: '' } });
    // Its own failure at the end goes unreported.
    await harness.clock.advance(HOUR);
    await eventually(async () => (await harness.store.load(dsn?.record.id ?? ''))?.final?.outcome === 'failed');
    await harness.clock.advance(HOUR);
    expect(created()).toHaveLength(1);
  });

  it('of a delay is sent once, also over restarts, and the failure still follows', async () => {
    await restart(patient('delay_after: 120'));
    harness.far.answers = isLate;
    await sendDsnMail(harness, 'submission', { rcpts: ['late@b.test'], from: 'alice@a.test ENVID=7' });
    await harness.clock.advance(1.9 * MINUTE);
    expect(dsnsAt(harness)).toEqual([]);
    await tickUntil(harness.clock, () => dsnsAt(harness).length === 1);
    const [delay] = dsnsAt(harness);
    expect(delay?.status.envelopeId).toBe('7');
    expect(delay?.recipient).toMatchObject({ action: 'delayed', status: '4.2.0', diagnostic: '450 4.2.0 try later' });
    expect((delay?.recipient.retryUntil ?? 0) - (delay?.status.arrivalAt ?? 0)).toBe(15 * MINUTE);
    for (let i = 0; i < 3; i += 1) {
      await restart(patient('delay_after: 120'));
      await harness.clock.advance(1.1 * MINUTE);
    }
    expect(dsnsAt(harness).map(({ recipient }) => recipient.action)).toEqual(['delayed']);
    await tickUntil(harness.clock, () => dsnsAt(harness).length === 2);
    expect(dsnsAt(harness)[1]?.recipient.action).toBe('failed');
    await harness.clock.advance(HOUR);
    expect(dsnsAt(harness)).toHaveLength(2);
  });

  it('of a success is created with the outcome of a stored message, whose parameters have been in the store meanwhile', async () => {
    harness.far.answers = (stage) => (stage === 'data' ? temporary : undefined);
    await sendDsnMail(harness, 'submission', { rcpts: ['bob@b.test NOTIFY=SUCCESS'], from: 'alice@a.test ENVID=7' });
    await restart();
    harness.far.answers = () => undefined;
    await tickUntil(harness.clock, () => dsnsAt(harness).length === 1);
    expect(dsnsAt(harness)[0]).toMatchObject({ status: { envelopeId: '7' }, recipient: { action: 'relayed' } });
    await harness.clock.advance(10 * MINUTE);
    expect(dsnsAt(harness)).toHaveLength(1);
  });
});
