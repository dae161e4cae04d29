/** Whether a loop is kept awake, by loads whose gain is known, in a time that the test moves. */
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { systemLoop } from '../../src/lib/ops/event-loop.ts';
import { ShortNaps } from '../../src/lib/ops/short-naps.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { FakeLoop, type Peer } from '../helpers/fake-loop.ts';

const LOOK_MS = 250;

/** One conversation, whose answers come soon; to wake the loop takes as long as the answer itself. */
const CONVERSATION: Peer = { answerMs: 0.04, workMs: 0.04, wakingMs: 0.04 };

function watched(peer?: Peer) {
  const loop = new FakeLoop();
  loop.peer = peer;
  const naps = new ShortNaps({ clock: new FakeClock(), loop });
  /** So many looks; answers for each whether the loop was kept awake afterwards. */
  const looks = (count: number): boolean[] =>
    Array.from({ length: count }, () => {
      loop.run(LOOK_MS);
      naps.look();
      return naps.isAwake;
    });
  return { loop, naps, looks };
}

const awakeIn = (looks: boolean[]): number => looks.filter(Boolean).length;

it('keeps a loop awake whose naps cost more than they are long, and more gets done', () => {
  const { loop, looks } = watched(CONVERSATION);
  const asleep = loop.run(LOOK_MS);
  looks(3);
  expect(looks(8)).not.toContain(false);
  expect(loop.run(LOOK_MS)).toBeGreaterThan(1.2 * asleep);
});

it('compares again now and then', () => {
  const { looks } = watched(CONVERSATION);
  const seen = looks(120);
  expect(seen.slice(10)).toContain(false);
  expect(awakeIn(seen)).toBeGreaterThan(105);
});

describe('leaves alone, but for a trial ever more seldom,', () => {
  it.each<[string, Peer]>([
    ['a loop that gains nothing by it', { answerMs: 0.04, workMs: 0.04 }],
    ['a loop that takes the processor from its peer', { ...CONVERSATION, hinderedMs: 0.1 }],
  ])('%s', (_, peer) => {
    const { looks } = watched(peer);
    const seen = looks(600);
    expect(awakeIn(seen)).toBeGreaterThan(1);
    expect(awakeIn(seen.slice(0, 300))).toBeLessThan(10);
    expect(awakeIn(seen.slice(300))).toBeLessThan(2);
  });
});

it.each<[string, Peer | undefined]>([
  ['that has nothing to do', undefined],
  ['that gets ten messages a second', { ...CONVERSATION, answerMs: 100 }],
  ['that gets a message each millisecond', { ...CONVERSATION, answerMs: 1 }],
  ['that has no time to sleep', { answerMs: 0.001, workMs: 0.1, wakingMs: 0.04 }],
])('never keeps a loop awake %s', (_, peer) => {
  const { loop, looks } = watched(peer);
  expect(looks(100)).not.toContain(true);
  expect(loop.isKeptAwake).toBe(false);
});

it.each<[string, Peer | undefined]>([
  ['ends', undefined],
  ['becomes slow', { ...CONVERSATION, answerMs: 5 }],
  ['leaves no time to sleep any more', { answerMs: 0.001, workMs: 0.1 }],
])('lets the loop sleep again when the load %s', (_, peer) => {
  const { loop, looks } = watched(CONVERSATION);
  expect(looks(5).at(-1)).toBe(true);
  loop.peer = peer;
  looks(2);
  expect(looks(20)).not.toContain(true);
});

it('sleeps between two conversations, although it stays awake for the next', () => {
  const { loop, looks } = watched(CONVERSATION);
  looks(5);
  loop.peer = undefined;
  loop.run(1);
  const { turns } = loop.counts();
  loop.run(100);
  expect(loop.counts().turns - turns).toBeLessThan(3);
});

it('begins nothing any more once it is stopped', async () => {
  const clock = new FakeClock();
  const loop = new FakeLoop();
  loop.peer = CONVERSATION;
  const naps = new ShortNaps({ clock, loop });
  const stop = new AbortController();
  const running = naps.run(stop.signal);
  for (let look = 0; look < 5; look += 1) {
    loop.run(LOOK_MS);
    await clock.advance(LOOK_MS);
  }
  expect(naps.isAwake).toBe(true);
  stop.abort();
  await running;
  loop.run(1);
  expect(naps.isAwake).toBe(false);
  expect(loop.isKeptAwake).toBe(false);
  expect(clock.sleeping).toBe(0);
});

describe('the loop of the platform', () => {
  it('counts what it does', async () => {
    const before = systemLoop.counts();
    await new Promise<void>((resolve) => systemLoop.nextTurn(resolve));
    await new Promise<void>((resolve) => systemLoop.nextTurn(resolve));
    const after = systemLoop.counts();
    expect(after.turns).toBeGreaterThan(before.turns);
    expect(after.events).toBeGreaterThanOrEqual(before.events);
    expect(after.asleepMs).toBeGreaterThanOrEqual(before.asleepMs);
    expect(systemLoop.events()).toBeGreaterThanOrEqual(after.events);
  });

  it('keeps no process alive for who wants to be called once it is woken', async () => {
    const module = new URL('../../dist/lib/ops/event-loop.js', import.meta.url).href;
    const script = `const { systemLoop } = await import('${module}');
      const again = () => systemLoop.onceWoken(again);
      again();
      console.log('done');`;
    const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).toBe('done');
  });
});
