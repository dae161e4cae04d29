/** Parts of a page that a command writes: what stands between two comments in its Markdown. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The page of this repository. */
export const PERFORMANCE_PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

/** Replaces what `file` has between the lines `begin` and `end`. */
export async function writeBetween(file, [begin, end], text) {
  const page = await readFile(file, 'utf8');
  const [before, rest] = page.split(begin);
  const [, after] = rest?.split(end) ?? [];
  if (after === undefined) throw new Error(`${file} has no marks ${begin} and ${end}`);
  await writeFile(file, `${before}${begin}\n\n${text}\n\n${end}${after}`);
}

/** Nobody could measure again what was changed and not committed. */
export function mustBeCommitted(file, { commit }) {
  if (file === PERFORMANCE_PAGE && commit?.endsWith('-dirty'))
    throw new Error(`${commit} is no commit: not for ${file}`);
}
