/**
 * Every mix of outcomes for one, two and three recipients, in both modes: what the SMTP client is told, and who is adopted before that. The
 * expectation is the table of submission and ingress written down once more, in its own words.
 */
import { describe, expect, test } from 'vitest';
import type { Response } from '../../src/lib/core/response.ts';
import { envelope, explode, hello } from '../helpers/exploding.ts';
import type { FakeChildAnswers } from '../helpers/fake-children.ts';
import { settle } from '../helpers/fake-clock.ts';
import { never, permFail, tempFail } from '../helpers/fake-exchange.ts';

/** What the far end says to one recipient: at RCPT, and if it takes that, at DATA. */
const FATES = {
  'rcpt late': { rcpt: never },
  'rcpt 4xx': { rcpt: tempFail },
  'rcpt 5xx': { rcpt: permFail },
  'data 2xx': {},
  'data late': { data: never },
  'data 4xx': { data: tempFail },
  'data 5xx': { data: permFail },
} as const satisfies Record<string, FakeChildAnswers>;

type Fate = keyof typeof FATES;
type Class = 2 | 4 | 5;

const fates = Object.keys(FATES) as Fate[];
const mixes: readonly (readonly Fate[])[] = [
  ...fates.map((a) => [a]),
  ...fates.flatMap((a) => fates.map((b) => [a, b])),
  ...fates.flatMap((a) => fates.flatMap((b) => fates.map((c) => [a, b, c]))),
];

/** What RCPT is answered: submission takes what may still work, ingress leaves it to the client. */
function rcptClass(fate: Fate, msa: boolean): Class {
  if (fate === 'rcpt 5xx') return 5;
  if (fate === 'rcpt 4xx' || fate === 'rcpt late') return msa ? 2 : 4;
  return 2;
}

/** What is known of an accepted recipient when DATA has to be answered. */
function dataClass(fate: Fate): Class {
  if (fate === 'data 2xx') return 2;
  return fate === 'data 5xx' ? 5 : 4;
}

function expected(mix: readonly Fate[], msa: boolean): { rcpts: Class[]; data?: Class; adopted: number[] } {
  const rcpts = mix.map((fate) => rcptClass(fate, msa));
  const accepted = mix.flatMap((fate, i) => (rcpts[i] === 2 ? [{ i, was: dataClass(fate) }] : []));
  const [first] = accepted;
  if (first === undefined) return { rcpts, adopted: [] };
  const isSame = accepted.every(({ was }) => was === first.was);
  if (isSame && (first.was !== 4 || !msa)) return { rcpts, data: first.was, adopted: [] };
  return { rcpts, data: 2, adopted: accepted.filter(({ was }) => was !== 2).map(({ i }) => i) };
}

const classOf = ({ code }: Response): Class => Math.floor(code / 100) as Class;

async function played(mix: readonly Fate[], msa: boolean): Promise<ReturnType<typeof expected>> {
  const { exchange, children, clock } = explode({ msa }, ...mix.map((fate) => FATES[fate]));
  const inTime = async <T>(answer: Promise<T>): Promise<T> => {
    await settle();
    await clock.advance(3_600_000);
    return answer;
  };
  const rcpts = (await inTime(envelopeOf(exchange, mix.length, clock))).map(classOf);
  const data = rcpts.includes(2) ? classOf(await inTime(exchange.data(hello))) : undefined;
  const adopted = children.opened.flatMap(({ isAdopted }, i) => (isAdopted ? [i] : []));
  await exchange.close();
  return { rcpts, ...(data !== undefined && { data }), adopted };
}

/** Recipients one after the other, each as late as its time-out allows. */
async function envelopeOf(
  exchange: Parameters<typeof envelope>[0],
  count: number,
  clock: ReturnType<typeof explode>['clock'],
): Promise<Response[]> {
  const answers = envelope(exchange, count);
  for (let i = 0; i < count; i += 1) {
    await settle();
    await clock.advance(60_000);
  }
  return answers;
}

describe.each([{ msa: true }, { msa: false }])('with msa $msa', ({ msa }) => {
  test(`all ${mixes.length} mixes of up to three recipients end as the table says`, async () => {
    for (const mix of mixes) {
      expect({ mix, ...(await played(mix, msa)) }).toEqual({ mix, ...expected(mix, msa) });
    }
  });

  test('a 2xx to DATA means that everybody has the message, or we have it for them', async () => {
    for (const mix of mixes) {
      const { rcpts, data, adopted } = await played(mix, msa);
      const owed = mix.flatMap((fate, i) => (rcpts[i] === 2 && fate !== 'data 2xx' ? [i] : []));
      if (data === 2) expect({ mix, adopted }).toEqual({ mix, adopted: owed });
      else expect({ mix, adopted }).toEqual({ mix, adopted: [] });
    }
  });
});
