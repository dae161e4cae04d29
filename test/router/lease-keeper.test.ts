/** Leases that nobody works on: which are let go of, and which only look so. */
import { expect, it } from 'vitest';
import { LeaseKeeper } from '../../src/lib/router/lease-keeper.ts';
import type { Lease } from '../../src/lib/store/store.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

function keeper() {
  const released: string[] = [];
  const store = {
    leasesOnTheWay: 0,
    rows: [] as Lease[],
    leases: () => Promise.resolve(store.rows),
    releaseLeases: (leases: readonly Lease[]) => {
      released.push(...leases.map(({ txId }) => txId));
      return Promise.resolve(leases.length);
    },
  };
  const inWork = new Set<string>();
  const find = (id: string) => (inWork.has(id) ? ({} as never) : undefined);
  const options = { deps: fakeDeps(), store, workshop: { find }, schedule: { isStarting: () => false } };
  return { store, inWork, released, keeper: new LeaseKeeper(options) };
}

const lease = (txId: string, version = 1): Lease => ({ txId, version, cancelled: false });

it('lets go of what nobody has worked on at two looks', async () => {
  const { keeper: keeps, store, released } = keeper();
  store.rows = [lease('a'), lease('b')];
  await keeps.releaseStrays();
  expect(released).toEqual([]);
  store.rows = [lease('a'), lease('b', 2)];
  await keeps.releaseStrays();
  expect(released).toEqual(['a']);
});

it('keeps what a claim has leased whose answer is late, however often it looks', async () => {
  const { keeper: keeps, store, inWork, released } = keeper();
  store.rows = [lease('a')];
  store.leasesOnTheWay = 1;
  await keeps.releaseStrays();
  await keeps.releaseStrays();
  // The answer comes, and the work begins.
  store.leasesOnTheWay = 0;
  inWork.add('a');
  await keeps.releaseStrays();
  await keeps.releaseStrays();
  expect(released).toEqual([]);
});

it('lets go of a stray although claims come and go', async () => {
  const { keeper: keeps, store, released } = keeper();
  store.rows = [lease('a')];
  await keeps.releaseStrays();
  store.leasesOnTheWay = 1;
  store.rows = [lease('a'), lease('new')];
  await keeps.releaseStrays();
  expect(released).toEqual(['a']);
});
