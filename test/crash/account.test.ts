/** The crash test is believed only if it sees what goes wrong: what explains a second copy and what does not, and what makes a run fail. */
import { describe, expect, it } from 'vitest';
import { mayBeCancelled } from './clients.mjs';
import { type Copy, Ends, isExplained, RECORDED_WITHIN_MS } from './ends.mjs';
import { isLarge, messageOf, readMessage } from './messages.mjs';
import { lastWordsIn, lifeTakenOver, takeoversIn } from './takeovers.mjs';
import { faultsOf, SILENCE_MS } from './verdict.mjs';

const copy = (at: number, life = 'first'): Copy => ({ client: `gateway-${life}`, router: `router-${life}`, at });
/** One attempt recorded no answer, the next one did. */
const FORGOTTEN = { delivered: 1, unrecorded: 1 };

describe('a message that arrived twice', () => {
  const twice = [copy(1000), copy(3000, 'second')];

  it('is explained by the end of the router or of the gateway that sent it, before it went out again', () => {
    for (const life of ['router-first', 'gateway-first']) {
      const ends = new Ends();
      ends.ended(life, 1030);
      expect(isExplained(twice, FORGOTTEN, ends)).toBe(true);
    }
  });

  it('is not explained by an outcome that was forgotten without a kill', () => {
    expect(isExplained(twice, FORGOTTEN, new Ends())).toBe(false);
  });

  it('is not explained by the end of somebody else', () => {
    const ends = new Ends();
    ends.ended('router-other', 1030);
    ends.ended('gateway-second', 3030);
    expect(isExplained(twice, FORGOTTEN, ends)).toBe(false);
  });

  it('is not explained by an end after it had gone out again', () => {
    const ends = new Ends();
    ends.ended('router-first', 3001);
    expect(isExplained([copy(1000), copy(3000), copy(6000, 'second')], { delivered: 1, unrecorded: 2 }, ends)).toBe(
      false,
    );
  });

  it('is not explained by an end long after its answer', () => {
    const later = 1001 + RECORDED_WITHIN_MS;
    const ends = new Ends();
    ends.ended('router-first', later);
    expect(isExplained([copy(1000), copy(later + 1000, 'second')], FORGOTTEN, ends)).toBe(false);
  });

  it('is explained by bytes that were still on their way when their sender ended', () => {
    const ends = new Ends();
    ends.ended('router-first', 990);
    expect(isExplained(twice, FORGOTTEN, ends)).toBe(true);
  });

  it('is explained by a standstill of the router, and by trouble of the database, at that time only', () => {
    const stopped = new Ends();
    stopped.absent('router-first', 1010, 4500);
    expect(isExplained(twice, FORGOTTEN, stopped)).toBe(true);
    const troubled = new Ends();
    troubled.trouble(1010, 2500);
    expect(isExplained(twice, FORGOTTEN, troubled)).toBe(true);
    const before = new Ends();
    before.trouble(1000 - 2 * RECORDED_WITHIN_MS, 999 - RECORDED_WITHIN_MS);
    expect(isExplained(twice, FORGOTTEN, before)).toBe(false);
  });

  it('is explained by the late copy of a router that stood still, which others had taken over from', () => {
    const ends = new Ends();
    ends.absent('router-first', 990, 4500);
    expect(isExplained([copy(3000, 'second'), copy(4600)], FORGOTTEN, ends)).toBe(true);
    expect(isExplained([copy(2500, 'third'), copy(3000, 'second'), copy(4600)], undefined, ends)).toBe(false);
  });

  it('is explained by a kill, also when whoever sent it again had stood still long before', () => {
    const ends = new Ends();
    ends.absent('router-second', 2000, 5500);
    ends.ended('router-first', 20_030);
    expect(isExplained([copy(20_000), copy(23_000, 'second')], FORGOTTEN, ends)).toBe(true);
  });

  it('is not explained where the store recorded two deliveries, or knows of fewer attempts than copies', () => {
    const ends = new Ends();
    ends.ended('router-first', 1030);
    expect(isExplained(twice, { delivered: 2, unrecorded: 0 }, ends)).toBe(false);
    expect(isExplained(twice, { delivered: 1, unrecorded: 0 }, ends)).toBe(false);
  });

  it('needs an excuse for each copy but one, also where the store has forgotten it', () => {
    const ends = new Ends();
    ends.ended('router-first', 1030);
    expect(isExplained(twice, undefined, ends)).toBe(true);
    expect(isExplained([...twice, copy(5000, 'second')], undefined, ends)).toBe(false);
    ends.ended('router-second', 3030);
    expect(isExplained([...twice, copy(5000, 'third')], { delivered: 1, unrecorded: 2 }, ends)).toBe(true);
  });
});

describe('the log of a router', () => {
  const time = '2026-01-01T00:00:01.000Z';
  const line = (released: number): string =>
    JSON.stringify({
      level: 'warn',
      time,
      took_over_from: ['http://127.0.0.1:1', 'http://127.0.0.1:2'],
      released,
      text: 'in whatever words',
    });

  it('says who was taken for dead, and when', () => {
    const at = Date.parse(time);
    expect(takeoversIn(`{"text":"something else"}\n${line(2)}\nnull\nError: no JSON\n`)).toEqual([
      { uri: 'http://127.0.0.1:1', at },
      { uri: 'http://127.0.0.1:2', at },
    ]);
  });

  it('says nothing of who had nothing in work, or was alive after all', () => {
    expect(takeoversIn(`${line(0)}\n`)).toEqual([]);
  });

  it('does not excuse the next life at the same address, which began when the one before was dead and not yet missed', () => {
    const lives = [
      { life: 'router-first', at: 0 },
      { life: 'router-second', at: 9000 },
    ];
    expect(lifeTakenOver(lives, 10_000, 2000)).toBe('router-first');
    expect(lifeTakenOver(lives, 12_000, 2000)).toBe('router-second');
    expect(lifeTakenOver(lives, 1000, 2000)).toBe('');
  });

  it('has the last words of a program between its lines', () => {
    expect(lastWordsIn(`${line(1)}\nError: out of memory\n    at x\n${line(1)}`)).toBe(
      'Error: out of memory\n    at x',
    );
  });
});

describe('the bytes of a message', () => {
  const ids = Array.from({ length: 8 }, (_, i) => `m${1000 + i}`);

  it('are those of its id, whole, whether it is small or large', () => {
    for (const id of ids) expect(readMessage(messageOf(id))).toMatchObject({ id, isWhole: true });
    expect(ids.filter(isLarge).map((id) => messageOf(id).length > 300_000)).toEqual([true, true]);
  });

  it('are seen to have a piece of another message in them, at any place of 4 KB', () => {
    const [mine = '', other = ''] = ids.filter(isLarge).map(messageOf);
    const pieceBytes = 4096;
    const common = Math.min(mine.length, other.length) - pieceBytes;
    for (let at = pieceBytes; at < common; at += 16 * pieceBytes) {
      const mixed = mine.slice(0, at) + other.slice(at, at + pieceBytes) + mine.slice(at + pieceBytes);
      expect(readMessage(mixed).isWhole).toBe(false);
    }
  });

  it('are seen to be fewer or more', () => {
    const [mine = ''] = ids.filter(isLarge).map(messageOf);
    for (const other of [mine.slice(0, -64), `${mine}more\r\n`]) expect(readMessage(other).isWhole).toBe(false);
  });
});

describe('the account of a run', () => {
  const lists = {
    lost: [],
    untold: [],
    toldTwice: [],
    altered: [],
    misdirected: [],
    stuck: [],
    diedByItself: [],
    badStops: [],
  };
  const clean = { ...lists, unexplained: [], twice: 2, longestSilenceMs: 10, kills: 3 };
  const asked = { kills: 3, policy: 'retry' } as const;

  it('is clean when nothing is wrong, and duplicates have their reasons', () => {
    expect(faultsOf(clean, asked)).toEqual([]);
  });

  it.each(Object.keys(lists))('is not clean when somebody is %s', (name) => {
    expect(faultsOf({ ...clean, [name]: ['m1.0'] }, asked)).toEqual([name]);
  });

  it('is not clean when a message came twice without a reason, or at all where what is uncertain is held', () => {
    expect(faultsOf({ ...clean, unexplained: ['m1.0'] }, asked)).toEqual(['twice']);
    expect(faultsOf(clean, { kills: 3, policy: 'hold' })).toEqual(['twice']);
  });

  it('is not clean when nobody was promised anything for too long, or less was disturbed than was asked for', () => {
    expect(faultsOf({ ...clean, longestSilenceMs: SILENCE_MS + 1 }, asked)).toEqual(['longestSilenceMs']);
    expect(faultsOf({ ...clean, kills: 2 }, asked)).toEqual(['kills']);
  });
});

describe('a message that its client asked to be forgotten', () => {
  it.each([undefined, 200, 204, 500, 503])('need not arrive after %s', (status) => {
    expect(mayBeCancelled(status)).toBe(true);
  });

  it.each([404, 409, 429])('has to arrive after %s', (status) => {
    expect(mayBeCancelled(status)).toBe(false);
  });
});
