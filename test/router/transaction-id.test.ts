import { describe, expect, it } from 'vitest';
import { newConversationId, newTransactionId, sessionOf } from '../../src/lib/router/transaction-id.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

const ENTROPY = 16;
const INSTANTS = [
  0,
  1,
  1_000_000,
  Date.UTC(2026, 0, 1),
  Date.UTC(2026, 0, 1) + 1,
  Date.UTC(2100, 0, 1),
  Date.UTC(5000, 0, 1),
];

describe('the id of a transaction', () => {
  it('comes after those made earlier, so that a database finds its place beside them', () => {
    const ids = INSTANTS.map((now) => newTransactionId({ ...fakeDeps(), clock: new FakeClock(now) }, ENTROPY));
    expect([...ids].sort()).toEqual(ids);
    // In databases that do not tell small letters from capital ones, too.
    expect([...ids].sort((a, b) => a.toLowerCase().localeCompare(b.toLowerCase(), 'en'))).toEqual(ids);
  });

  it('has all its random bytes beside the time, and nothing that a URL would have to escape', () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 1));
    const deps = { ...fakeDeps(), clock };
    const ids = Array.from({ length: 100 }, () => newTransactionId(deps, ENTROPY));
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(Buffer.from(id.slice(9), 'base64url')).toHaveLength(ENTROPY);
    for (const id of ids) expect(encodeURIComponent(id)).toBe(id);
  });

  it('names the session when it is that of a conversation', () => {
    expect(sessionOf(newConversationId(fakeDeps(), ENTROPY, '42'))).toBe('42');
    expect(sessionOf(newConversationId(fakeDeps(), ENTROPY, undefined))).toBeUndefined();
  });
});
