/** What is measured: which way in, what is promised, and which processes do it. */

/** `messages`: in one run, unless `--n` says so or they are large. */
export const scenarios = [
  {
    name: 'relay-serve',
    summary: 'SMTP in, SMTP out, cut-through: nothing stored, the answer is that of the far end. One process.',
    protocol: 'smtp',
    smtpTag: 'relay',
    shape: 'serve',
    messages: 3000,
  },
  {
    name: 'relay-split',
    summary: 'The same with router and gateway as two processes that talk HTTP.',
    protocol: 'smtp',
    smtpTag: 'relay',
    shape: 'split',
    messages: 1000,
  },
  {
    name: 'stored-serve',
    summary: 'SMTP in, committed, answered, then SMTP out: the exploder waits for nobody. One process.',
    protocol: 'smtp',
    smtpTag: 'stored',
    shape: 'serve',
    messages: 3000,
  },
  {
    name: 'stored-split',
    summary: 'The same in two processes.',
    protocol: 'smtp',
    smtpTag: 'stored',
    shape: 'split',
    messages: 1000,
  },
  {
    name: 'rest-serve',
    summary: 'REST submission: create with the message inline, committed, 201, then SMTP out. One process.',
    protocol: 'rest',
    smtpTag: 'relay',
    shape: 'serve',
    messages: 3000,
  },
  {
    name: 'rest-split',
    summary: 'The same in two processes.',
    protocol: 'rest',
    smtpTag: 'relay',
    shape: 'split',
    messages: 1000,
  },
];

/** Those that a word names: all, one by its name, or all that have the word in their name (`relay`, `serve`). */
export function scenariosNamed(words) {
  const unknown = words.find((word) => !scenarios.some((scenario) => isNamed(scenario, word)));
  if (unknown !== undefined) {
    throw new RangeError(`no scenario ${unknown}; there are ${scenarios.map(({ name }) => name).join(', ')}`);
  }
  return scenarios.filter((scenario) => words.some((word) => isNamed(scenario, word)));
}

const isNamed = ({ name }, word) => word === 'all' || word === name || name.split('-').includes(word);
