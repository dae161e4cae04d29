/**
 * Runs what scripts/bundle.mjs made: the build puts this file beside it, as dist/bundle/load.cjs. Node finds, reads and compiles a module anew at
 * every start, an ES module in several turns of its loop; a chunk is read at once and comes with what V8 made of it when it was built, so that
 * a start compiles next to nothing. What another machine or another V8 made is left alone: then the text is compiled, as ever.
 */
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const vm = require('node:vm');

const folder = `${__dirname}${path.sep}`;
const modules = new Map();

/** What was compiled, by file: for scripts/write-code-cache.mjs. */
const scripts = new Map();

/** Of the mark that a chunk begins with. */
const MARK_LENGTH = 16;

/**
 * Whose work a cache is: V8 compares its version and its flags, and nothing says that it knows what was made for another processor. As long as it
 * is, what follows lies at a multiple of eight, and V8 reads it in place.
 */
const MACHINE = `${process.platform} ${process.arch} ${process.versions.v8}`.padEnd(48);

/** The exports of a chunk, which is run when it is first asked for. */
function load(name) {
  const file = path.join(folder, name);
  const known = modules.get(file);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  modules.set(file, module);
  const meta = { url: pathToFileURL(file).href };
  compiled(file)(module.exports, requireFrom, module, file, folder, meta, importModule);
  return module.exports;
}

/** A chunk, whether its neighbour names it or the frame of commands, or a package. */
function requireFrom(id) {
  return id.startsWith('./') || id.startsWith(folder) ? load(path.basename(id)) : require(id);
}

/** A script compiled by hand may not import: it asks here, from the same folder. */
function importModule(id) {
  return import(id);
}

function compiled(file) {
  const text = readFileSync(file, 'latin1');
  const heading = text.slice(0, MARK_LENGTH) + MACHINE;
  const script = new vm.Script(text, { filename: file, cachedData: codeCache(file, heading) });
  scripts.set(file, { script, heading });
  return script.runInThisContext();
}

/** Of the text V8 compares nothing but the length, so the mark in the heading says whether it was made of this one. */
function codeCache(file, heading) {
  try {
    const cache = readFileSync(`${file}.cache`);
    return cache.latin1Slice(0, heading.length) === heading ? cache.subarray(heading.length) : undefined;
  } catch {
    return undefined;
  }
}

exports.load = load;
exports.scripts = scripts;
