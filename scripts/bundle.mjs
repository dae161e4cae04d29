// Puts the commands, and what they are made of, into a few files in dist/bundle: a start that reads five files instead of five hundred takes a
// third of the time (docs/decisions/0023-few-files-to-start.md). What daemons, workers and tests run is what the compiler makes of the same source.
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
/** Long-lived: as modules of their own, for stacks and profiles that name files; they have the time. */
const DAEMONS = ['lib/daemon/run-daemon', 'lib/dev/run-dev'];

const posix = (file) => file.split(path.sep).join('/');

/** Which module stays where: a URL relative to dist/bundle, or undefined for what is bundled. */
const apart = {
  name: 'apart',
  resolveId(id, importer) {
    if (importer === undefined || id.startsWith('node:')) return undefined;
    const isOurs = importer.startsWith(source);
    if (id.startsWith('.')) {
      const file = posix(path.relative(source, path.resolve(path.dirname(importer), id))).replace(/\.ts$/, '');
      return isOurs && DAEMONS.includes(file) ? { id: `../${file}.js`, external: true } : undefined;
    }
    return (isOurs ? BUNDLED.test(id) : !NEVER.test(id)) ? undefined : { id, external: true };
  },
};

/** A module finds its neighbours on disk (a worker, sql/, package.json) from where the compiler put it, or from a file of the bundle. */
const places = {
  name: 'places',
  transform(code, id) {
    if (!id.startsWith(source) || !code.includes('import.meta.url')) return undefined;
    const compiled = posix(path.relative(source, id)).replace(/\.ts$/, '.js');
    return code
      .replace("new URL('../../index.js', import.meta.url)", "new URL('./index.js', import.meta.BUNDLE)")
      .replaceAll('import.meta.url', `new URL('../${compiled}', import.meta.url).href`)
      .replace('import.meta.BUNDLE', 'import.meta.url');
  },
};

/**
 * oclif requires at once what it may need some day: globs, templates, spinners, a profiler. Here each is loaded when something of it is first
 * asked for. The form is that of TypeScript's CommonJS, whose imports are only ever used as `name_1.member`.
 */
const whenUsed = {
  name: 'when-used',
  transform(code, id) {
    if (!posix(id).includes('/node_modules/@oclif/core/lib/')) return undefined;
    return code.replace(
      /^const (\w+_1) = ((?:__importDefault\()?require\("[^."][^"]*"\)\)?);$/gm,
      'const $1 = new Proxy({}, { get: (_, member) => ($2)[member] });',
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
  plugins: [apart, places, whenUsed],
  transform: { target: 'node20', define: { __dirname: 'import.meta.dirname' } },
});
const { output } = await bundle.generate({
  format: 'esm',
  chunkFileNames: '[name]-[hash].js',
  entryFileNames: '[name].js',
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

mkdirSync(target, { recursive: true });
// What is imported before what imports it.
const chunks = output.toSorted((a, b) => Number(a.isEntry) - Number(b.isEntry));
for (const { fileName, code } of chunks) put(fileName, code);
put('LICENSES.txt', licences());

// Of earlier builds: a process that runs since then may still ask for one. What is packed has none of them.
const keptMs = process.argv.includes('--clean') ? 0 : 3_600_000;
const current = new Set([...chunks.map(({ fileName }) => fileName), 'LICENSES.txt']);
for (const name of readdirSync(target).filter((each) => !current.has(each))) {
  const file = path.join(target, name);
  if (Date.now() - statSync(file).mtimeMs > keptMs) unlinkSync(file);
}
