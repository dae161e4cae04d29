/** A message that nobody takes for 500 days, through a whole router and a real store, on a clock that the test moves. */
import { expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { sqlite } from '../helpers/databases.ts';
import { tickUntil } from '../helpers/fake-clock.ts';
import { DEFAULT_CHAINS, type Harness, sendAs, startRouter } from '../helpers/router-harness.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LEAP = 12 * HOUR;
const BOB = 'bob@far.example';

const PATIENT = DEFAULT_CHAINS.replace(
  /retry_params: \{.*\}/,
  'retry_params: {max_attempts: null, min_attempt_time: 3600, max_attempt_time: 86400, deadline: null}',
);

/** Moves half a day, and lets what fell due by then be done. */
async function leap({ clock, store }: Harness): Promise<void> {
  await clock.leap(LEAP);
  await tickUntil(clock, async () => {
    const dueAt = await store.nextDueAt();
    return dueAt === undefined ? (await store.queueDepth()).active === 0 : dueAt > clock.now();
  });
}

it('is tried at the pace of its policy for 500 days, across restarts, and delivered once when it is taken', async () => {
  const database = await sqlite.create();
  // A session that is refreshed as rarely as this test looks.
  const options = {
    databaseUrl: database.url,
    chains: PATIENT,
    storage: ', session_refresh_interval: 86400, session_ttl: 864000',
  };
  let harness = await startRouter(options);
  const { clock, far } = harness;
  const born = clock.now();
  const tries: number[] = [];
  far.answers = (stage, rcpt) => {
    if (stage !== 'rcpt' || rcpt !== BOB) return undefined;
    tries.push(clock.now() - born);
    return clock.now() - born < 500 * DAY ? reply(450, '4.2.0', 'not yet') : undefined;
  };
  try {
    expect((await sendAs(harness, 'submission', [BOB])).data?.code).toBe(250);
    for (let leaps = 1; leaps <= (510 * DAY) / LEAP; leaps += 1) {
      await leap(harness);
      if (leaps % 200 !== 0) continue;
      await harness.stop();
      harness = await startRouter({ ...options, clock, far });
    }
    const pauses = tries.slice(1).map((at, i) => at - (tries[i] as number));
    // It grows with the age of the message up to a day, and a tenth more by the jitter; we look twice a day.
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1.1 * DAY + LEAP);
    expect(pauses.slice(5).every((pause) => pause >= DAY)).toBe(true);
    expect(tries.at(-1)).toBeGreaterThanOrEqual(500 * DAY);
    expect(far.deliveries.filter(({ rcptTo }) => rcptTo.includes(BOB))).toHaveLength(1);
    // Its sender heard once that it is late.
    expect(far.deliveries.filter(({ rcptTo }) => rcptTo.includes('alice@example.com'))).toHaveLength(1);
  } finally {
    await harness.stop();
    await database.drop();
  }
}, 60_000);
