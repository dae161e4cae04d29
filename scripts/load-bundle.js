/**
 * Runs what scripts/bundle.mjs made: the build puts this file beside it, as dist/bundle/load.js. Node finds, reads and compiles a module anew at
 * every start, an ES module in several turns of its loop; a chunk is read at once and comes with what V8 made of it when it was built, so that
 * a start compiles next to nothing. V8 itself refuses what another version of it made: then the text is compiled, as ever.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import vm from 'node:vm';

const folder = fileURLToPath(new URL('.', import.meta.url));
const requirePackage = createRequire(import.meta.url);
const modules = new Map();

/** What was compiled, by file: for scripts/write-code-cache.mjs. */
export const scripts = new Map();

/** Of the mark that a chunk begins with, and its cache. */
const MARK_LENGTH = 16;

/** The exports of a chunk, which is run when it is first asked for. */
export function load(name) {
  const file = path.join(folder, name);
  const known = modules.get(file);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  modules.set(file, module);
  const meta = { url: pathToFileURL(file).href, resolve: import.meta.resolve };
  compiled(file)(module.exports, requireFrom, module, file, folder, meta, importModule);
  return module.exports;
}

/** A chunk, whether its neighbour names it or the frame of commands, or a package. */
function requireFrom(id) {
  return id.startsWith('./') || id.startsWith(folder) ? load(path.basename(id)) : requirePackage(id);
}

/** A script compiled by hand may not import: it asks here, from the same folder. */
function importModule(id) {
  return import(id);
}

function compiled(file) {
  const text = readFileSync(file, 'latin1');
  const mark = text.slice(0, MARK_LENGTH);
  const script = new vm.Script(text, { filename: file, cachedData: codeCache(file, mark) });
  scripts.set(file, { script, mark });
  return script.runInThisContext();
}

/** V8 compares nothing but the length of the text, so the mark says whether it was made of this one. */
function codeCache(file, mark) {
  try {
    const cache = readFileSync(`${file}.cache`);
    return cache.latin1Slice(0, MARK_LENGTH) === mark ? cache.subarray(MARK_LENGTH) : undefined;
  } catch {
    return undefined;
  }
}
