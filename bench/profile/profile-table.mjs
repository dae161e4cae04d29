/** A profile in words: a line for each category of each thread, a column for each process, microseconds for a message and shares of all CPU. Pure. */
import { table } from '../markdown.mjs';
import { THREADS } from './classify.mjs';

/** What has less everywhere is not worth a line of its own. */
const SHARE_MIN = 0.02;
const REST = 'the rest, each below 2 %';

/** `columns`: `{ title, cpuUs, samples, threads: { thread: { category: samples } } }`; `cpuUs` is all CPU for a message, where it is known. */
export function profileTable(columns) {
  const rows = [
    ...THREADS.flatMap((thread) => rowsOf(thread, columns)),
    bold('all threads', columns, ({ samples }) => samples),
    bold('of it the kernel', columns, kernelSamplesOf),
    ['**samples**', ...columns.map(({ samples }) => samples)],
  ];
  return table(['', ...columns.map(({ title }) => title)], rows);
}

const bold = (title, columns, samplesOf) => [
  `**${title}**`,
  ...columns.map((column) => cellOf(column, samplesOf(column)).replace(/.+/, '**$&**')),
];

const kernelSamplesOf = ({ threads }) =>
  Object.values(threads)
    .flatMap((categories) => Object.entries(categories))
    .reduce((sum, [category, samples]) => sum + (category.startsWith('kernel:') ? samples : 0), 0);

function rowsOf(thread, columns) {
  const sumOf = ({ threads }) => Object.values(threads[thread] ?? {}).reduce((sum, samples) => sum + samples, 0);
  if (columns.every((column) => sumOf(column) === 0)) return [];
  const of = (category) => columns.map(({ threads }) => threads[thread]?.[category] ?? 0);
  const shares = (category) => of(category).map((samples, i) => samples / columns[i].samples);
  const weight = (category) => shares(category).reduce((a, b) => a + b, 0);
  const all = new Set(columns.flatMap(({ threads }) => Object.keys(threads[thread] ?? {})));
  const [large, small] = partition([...all], (category) => shares(category).some((share) => share >= SHARE_MIN));
  const rest = columns.map((_, i) => small.reduce((samples, category) => samples + of(category)[i], 0));
  const line = (title, samples) => [title, ...samples.map((each, i) => cellOf(columns[i], each))];
  return [
    bold(thread, columns, sumOf),
    ...large.toSorted((a, b) => weight(b) - weight(a)).map((category) => line(category, of(category))),
    ...(rest.some((samples) => samples > 0) ? [line(REST, rest)] : []),
  ];
}

function partition(values, isFirst) {
  return [values.filter(isFirst), values.filter((value) => !isFirst(value))];
}

function cellOf({ cpuUs, samples: all }, samples) {
  if (samples === 0) return '';
  const share = samples / all;
  const percent = `${digits(share * 100)} %`;
  return cpuUs === undefined ? percent : `${digits(share * cpuUs)} (${percent})`;
}

/** Whole numbers, and of those below ten one digit more. */
const digits = (value) => (value < 9.95 ? value.toFixed(1) : value.toFixed(0));
