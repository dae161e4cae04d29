/**
 * The names of compiled functions, as Node writes them for perf: /tmp/perf-PID.map, a line with address, length and name for each, in the order in which
 * they came about. Memory of functions that are gone is used again, and perf would call what is there now by any of the names it had.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';

/** Node gives every function a name with these, in this file, and writes no logs of its own beside it. */
export const NODE_OPTIONS = [
  '--perf-basic-prof',
  '--interpreted-frames-native-stack',
  '--no-logfile-per-isolate',
  '--logfile=/dev/null',
];

const fileOf = (pid) => `/tmp/perf-${pid}.map`;

/** Leaves the last name of each address. The process goes on to write where nobody reads. */
export async function keepLastNames(pid) {
  const text = await readFile(fileOf(pid), 'latin1');
  const fresh = `${fileOf(pid)}.fresh`;
  await writeFile(fresh, lastNames(text), 'latin1');
  await rename(fresh, fileOf(pid));
}

export const forgetNames = (pid) => rm(fileOf(pid), { force: true });

/** Of the lines of such a file those whose memory nobody had after them, by address. */
export function lastNames(text) {
  const kept = [];
  for (const line of text.split('\n').toReversed()) {
    const [start, size] = line.split(' ', 2).map((hex) => Number.parseInt(hex, 16));
    if (!(size > 0)) continue;
    const at = firstEndingAfter(kept, start);
    const isTaken = at < kept.length && kept[at].start < start + size;
    if (!isTaken) kept.splice(at, 0, { start, end: start + size, line });
  }
  return kept.map(({ line }) => `${line}\n`).join('');
}

/** The place in `kept`, which is in order and without overlaps, of the first piece that ends after `address`. */
function firstEndingAfter(kept, address) {
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (kept[middle].end > address) high = middle;
    else low = middle + 1;
  }
  return low;
}
