/** Leases that nobody works on: which are let go of, and which only look so. */
import { expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { LeaseKeeper } from '../../src/lib/router/lease-keeper.ts';
import { LeaseWrites } from '../../src/lib/store/lease-writes.ts';
import type { Lease } from '../../src/lib/store/store.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

function keeper() {
  const released: string[] = [];
  const dueIn = new Set<number>();
  const isCounted = new Set<boolean>();
  const deps = fakeDeps();
  const store = {
    leaseWrites: new LeaseWrites(),
    rows: [] as Lease[],
    isAway: false,
    looks: 0,
    leases: () => {
      store.looks += 1;
      return store.isAway ? Promise.reject(new Error('away')) : Promise.resolve(store.rows);
    },
    releaseLeases: (leases: readonly Lease[], dueAt: number, dropAttempt: boolean) => {
      isCounted.add(!dropAttempt);
      released.push(...leases.map(({ txId }) => txId));
      dueIn.add(dueAt - deps.clock.now());
      return Promise.resolve(leases.length);
    },
  };
  const inWork = new Set<string>();
  const find = (id: string) => (inWork.has(id) ? ({} as never) : undefined);
  const schedule = { isStarting: () => false, claimsInDoubt: 0 };
  const options = { deps, store, workshop: { find }, schedule };
  return { store, inWork, released, dueIn, isCounted, schedule, keeper: new LeaseKeeper(options) };
}

const lease = (txId: string, version = 1): Lease => ({ txId, version, cancelled: false });

it('lets go of what nobody has worked on at two looks', async () => {
  const { keeper: keeps, store, released, dueIn, isCounted } = keeper();
  store.rows = [lease('a'), lease('b')];
  await keeps.releaseStrays();
  expect(released).toEqual([]);
  store.rows = [lease('a'), lease('b', 2)];
  await keeps.releaseStrays();
  expect(released).toEqual(['a']);
  expect([...dueIn]).toEqual([limits.strayPauseMs]);
  expect([...isCounted], 'an attempt that may have been made').toEqual([true]);
});

it('keeps what a claim has leased whose answer is late, however often it looks', async () => {
  const { keeper: keeps, store, inWork, released } = keeper();
  store.rows = [lease('a')];
  const late = store.leaseWrites.begun();
  await keeps.releaseStrays();
  await keeps.releaseStrays();
  await keeps.releaseStrays();
  // The answer comes, and the work begins.
  store.leaseWrites.ended(late);
  inWork.add('a');
  await keeps.releaseStrays();
  await keeps.releaseStrays();
  expect(released).toEqual([]);
});

it('lets go of a stray although claims come and go', async () => {
  const { keeper: keeps, store, released } = keeper();
  store.rows = [lease('a')];
  await keeps.releaseStrays();
  store.leaseWrites.begun();
  store.rows = [lease('a'), lease('new')];
  await keeps.releaseStrays();
  expect(released).toEqual(['a']);
});

it('lets go of a stray although there is always a claim under way', async () => {
  const { keeper: keeps, store, released } = keeper();
  store.rows = [lease('a')];
  const [before, beside] = [store.leaseWrites.begun(), store.leaseWrites.begun()];
  await keeps.releaseStrays();
  const after = store.leaseWrites.begun();
  store.leaseWrites.ended(before);
  await keeps.releaseStrays();
  expect(released, 'one that may have leased it has no answer yet').toEqual([]);
  store.leaseWrites.ended(beside);
  store.leaseWrites.begun();
  store.leaseWrites.ended(after);
  await keeps.releaseStrays();
  expect(released).toEqual(['a']);
});

it('gives back at once what a claim that failed has leased all the same, at the second look', async () => {
  const { keeper: keeps, store, schedule, released, dueIn, isCounted } = keeper();
  store.rows = [lease('a')];
  await keeps.releaseLost();
  expect(store.looks, 'no claim has failed').toBe(0);
  schedule.claimsInDoubt = 1;
  store.isAway = true;
  await expect(keeps.releaseLost()).rejects.toThrow('away');
  store.isAway = false;
  await keeps.releaseLost();
  // A look in between that is not its own would have it wait.
  await keeps.releaseStrays();
  expect(released).toEqual([]);
  await keeps.releaseLost();
  expect(released).toEqual(['a']);
  expect([...dueIn]).toEqual([0]);
  expect([...isCounted], 'an attempt that nobody has made').toEqual([false]);
  await keeps.releaseLost();
  expect(store.looks, 'the store was away once, and asked twice').toBe(3);
});

it('looks once more where an older claim had no answer yet', async () => {
  const { keeper: keeps, store, schedule, released, dueIn } = keeper();
  schedule.claimsInDoubt = 1;
  store.rows = [lease('a')];
  const late = store.leaseWrites.begun();
  await keeps.releaseLost();
  await keeps.releaseLost();
  store.leaseWrites.ended(late);
  await keeps.releaseLost();
  expect(released).toEqual(['a']);
  expect([...dueIn]).toEqual([0]);
  await keeps.releaseLost();
  expect(store.looks).toBe(3);
});

it('gives back as soon what a claim has leased that failed between the two looks for another', async () => {
  const { keeper: keeps, store, schedule, released } = keeper();
  schedule.claimsInDoubt = 1;
  store.rows = [lease('a')];
  await keeps.releaseLost();
  schedule.claimsInDoubt = 2;
  store.rows = [lease('a'), lease('b')];
  await keeps.releaseLost();
  expect(released).toEqual(['a']);
  store.rows = [lease('b')];
  await keeps.releaseLost();
  expect(released).toEqual(['a', 'b']);
  store.rows = [];
  await keeps.releaseLost();
  await keeps.releaseLost();
  expect(store.looks).toBe(4);
});
