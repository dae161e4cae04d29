/** How many samples of a process each thread has in each category. */
import { categoryOf, THREADS, threadOf } from './classify.mjs';

/** Resolves with a map from the id of each process to `{ samples, threads: { thread: { category: samples } } }`. */
export async function countSamples(stacks) {
  const tasks = new Map();
  for await (const sample of stacks) {
    const { pid, tid, frames } = sample;
    if (!tasks.has(tid)) tasks.set(tid, { pid, kinds: {}, categories: {} });
    const { kinds, categories } = tasks.get(tid);
    const kind = threadOf(sample);
    if (kind !== undefined) kinds[kind] = (kinds[kind] ?? 0) + 1;
    const category = categoryOf(frames);
    categories[category] = (categories[category] ?? 0) + 1;
  }
  const processes = new Map();
  for (const { pid, kinds, categories } of tasks.values()) {
    if (!processes.has(pid)) processes.set(pid, { samples: 0, threads: {} });
    add(processes.get(pid), kindOf(kinds), categories);
  }
  return processes;
}

/** Of a thread, by most of its samples: some have broken stacks. */
const kindOf = (kinds) => Object.entries(kinds).toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? THREADS.at(-1);

function add(process, kind, categories) {
  process.threads[kind] ??= {};
  const sums = process.threads[kind];
  for (const [category, samples] of Object.entries(categories)) {
    sums[category] = (sums[category] ?? 0) + samples;
    process.samples += samples;
  }
}
