/** What is measured: which way in, what is promised, and which processes do it. */
import { meant, UsageError } from './command-line.mjs';

const ways = {
  relay: {
    protocol: 'smtp',
    summary: 'SMTP in, SMTP out, cut-through: nothing stored, the answer is that of the far end.',
  },
  stored: { protocol: 'smtp', summary: 'SMTP in, committed, answered, then SMTP out: the exploder waits for nobody.' },
  rest: {
    protocol: 'rest',
    summary: 'REST submission: create with the message inline, committed, 201, then SMTP out.',
  },
  sign: { protocol: 'smtp', summary: 'Like relay, and every message is signed: DKIM, RSA with 2048 bits.' },
};

/** Whether each message of it is stored before it is answered; what is only relayed leaves no body behind. */
export const isStored = (way) => way === 'stored' || way === 'rest';

/** `messages`: in one run, unless it is said how many, or they are large. */
const shapes = {
  serve: { summary: 'One process.', messages: 3000 },
  split: { summary: 'Router and gateways are processes that talk HTTP.', messages: 1000 },
};

/** A way to work and the processes that do it, by their names. */
export function scenarioOf(way, shape) {
  const { protocol, summary } = ways[way];
  const { messages } = shapes[shape];
  return { name: `${way}-${shape}`, summary: `${summary} ${shapes[shape].summary}`, way, shape, protocol, messages };
}

export const scenarios = Object.keys(ways).flatMap((way) => Object.keys(shapes).map((shape) => scenarioOf(way, shape)));

/** Those that the value of `--scenario` names, words between commas: all, one by its name, or all that have the word in their name (`relay`, `serve`). */
export function casesNamed(things, text) {
  const words = text.split(',');
  const unknown = words.find((word) => !things.some((thing) => isNamed(thing, word)));
  if (unknown !== undefined) {
    const names = things.map(({ name }) => name);
    const hint = meant(unknown, [...names, 'all', ...names.flatMap((name) => name.split('-'))]);
    throw new UsageError(`--scenario: no scenario ${unknown}${hint}; there are ${names.join(', ')}`);
  }
  return things.filter((thing) => words.some((word) => isNamed(thing, word)));
}

const isNamed = ({ name }, word) => word === 'all' || word === name || name.split('-').includes(word);
