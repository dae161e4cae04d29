/** The retry policy as a pure function, and what five hundred days under it look like. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import {
  type AttemptEnd,
  afterAttempt,
  DEFAULT_RETRY,
  type RetryAsk,
  type RetryDecision,
  type RetryParams,
} from '../../src/lib/core/retry.ts';
import { inDoubt } from '../../src/lib/core/uncertainty.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { seededRng } from '../helpers/fake-deps.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const T0 = Date.UTC(2026, 0, 1);

const replied = (response: Response, phase: 'mail' | 'rcpt' | 'data' = 'data'): AttemptEnd => ({
  kind: 'replied',
  phase,
  reply: response,
});
const good = replied(reply(250, '2.0.0', 'ok'));
const temp = replied(reply(451, '4.7.1', 'later'));
const odd = replied({ code: 354, text: 'go ahead' });
const bug: AttemptEnd = { kind: 'bug' };
const unlimited: RetryParams = { ...DEFAULT_RETRY, maxAttempts: null, deadlineMs: null };

function decide(
  end: AttemptEnd,
  ask: Partial<RetryAsk> = {},
  params = DEFAULT_RETRY,
  ageMs = 0,
  jitter = 0,
): RetryDecision {
  return afterAttempt({ end, attempt: 1, createdAt: T0, retry: true, ...ask }, params, T0 + ageMs, jitter);
}

describe('an attempt that ended for good, with retrying enabled or not,', () => {
  const perm = reply(550, '5.1.1', 'no');
  test.each<[string, AttemptEnd, string, string]>([
    ['accepted', good, 'delivered', 'upstream response success'],
    ['refused at MAIL', replied(perm, 'mail'), 'failed', 'upstream mail_response permfail'],
    ['refused at RCPT', replied(perm, 'rcpt'), 'failed', 'upstream rcpt_response permfail'],
    ['refused at DATA', replied(perm, 'data'), 'failed', 'upstream response permfail'],
    ['cancelled', { kind: 'cancelled' }, 'cancelled', 'downstream cancelled'],
    ['left alone by its client', { kind: 'downstreamTimeout' }, 'abandoned', 'downstream timeout'],
  ])('%s', (_, end, outcome, text) => {
    for (const retry of [true, false]) {
      expect(decide(end, { retry })).toEqual({ kind: 'finish', final: { outcome, text } });
    }
  });
});

describe('an attempt that sent the message whole and was never answered', () => {
  const doubtful = replied(inDoubt(reply(450, '4.4.2', 'connection lost')));
  test('is tried again by default', () => {
    expect(decide(doubtful).kind).toBe('defer');
    expect(decide(doubtful, { whenUncertain: 'retry' }).kind).toBe('defer');
  });
  test.each(['hold', 'ask'] as const)(
    'leaves it to somebody to decide with %s, also where nothing else is tried again',
    (whenUncertain) => {
      for (const retry of [true, false])
        expect(decide(doubtful, { retry, whenUncertain })).toEqual({ kind: 'uncertain' });
      expect(decide(doubtful, { attempt: 1000, whenUncertain })).toEqual({ kind: 'uncertain' });
    },
  );
  test('is the same when it was a bug that kept the answer from being heard', () => {
    const unheard: AttemptEnd = { kind: 'bug', isInDoubt: true };
    for (const retry of [true, false])
      expect(decide(unheard, { retry, whenUncertain: 'hold' })).toEqual({ kind: 'uncertain' });
    expect(decide(unheard, { attempt: 1000, whenUncertain: 'ask' })).toEqual({ kind: 'uncertain' });
    expect(decide(unheard)).toEqual(decide(bug));
  });
  test('is not any other failure', () => {
    expect(decide(temp, { whenUncertain: 'hold' }).kind).toBe('defer');
    expect(decide(bug, { whenUncertain: 'hold' }).kind).toBe('defer');
    const refused = replied(inDoubt(reply(550, '5.1.1', 'no')));
    expect(decide(refused, { whenUncertain: 'hold' }).kind).toBe('finish');
  });
});

describe.each<[string, AttemptEnd, number]>([
  ['was refused for now', temp, MINUTE],
  ['was refused for now at MAIL', replied(reply(450, '4.1.0', 'later'), 'mail'), MINUTE],
  ['was answered with no final code', odd, MINUTE],
  ['ended in a bug', bug, HOUR],
])('an attempt that %s', (_, end, firstPauseMs) => {
  const failed = (text: string): RetryDecision => ({ kind: 'finish', final: { outcome: 'failed', text } });

  test('is tried again after a pause', () => {
    expect(decide(end)).toEqual({ kind: 'defer', until: T0 + firstPauseMs });
  });
  test('is not tried again when retrying is not enabled, and says so', () => {
    expect(decide(end, { retry: false })).toEqual(failed('no retry'));
  });
  test('is given up with the last attempt', () => {
    expect(decide(end, { attempt: 29 }).kind).toBe('defer');
    expect(decide(end, { attempt: 30 })).toEqual(failed('retry policy max attempts'));
    expect(decide(end, { attempt: 31 })).toEqual(failed('retry policy max attempts'));
  });
  test('is given up when the next attempt would be too late', () => {
    expect(decide(end, {}, DEFAULT_RETRY, DAY - HOUR).kind).toBe('defer');
    expect(decide(end, {}, DEFAULT_RETRY, DAY - HOUR + 1)).toEqual(failed('retry policy deadline'));
    expect(decide(end, {}, DEFAULT_RETRY, 10 * DAY)).toEqual(failed('retry policy deadline'));
  });
  test('goes on for ever without limits', () => {
    expect(decide(end, { attempt: 1_000_000 }, unlimited, 5000 * DAY).kind).toBe('defer');
  });
});

describe('the pause', () => {
  const pause = (params: RetryParams, ageMs: number, jitter = 0, end = temp): number => {
    const decision = decide(end, {}, params, ageMs, jitter);
    if (decision.kind !== 'defer') throw new Error('expected a deferral');
    return decision.until - T0 - ageMs;
  };

  test.each<[number, number]>([
    [0, MINUTE],
    [30_000, MINUTE],
    [MINUTE, 90_000],
    [10 * MINUTE, 15 * MINUTE],
    [40 * MINUTE, HOUR],
    [5 * DAY, HOUR],
  ])('after %i ms is %i ms: the age times the factor, between minimum and maximum', (ageMs, expected) => {
    expect(pause(unlimited, ageMs)).toBe(expected);
  });

  test('is the minimum when the maximum is less', () => {
    expect(pause({ ...unlimited, maxAttemptTimeMs: 1000 }, 5 * MINUTE)).toBe(MINUTE);
  });

  test('does not run backwards when the clock did', () => {
    expect(pause(unlimited, -DAY)).toBe(MINUTE);
  });

  test('is never so short that retrying becomes a loop', () => {
    const none = { ...unlimited, minAttemptTimeMs: 0, maxAttemptTimeMs: 0, backoffFactor: 0, bugRetryMs: 1 };
    expect(pause(none, DAY)).toBe(limits.retryPauseMs);
    expect(pause(none, DAY, 0, bug)).toBe(limits.retryPauseMs);
  });

  test('grows by up to a tenth with the jitter, and never shrinks', () => {
    const age = fc.integer({ min: 0, max: 2 * DAY });
    fc.assert(
      fc.property(age, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (ageMs, jitter) => {
        const plain = pause(unlimited, ageMs);
        const jittered = pause(unlimited, ageMs, jitter);
        expect(jittered).toBeGreaterThanOrEqual(plain);
        // Both end on a whole millisecond.
        expect(jittered).toBeLessThanOrEqual((plain + 1) * 1.1);
      }),
    );
  });

  test('ends on a whole millisecond', () => {
    const decision = decide(temp, {}, { ...unlimited, backoffFactor: 1.234567 }, 123_457, 0.777);
    expect(decision).toMatchObject({ kind: 'defer', until: expect.any(Number) });
    expect(Number.isInteger((decision as { until: number }).until)).toBe(true);
  });
});

/** Lives through a transaction that never succeeds, on a clock that jumps from attempt to attempt. */
async function live(params: RetryParams, days: number, seed: number, ends: readonly AttemptEnd[]) {
  const clock = new FakeClock(T0);
  const rng = seededRng(seed);
  const startedAt: number[] = [];
  for (;;) {
    startedAt.push(clock.now());
    await clock.advance(Math.floor(rng.uniform() * 5000));
    const end = ends[startedAt.length % ends.length] as AttemptEnd;
    const ask = { end, attempt: startedAt.length, createdAt: T0, retry: true };
    const decision = afterAttempt(ask, params, clock.now(), rng.uniform());
    if (decision.kind !== 'defer' || decision.until > T0 + days * DAY) return { startedAt, decision };
    await clock.advance(decision.until - clock.now());
  }
}

describe('a transaction that never succeeds', () => {
  test('is tried at most 30 times in a day by default, ever more rarely, and then failed', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const { startedAt, decision } = await live(DEFAULT_RETRY, 500, seed, [temp]);
      expect(decision).toMatchObject({ kind: 'finish', final: { outcome: 'failed' } });
      expect(startedAt.length).toBeLessThanOrEqual(30);
      expect(startedAt.length).toBeGreaterThan(20);
      expect(startedAt.at(-1)).toBeLessThanOrEqual(T0 + DAY);
      for (const [i, at] of startedAt.entries()) {
        if (i > 0) expect(at - (startedAt[i - 1] as number)).toBeGreaterThanOrEqual(MINUTE);
      }
    }
  });

  test('is tried for 500 days without limits, at the pace of the longest pause', async () => {
    const params = { ...unlimited, maxAttemptTimeMs: 6 * HOUR };
    const { startedAt, decision } = await live(params, 500, 7, [temp]);
    expect(decision.kind).toBe('defer');
    expect(startedAt.length).toBeGreaterThan((500 * DAY) / (6.7 * HOUR));
    expect(startedAt.length).toBeLessThan((500 * DAY) / (6 * HOUR) + 20);
  });

  test('stays within attempts, deadline and pace under any policy and any mix of failures', async () => {
    const duration = fc.integer({ min: 0, max: 3 * HOUR });
    const params = fc.record<RetryParams>({
      maxAttempts: fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 60 })),
      minAttemptTimeMs: duration,
      maxAttemptTimeMs: duration,
      backoffFactor: fc.constantFrom(0, 0.5, 1, 1.5, 1000),
      deadlineMs: fc.oneof(fc.constant(null), fc.integer({ min: 1, max: DAY })),
      bugRetryMs: fc.integer({ min: 1, max: HOUR }),
    });
    const ends = fc.array(fc.constantFrom(temp, odd, bug), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(params, ends, fc.integer(), async (p, e, seed) => {
        const days = 0.01;
        const { startedAt, decision } = await live(p, days, seed, e);
        if (p.maxAttempts !== null) expect(startedAt.length).toBeLessThanOrEqual(p.maxAttempts);
        if (p.deadlineMs !== null) expect(startedAt.at(-1)).toBeLessThanOrEqual(T0 + p.deadlineMs);
        expect(startedAt.length).toBeLessThanOrEqual((days * DAY) / limits.retryPauseMs + 1);
        if (decision.kind === 'finish') {
          expect(p.maxAttempts !== null || p.deadlineMs !== null).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  }, 60_000);
});
