/**
 * The direction of dependence, read from the imports: commands → daemon → router, gateway → chain → filters, matchers, outputs →
 * message, auth → core. An import of a type counts for the direction; for cycles only what is loaded at run time counts.
 */
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { type ImportOf, importsOf, placeOf, sourceFiles, walk } from './helpers/source-files.ts';

/** What filters, matchers and outputs may know of the chain they stand in, and of the configuration they are made from. */
const STEP_CONTRACTS = [
  'chain/filter.ts',
  'chain/child.ts',
  'config/source.ts',
  'config/schema-mistakes.ts',
  'config/router-config.ts',
  'config/fields.ts',
];

/** Folders of `src/lib` (or single files of one) that a folder may import, beside itself and `core`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  message: [],
  auth: ['message'],
  ops: [],
  spool: [],
  store: [],
  // A file of tokens is checked when the configuration is.
  config: ['auth/tokens.ts'],
  cli: ['config'],
  // What comes in over a socket is written to the spool while it arrives.
  smtp: ['spool'],
  // Who calls is found out before anything else.
  http: ['auth/tokens.ts', 'auth/watched-file.ts'],
  matchers: ['message', 'auth', ...STEP_CONTRACTS],
  filters: ['message', 'auth', 'matchers', ...STEP_CONTRACTS],
  outputs: ['message', 'auth', 'smtp', ...STEP_CONTRACTS, 'config/gateway-config.ts'],
  chain: ['config', 'filters', 'matchers', 'outputs'],
  plugins: ['chain', 'config', 'filters', 'matchers', 'ops'],
  conversation: ['spool', 'http/service.ts', 'http/caller.ts'],
  router: ['auth', 'chain', 'config', 'conversation', 'http', 'message', 'spool', 'store'],
  gateway: ['auth', 'chain', 'config', 'conversation', 'http', 'message', 'outputs', 'smtp', 'spool'],
};

/** Where the parts are put together: these may import anything below. `dev` and `tools` run the others. */
const ROOTS = ['daemon', 'dev', 'receiver', 'tools'];

const files = sourceFiles('src');
const imports = files.flatMap(importsOf);

/** `core` of `src/lib/core/body.ts`; `commands`; `''` of `src/index.ts`. */
function folderOf(path: string): string {
  const [, first = '', second = ''] = path.split('/');
  return first === 'lib' ? second : first.endsWith('.ts') ? '' : first;
}

function isAllowed({ from, to }: ImportOf): boolean {
  const [here, there] = [folderOf(from), folderOf(to)];
  if (here === '' || here === 'commands') return there !== '';
  if (here === there || there === 'core') return true;
  if (ROOTS.includes(here))
    return !['commands', '', 'dev'].includes(there) && (here === 'dev' || here === 'tools' || !ROOTS.includes(there));
  const allowed = MAY_IMPORT[here] ?? [];
  return allowed.some((place) => (place.endsWith('.ts') ? to === `src/lib/${place}` : place === there));
}

const line = ({ from, to }: ImportOf): string => `${from} imports ${to}`;

describe('the direction of dependence', () => {
  it('is known for every folder', () => {
    const folders = new Set(files.map(({ path }) => folderOf(path)));
    const unknown = [...folders].filter(
      (folder) => !(folder in MAY_IMPORT) && !['', 'commands', ...ROOTS].includes(folder),
    );
    expect(unknown, 'folders of src/lib without a place in MAY_IMPORT').toEqual([]);
  });

  it('is never reversed', () => {
    expect(imports.filter((each) => each.isRelative && !isAllowed(each)).map(line)).toEqual([]);
  });

  it('leaves core without packages', () => {
    const foreign = imports.filter(
      ({ from, isRelative, to }) => folderOf(from) === 'core' && !isRelative && to !== 'node:crypto',
    );
    expect(foreign.map(line)).toEqual([]);
  });

  it('keeps filters apart: only the registry imports one', () => {
    const isFilter = (path: string): boolean => /^src\/lib\/filters\/[^/]+\.ts$/.test(path);
    const wrong = imports.filter(
      ({ from, to }) => isFilter(to) && !to.endsWith('/index.ts') && from !== 'src/lib/filters/index.ts',
    );
    expect(wrong.map(line)).toEqual([]);
  });

  it('lets only the store name a database engine', () => {
    const engines = imports.filter(({ to }) => /^(better-sqlite3|pg)(\/|$)/.test(to));
    expect(engines.filter(({ from }) => folderOf(from) !== 'store').map(line)).toEqual([]);
  });

  it('lets only sender authentication name its library', () => {
    const wrong = imports.filter(({ from, to }) => /^(mailauth|tldts)(\/|$)/.test(to) && folderOf(from) !== 'auth');
    expect(wrong.map(line)).toEqual([]);
  });

  it('has no cycle of modules at run time', () => {
    expect(cycles(imports.filter((each) => each.isRelative && !each.isTypeOnly))).toEqual([]);
  });
});

describe('time, randomness and DNS', () => {
  it('come from src/lib/ops alone', () => {
    const calls = files
      .filter(({ path }) => folderOf(path) !== 'ops')
      .flatMap((file) => {
        const found: string[] = [];
        walk(file.tree, (node) => {
          const named = ambientCall(node);
          if (named !== undefined) found.push(`${placeOf(file, node)} calls ${named}`);
        });
        return found;
      });
    const dns = imports.filter(({ from, to }) => /^node:dns/.test(to) && folderOf(from) !== 'ops').map(line);
    expect([...calls, ...dns]).toEqual([]);
  });
});

/** Calls that read the time, roll the dice or set a timer without being handed a clock. */
function ambientCall(node: ts.Node): string | undefined {
  if (ts.isNewExpression(node)) {
    return node.expression.getText() === 'Date' && (node.arguments ?? []).length === 0 ? 'new Date()' : undefined;
  }
  if (!ts.isCallExpression(node)) return undefined;
  const name = node.expression.getText().replace(/^globalThis\./, '');
  return ['Date.now', 'Math.random', 'setTimeout', 'setInterval', 'AbortSignal.timeout'].includes(name)
    ? name
    : undefined;
}

/** Each cycle once, as a path that ends where it began. */
function cycles(edges: readonly ImportOf[]): string[] {
  const next = new Map<string, ImportOf[]>();
  for (const edge of edges) next.set(edge.from, [...(next.get(edge.from) ?? []), edge]);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt !== -1) found.push([...trail.slice(seenAt), path].join(' → '));
    if (seenAt !== -1 || done.has(path)) return;
    for (const { to } of next.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const path of next.keys()) visit(path, []);
  return found;
}
