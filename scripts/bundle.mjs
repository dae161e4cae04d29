// Puts the commands, and what they are made of, into a few files in dist/bundle: a start that reads five files instead of five hundred takes a
// third of the time (docs/decisions/0023-few-files-to-start.md). load-bundle.cjs runs them. What daemons, workers and tests run is what the compiler
// makes of the same source.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = path.join(root, 'src');
const target = path.join(root, 'dist/bundle');

/** Packages that every start, or every reading of a configuration, loads. What handles mail or speaks to a network stays a package. */
const BUNDLED = /^(@oclif\/|zod$|yaml$)/;
/** oclif looks for them in checkouts whose commands are TypeScript. */
const NEVER = /^(typescript|ts-node|tsx)$/;
/** Long-lived: as modules of their own, for stacks and profiles that name files; they have the time. And what only an ES module can ask of Node. */
const MODULES = ['lib/daemon/run-daemon', 'lib/dev/run-dev', 'lib/plugins/resolved-url'];

const posix = (file) => file.split(path.sep).join('/');

/** Which module stays where: a URL relative to dist/bundle, or undefined for what is bundled. */
const apart = {
  name: 'apart',
  resolveId(id, importer) {
    if (importer === undefined || id.startsWith('node:')) return undefined;
    const isOurs = importer.startsWith(source);
    if (id.startsWith('.')) {
      const file = posix(path.relative(source, path.resolve(path.dirname(importer), id))).replace(/\.ts$/, '');
      return isOurs && MODULES.includes(file) ? { id: `../${file}.js`, external: true } : undefined;
    }
    return (isOurs ? BUNDLED.test(id) : !NEVER.test(id)) ? undefined : { id, external: true };
  },
};

/** A module finds its neighbours on disk (a worker, sql/, package.json) from where the compiler put it, or from a file of the bundle. */
const places = {
  name: 'places',
  transform(code, id) {
    if (!id.startsWith(source) || !code.includes('import.meta')) return undefined;
    const compiled = posix(path.relative(source, id)).replace(/\.ts$/, '.js');
    return code
      .replace("new URL('../../index.js', import.meta.url)", "new URL('./index.js', importMeta.url)")
      .replaceAll('import.meta.url', `new URL('../${compiled}', importMeta.url).href`);
  },
};

/**
 * oclif requires at once what it may need some day: globs, templates, spinners, a profiler. Here each is loaded when something of it is first
 * asked for. The form is that of TypeScript's CommonJS, whose imports are only ever used as `name_1.member`. To sort the names of commands it makes
 * Node set up the collation of all languages, 7 ms; to write in its user agent that this is Linux under Windows it reads files and another package.
 */
const whenUsed = {
  name: 'when-used',
  transform(code, id) {
    if (!posix(id).includes('/node_modules/@oclif/core/lib/')) return undefined;
    return code
      .replace(
        /^const (\w+_1) = ((?:__importDefault\()?require\("[^."][^"]*"\)\)?);$/gm,
        'const $1 = new Proxy({}, { get: (_, member) => ($2)[member] });',
      )
      .replace('a.id.localeCompare(b.id)', '(a.id < b.id ? -1 : 1)')
      .replace("(await import('wsl-utils')).isWsl ? 'wsl' : (0, node_os_1.platform)()", '(0, node_os_1.platform)()');
  },
};

/** Of the languages of zod a start takes English; the others are in the package, for the plugin that asks. */
const languages = {
  name: 'languages',
  transform(code, id) {
    if (!/\/zod\/v4\/(classic\/external|core\/index)\.js$/.test(posix(id))) return undefined;
    return code.replace(
      'export * as locales from "../locales/index.js";',
      `import { createRequire } from 'node:module';
      export const locales = new Proxy({}, { get: (_, name) => createRequire(importMeta.url)('zod/v4/locales')[name] });`,
    );
  },
};

const commands = readdirSync(path.join(source, 'commands'), { recursive: true })
  .map(posix)
  .filter((file) => file.endsWith('.ts'));
const commandEntries = commands.map((file) => [
  `command-${file.replace(/\.ts$/, '').replaceAll('/', '-')}`,
  path.join(source, 'commands', file),
]);

const bundle = await rolldown({
  cwd: root,
  input: {
    run: path.join(source, 'lib/cli/run.ts'),
    index: path.join(source, 'index.ts'),
    ...Object.fromEntries(commandEntries),
  },
  platform: 'node',
  plugins: [apart, places, whenUsed, languages],
  transform: { target: 'node20' },
});
const { output } = await bundle.generate({
  format: 'cjs',
  comments: false,
  chunkFileNames: '[name]-[hash].cjs',
  entryFileNames: '[name].cjs',
  // By their names, so that one sees what a command loads.
  codeSplitting: {
    groups: ['zod', 'yaml'].map((name) => ({ name, test: new RegExp(`/node_modules/${name}/`) })),
  },
});
await bundle.close();

/** A process that starts meanwhile reads the old file or the new one, never half of one. */
function put(name, text) {
  const file = path.join(target, name);
  if (readText(file) === text) return;
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
}

/** The texts of the licences of what was bundled, which have to go with it. */
function licences() {
  const folders = new Set(
    output
      .flatMap(({ moduleIds = [] }) => moduleIds)
      .flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(posix(id)) ?? []),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? '' : `\n${readFileSync(path.join(folder, file), 'utf8').trim()}\n`;
    return `${name} ${version} (${license})\n${text}`;
  });
  return `The files of this folder contain parts of these packages.\n\n${texts.join(`\n${'-'.repeat(72)}\n\n`)}`;
}

/**
 * As the loader takes it: a function, with a mark that tells it from every other text, and modules of ES asked of the loader. ASCII, because one
 * other character doubles what the whole text takes.
 */
function loadable(code) {
  const ascii = code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const body = withLateModules(ascii.replace(/(?<![\w$.'"`])import\(/g, 'importModule('));
  const mark = createHash('sha256').update(body).digest('hex').slice(0, 12);
  return `/*${mark}*/(function (exports, require, module, __filename, __dirname, importMeta, importModule) {"use strict";${body}\n})`;
}

/** What Node has, loaded when something of it is first asked for, too: keys and sockets take a command 10 ms that does nothing with them. */
function withLateModules(code) {
  return code.replace(/^let (\w+) = require\("(node:[\w/]+)"\);$/gm, (line, name, id) =>
    code.includes(`\n${name} = `)
      ? line
      : `const ${name} = new Proxy({}, { get: (_, member) => require("${id}")[member] });`,
  );
}

/** What a plugin imports as `koukan`: an ES module, with the classes of the program around it. */
function publicModule({ fileName, exports }) {
  return `import { load } from './load.cjs';\nexport const { ${exports.join(', ')} } = load('${fileName}');\n`;
}

mkdirSync(target, { recursive: true });
// What is imported before what imports it.
const chunks = output.toSorted((a, b) => Number(a.isEntry) - Number(b.isEntry));
const files = new Map([
  ['load.cjs', readFileSync(new URL('load-bundle.cjs', import.meta.url), 'utf8')],
  ...chunks.map(({ fileName, code }) => [fileName, loadable(code)]),
  ['index.js', publicModule(chunks.find(({ name }) => name === 'index'))],
  ['LICENSES.txt', licences()],
]);
for (const [name, text] of files) put(name, text);

// Of earlier builds: a process that runs since then may still ask for one. What is packed has none of them.
const keptMs = process.argv.includes('--clean') ? 0 : 3_600_000;
for (const name of readdirSync(target).filter((each) => !files.has(each.replace(/\.cache$/, '')))) {
  const file = path.join(target, name);
  if (Date.now() - statSync(file).mtimeMs > keptMs) unlinkSync(file);
}
