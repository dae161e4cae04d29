import { expect, it } from 'vitest';
import { signalText } from '../../../src/lib/tools/tx/signal-text.ts';

it.each([
  [{ result: 'pass', domain: 'one.example' }, 'result pass, domain one.example'],
  [{ fcrdns: true, names: ['a.example', 'b.example'] }, 'fcrdns yes, names (a.example; b.example)'],
  [
    [
      { result: 'fail', domain: 'a' },
      { result: 'pass', domain: 'b' },
    ],
    '(result fail, domain a); (result pass, domain b)',
  ],
  [{ hops: 3, author: null, why: '' }, 'hops 3, author -, why -'],
  [[], 'none'],
  [{}, '-'],
  [false, 'no'],
  ['text', 'text'],
])('%j is shown as %j', (signal, text) => {
  expect(signalText(signal)).toBe(text);
});
