/** Which messages the delivery journal hears of, and when: by a clock that the test moves. */
import { describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { UncertainPolicy } from '../../src/lib/core/uncertainty.ts';
import { DotJournal } from '../../src/lib/router/dot-journal.ts';
import { cutOffAttempt } from '../../src/lib/router/doubts.ts';
import { type Route, Work } from '../../src/lib/router/work.ts';
import type { AttemptRecord, DotMark } from '../../src/lib/store/store.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const T0 = 1_000_000;

class Ledger {
  readonly clock = new FakeClock(T0);
  readonly marked: DotMark[] = [];
  readonly noted: DotMark[] = [];
  isOurs = true;
  readonly journal = new DotJournal({
    deps: { clock: this.clock },
    store: {
      markDotSent: (mark) => {
        this.marked.push(mark);
        return Promise.resolve(this.isOurs);
      },
      noteDotSent: (mark) => this.noted.push(mark),
    },
  });
}

function work(uncertain?: UncertainPolicy, isDurable = true): Work {
  const sender = { name: 'app', ...(uncertain && { uncertain }) };
  const facts = { id: 'tx', route: { sender } as unknown as Route, origin: {}, createdAt: T0 };
  return new Work(facts, { state: {}, version: 0, pastAttempts: [], isDurable, now: 0 });
}

describe('a message that is tried again when in doubt', () => {
  it('is not written down when the far end answers soon', async () => {
    const { journal, clock, noted, marked } = new Ledger();
    const sent = work();
    expect(await journal.sending(sent)).toBe(true);
    await clock.advance(4);
    journal.answered(sent);
    await clock.advance(1000);
    expect([noted, marked]).toEqual([[], []]);
    expect(sent.attemptRecord()).toMatchObject({ dotSentAt: T0 });
  });

  it('is noted once when the far end takes its time, and nobody waits for that', async () => {
    const { journal, clock, noted, marked } = new Ledger();
    const sent = work('retry');
    await journal.sending(sent);
    await clock.advance(3);
    await journal.sending(work('retry'));
    await clock.advance(3);
    expect(noted.map(({ id, attempt, at }) => ({ id, attempt, at }))).toEqual([{ id: 'tx', attempt: 1, at: T0 }]);
    await clock.advance(1000);
    expect([noted.length, marked.length]).toEqual([2, 0]);
    expect(clock.sleeping).toBe(0);
  });

  it('is not noted before it is stored: its adoption says so', async () => {
    const { journal, clock, noted } = new Ledger();
    const child = work('retry', false);
    await journal.sending(child);
    await clock.advance(1000);
    expect(noted).toEqual([]);
    expect(child.attemptRecord()).toMatchObject({ dotSentAt: T0 });
  });
});

describe.for(['hold', 'ask'] as const)('a message with the policy %s', (policy) => {
  it('is marked before its end goes out, once however often it is asked for', async () => {
    const { journal, marked } = new Ledger();
    const sent = work(policy);
    expect([await journal.sending(sent), await journal.sending(sent)]).toEqual([true, true]);
    expect(marked).toMatchObject([{ id: 'tx', attempt: 1, at: T0 }]);
  });

  it('does not go out when it is another router’s by now', async () => {
    const ledger = new Ledger();
    ledger.isOurs = false;
    expect(await ledger.journal.sending(work(policy))).toBe(false);
  });

  it('needs no mark while nobody was answered for it', async () => {
    const { journal, marked } = new Ledger();
    expect(await journal.sending(work(policy, false))).toBe(true);
    expect(marked).toEqual([]);
  });

  it('waits for the commit that is just storing it, and is marked then', async () => {
    const { journal, marked } = new Ledger();
    const child = work(policy, false);
    let commit: () => void = () => undefined;
    child.adopting = new Promise((resolve) => {
      commit = resolve;
    });
    const sending = journal.sending(child);
    expect(marked).toEqual([]);
    child.isDurable = true;
    commit();
    expect(await sending).toBe(true);
    expect(marked).toHaveLength(1);
  });
});

describe('an attempt that was cut off after the final dot', () => {
  const rcpt = [reply(250, '2.1.5', 'ok')];
  const attempt = (number: number, more: Partial<AttemptRecord> = {}): AttemptRecord => ({
    number,
    startedAt: number,
    replies: { rcpt },
    ...more,
  });
  const cutOff = attempt(1, { dotSentAt: 5 });

  it('is found by whoever claims the transaction next', () => {
    expect(cutOffAttempt([cutOff, attempt(2)])).toBe(cutOff);
  });

  it('is found behind attempts that were begun and sent nothing', () => {
    expect(cutOffAttempt([cutOff, attempt(2), attempt(3)])).toBe(cutOff);
  });

  it('is over when it has an end, or a later one has', () => {
    expect(cutOffAttempt([{ ...cutOff, endedAt: 9 }, attempt(2)])).toBeUndefined();
    expect(cutOffAttempt([cutOff, attempt(2, { endedAt: 9 }), attempt(3)])).toBeUndefined();
  });

  it('is not the one that is just beginning, nor one that sent nothing', () => {
    expect(cutOffAttempt([attempt(1, { dotSentAt: 5 })])).toBeUndefined();
    expect(cutOffAttempt([attempt(1), attempt(2)])).toBeUndefined();
    expect(cutOffAttempt([])).toBeUndefined();
  });
});
