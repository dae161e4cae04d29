/** What `npm run bench:overload` calls a failure. */
import { expect, it } from 'vitest';

interface Verdict {
  boundMs(ask: { places: number; lanes: number; delayMs: number }): number;
  faultsOf(found: object, bound: number): readonly string[];
}

const { boundMs, faultsOf }: Verdict = await import(new URL('../../bench/flood-verdict.mjs', import.meta.url).href);

const account = { lost: 0, duplicated: 0, altered: 0, swapped: 0 };
const client = (name: string, more: object = {}) => ({ name, hasStalled: false, refusals: {}, ...more });
const fine = { account, clients: [client('modest'), client('flood')], accepted: 20, p99Ms: 900 };
const bound = boundMs({ places: 1000, lanes: 100, delayMs: 50 });

it('the bound is ten times what the far end takes for all that there is room for', () => {
  expect(bound).toBe(5000);
});

it('nothing is wrong with refusals that say when to come back, and with waits within the bound', () => {
  expect(faultsOf(fine, bound)).toEqual([]);
});

it.each([
  [{ account: { ...account, lost: 2 } }, '2 messages lost'],
  [{ account: { ...account, duplicated: 1 } }, '1 messages duplicated'],
  [{ p99Ms: 5001 }, 'the modest client waited 5001 ms (p99), more than 5000 ms'],
  [{ accepted: 0, p99Ms: Number.NaN }, 'nothing was taken from the modest client'],
  [{ clients: [client('flood', { hasStalled: true })] }, 'the flood client was left without an answer'],
  [
    { clients: [client('modest', { refusals: { 'greeting:connection lost': 3 } })] },
    'the modest client: 3 times greeting:connection lost',
  ],
])('%j is a failure', (wrong, fault) => {
  expect(faultsOf({ ...fine, ...wrong }, bound)).toEqual([fault]);
});
