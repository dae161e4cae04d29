/** What the client of an exploder is told (protocol §6.2, §6.3): the tables, and what must hold in every mix. */
import { describe, expect, test } from 'vitest';
import {
  answerData,
  answerRcpt,
  type DataOutcome,
  type FanoutMode,
  upstreamTimeout,
} from '../../src/lib/core/fanout.ts';
import { isOk, isPermanent, type Response, reply, responseClass } from '../../src/lib/core/response.ts';

const good = reply(250, '2.0.0', 'ok');
const temp = reply(451, '4.7.1', 'later');
const perm = reply(550, '5.1.1', 'no');
const odd: Response = { code: 354, text: 'go ahead' };
const modes: readonly FanoutMode[] = ['msa', 'ingress'];

describe('the answer to RCPT', () => {
  test.each<[FanoutMode, string, Response | undefined, number, string]>([
    ['msa', 'no answer in time', undefined, 250, 'accepted'],
    ['msa', '4xx', temp, 250, 'held'],
    ['msa', '5xx', perm, 550, 'refused'],
    ['msa', '2xx', good, 250, 'accepted'],
    ['msa', 'an odd code', odd, 354, 'refused'],
    ['ingress', 'no answer in time', undefined, 450, 'refused'],
    ['ingress', '4xx', temp, 451, 'refused'],
    ['ingress', '5xx', perm, 550, 'refused'],
    ['ingress', '2xx', good, 250, 'accepted'],
    ['ingress', 'an odd code', odd, 354, 'refused'],
  ])('%s: %s', (mode, _, upstream, code, standing) => {
    const answer = answerRcpt(upstream, mode);
    expect(answer).toMatchObject({ standing, response: { code } });
    // What the far end said is passed on in its own words, unless we take over.
    if (upstream !== undefined && answer.standing !== 'held') expect(answer.response).toBe(upstream);
  });
});

describe('the answer to DATA for one recipient', () => {
  test.each<[FanoutMode, string, Response | undefined, number, boolean]>([
    ['msa', '2xx', good, 250, false],
    ['msa', 'no answer in time', undefined, 250, true],
    ['msa', '4xx', temp, 250, true],
    ['msa', 'an odd code', odd, 250, true],
    ['msa', '5xx', perm, 550, false],
    ['ingress', '2xx', good, 250, false],
    ['ingress', 'no answer in time', undefined, 450, false],
    ['ingress', '4xx', temp, 451, false],
    ['ingress', '5xx', perm, 550, false],
  ])('%s: %s', (mode, _, upstream, code, isAdopted) => {
    for (const bounces of [true, false]) {
      const answer = answerData([{ reply: upstream, bounces }], mode);
      expect(answer.response.code).toBe(code);
      expect(answer.adopt).toEqual(isAdopted ? [0] : []);
      if (upstream !== undefined && !isAdopted) expect(answer.response).toBe(upstream);
    }
  });
});

describe('the answer to DATA for several recipients', () => {
  test.each<[FanoutMode, readonly (Response | undefined)[], number, readonly number[]]>([
    ['msa', [good, good], 250, []],
    ['msa', [good, perm], 250, [1]],
    ['msa', [good, temp], 250, [1]],
    ['msa', [temp, perm], 250, [0, 1]],
    ['msa', [perm, perm], 550, []],
    ['msa', [undefined, good, perm], 250, [0, 2]],
    ['ingress', [good, perm], 250, [1]],
    ['ingress', [good, temp], 250, [1]],
    ['ingress', [good, undefined], 250, [1]],
    ['ingress', [temp, undefined], 451, []],
    ['ingress', [undefined, temp], 450, []],
    ['ingress', [temp, perm], 250, [0, 1]],
    ['ingress', [perm, perm], 550, []],
  ])('%s: %j', (mode, replies, code, adopt) => {
    const answer = answerData(
      replies.map((each) => ({ reply: each, bounces: true })),
      mode,
    );
    expect(answer.response.code).toBe(code);
    expect(answer.adopt).toEqual(adopt);
  });

  test('is the failure itself when a refused recipient has nobody to tell its sender', () => {
    for (const mode of modes) {
      const outcomes = [
        { reply: good, bounces: false },
        { reply: temp, bounces: true },
        { reply: perm, bounces: false },
      ];
      expect(answerData(outcomes, mode)).toEqual({ response: perm, adopt: [] });
    }
  });

  test('is 503 when there is none', () => {
    for (const mode of modes) {
      expect(answerData([], mode)).toMatchObject({ response: { code: 503, enhanced: '5.5.1' }, adopt: [] });
    }
  });
});

describe('in every mix of up to three recipients', () => {
  const replies = [good, temp, perm, odd, undefined];
  const single = replies.flatMap((each) => [true, false].map((bounces): DataOutcome => ({ reply: each, bounces })));
  const mixes: DataOutcome[][] = [
    ...single.map((a) => [a]),
    ...single.flatMap((a) => single.map((b) => [a, b])),
    ...single.flatMap((a) => single.flatMap((b) => single.map((c) => [a, b, c]))),
  ];
  const cases = modes.flatMap((mode) =>
    mixes.map((outcomes) => ({ outcomes, mode, answer: answerData(outcomes, mode) })),
  );
  const failures = (outcomes: readonly DataOutcome[]): number[] =>
    outcomes.flatMap(({ reply: each }, i) => (each !== undefined && isOk(each) ? [] : [i]));

  test('there are that many', () => {
    expect(cases.length).toBe(2 * (10 + 100 + 1000));
  });

  test('250 is said only when everyone has it, or we have adopted everyone who has not', () => {
    for (const { outcomes, answer } of cases) {
      if (isOk(answer.response)) expect(answer.adopt).toEqual(failures(outcomes));
    }
  });

  test('nothing is adopted unless 250 is said', () => {
    for (const { answer } of cases) if (answer.adopt.length > 0) expect(answer.response.code).toBe(250);
  });

  test('nobody is adopted who has the message', () => {
    for (const { outcomes, answer } of cases) {
      for (const i of answer.adopt) expect(failures(outcomes)).toContain(i);
    }
  });

  test('a permanent failure that cannot bounce never hides behind a 250', () => {
    for (const { outcomes, answer } of cases) {
      const isSilent = ({ reply: each, bounces }: DataOutcome): boolean =>
        each !== undefined && isPermanent(each) && !bounces;
      if (outcomes.some(isSilent)) expect(isOk(answer.response)).toBe(false);
    }
  });

  test('when all agree on 2xx or 5xx, the first one is quoted', () => {
    for (const { outcomes, answer } of cases) {
      const classes = new Set(outcomes.map(({ reply: each }) => responseClass(each ?? upstreamTimeout)));
      if (classes.size === 1 && (classes.has('ok') || classes.has('permanent'))) {
        expect(answer).toEqual({ response: outcomes[0]?.reply, adopt: [] });
      }
    }
  });

  test('ingress takes over only what differs between recipients', () => {
    for (const { outcomes, mode, answer } of cases) {
      const classes = new Set(outcomes.map(({ reply: each }) => responseClass(each ?? upstreamTimeout)));
      if (mode === 'ingress' && classes.size === 1) expect(answer.adopt).toEqual([]);
    }
  });

  test('a failure that is told is one that happened', () => {
    for (const { outcomes, answer } of cases) {
      if (!isOk(answer.response)) {
        expect(outcomes.map(({ reply: each }) => each ?? upstreamTimeout)).toContain(answer.response);
      }
    }
  });
});
