/** What can be wrong with the plugins a configuration names: real files, checked by the real command. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runKoukan } from '../helpers/process.ts';

/** Node does from 22.18 on. */
const readsTypeScript = Boolean(Reflect.get(process.features, 'typescript'));

let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'koukan-plugins-')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const full = path.join(folder, name);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

/** `modules` begins in line 5, column 10; a chain may follow. */
function routerFile(name: string, modules: string, chain = '- filter: rest_output'): string {
  return file(
    name,
    `rest_listener: {addr: [localhost, 8000], session_uri: "http://localhost:8000"}
storage: {url: sqlite:///x.sqlite}
sender: [{name: s, output_chain: e}, {name: t, output_chain: f}]
endpoint: [{name: e, chain: [{filter: rest_output}]}, {name: f, chain: *chain}]
modules: ${modules}
`.replace('*chain', `[${chain.replaceAll('\n', ' ').replace(/^- /, '{').replaceAll(' - ', '}, {')}}]`),
  );
}

interface Case {
  readonly of: string;
  readonly plugin?: string;
  /** Name of the plugin's file. */
  readonly as?: string;
  readonly modules?: string;
  readonly chain?: string;
  /** All mistakes: `col message`, or with a line of its own; FOLDER stands for the folder. */
  readonly says: readonly string[];
}

const plugin = (parts: string): string => `import { defineFilter, defineMatcher, defineRoutingPolicy, z } from 'koukan';
export default { name: 'p', ${parts} };
`;
const filter = (more: string): string => `filters: [{ name: 'f', summary: 's', ${more} }]`;
const passes = 'create: () => () => ({})';

const cases: readonly Case[] = [
  {
    of: 'a plugin that is sound',
    plugin: plugin(filter(passes)),
    chain: '- filter: f\n- filter: rest_output',
    says: [],
  },
  {
    of: 'a file that is not there',
    plugin: '',
    as: 'hello.js',
    modules: '[./helo.js]',
    says: ["5:11 plugin ./helo.js: there is no file FOLDER/helo.js (did you mean './hello.js'?)"],
  },
  { of: 'a folder', modules: '[./.]', says: ['5:11 plugin ./.: expected a file, not FOLDER'] },
  {
    of: 'a path without ./',
    plugin: '',
    as: 'bare.js',
    modules: '[bare.js]',
    says: ["5:11 plugin bare.js: a path begins with ./ or / (did you mean './bare.js'?)"],
  },
  {
    of: 'a package that is not installed',
    modules: '[koukan-plugin-of-nobody]',
    says: ["5:11 plugin koukan-plugin-of-nobody: there is no package 'koukan-plugin-of-nobody' in reach of FOLDER"],
  },
  {
    of: 'a Python module',
    modules: '{sync_filter: {hello: examples.hello}}',
    says: [
      "5:32 plugin examples.hello: there is no package 'examples.hello' in reach of FOLDER; Python modules are not loaded",
    ],
  },
  {
    of: 'a slip in the text',
    plugin: "import { z } from 'koukan';\nexport default {\n  name: 'x'\n  oops: 1,\n};\n",
    as: 'syntax.js',
    says: [
      "5:11 plugin ./syntax.js: FOLDER/syntax.js has a syntax error at FOLDER/syntax.js:4:3: Unexpected identifier 'oops'",
    ],
  },
  {
    of: 'a slip in a file that it imports',
    plugin: "import x from './syntax.js';\nexport default x;\n",
    as: 'imports-syntax.js',
    says: [
      "5:11 plugin ./imports-syntax.js: FOLDER/imports-syntax.js has a syntax error at FOLDER/syntax.js:4:3: Unexpected identifier 'oops'",
    ],
  },
  {
    of: 'an import of what is not exported',
    plugin: "import { defineFitler } from 'koukan';\nexport default defineFitler;\n",
    as: 'wrong-import.mjs',
    says: [
      "5:11 plugin ./wrong-import.mjs: FOLDER/wrong-import.mjs has a syntax error at FOLDER/wrong-import.mjs:1:10: The requested module 'koukan' does not provide an export named 'defineFitler'",
    ],
  },
  {
    of: 'an import of a file that is not there',
    plugin: "import './other.mjs';\n",
    as: 'missing-import.mjs',
    says: [
      "5:11 plugin ./missing-import.mjs: FOLDER/missing-import.mjs imports what is not there: Cannot find module 'FOLDER/other.mjs' imported from FOLDER/missing-import.mjs",
    ],
  },
  {
    of: 'TypeScript',
    plugin: 'const x: number = 1;\nexport default x;\n',
    as: 'typed.ts',
    says: [
      readsTypeScript
        ? '5:11 plugin ./typed.ts: FOLDER/typed.ts: expected definePlugin({…}), not 1'
        : '5:11 plugin ./typed.ts: FOLDER/typed.ts is no .js or .mjs file (TypeScript has to be compiled first): Unknown file extension ".ts" for FOLDER/typed.ts',
    ],
  },
  {
    of: 'a module that throws',
    plugin: "\nthrow new RangeError('not today');\n",
    as: 'throws.mjs',
    says: [
      '5:11 plugin ./throws.mjs: FOLDER/throws.mjs throws while it is loaded: RangeError: not today (at FOLDER/throws.mjs:2:7)',
    ],
  },
  {
    of: 'a module that throws what is no error',
    plugin: 'throw Object.create(null);\n',
    as: 'throws-odd.mjs',
    says: [
      '5:11 plugin ./throws-odd.mjs: FOLDER/throws-odd.mjs throws while it is loaded: [Object: null prototype] {}',
    ],
  },
  {
    of: 'a promise that is rejected while it is loaded',
    plugin: `${plugin(filter(passes))}void Promise.reject(new Error('stray'));\n`,
    as: 'stray.mjs',
    says: [
      '5:11 plugin ./stray.mjs: FOLDER/stray.mjs leaves a promise rejected: Error: stray (at FOLDER/stray.mjs:3:21)',
    ],
  },
  {
    of: 'a module without a default export',
    plugin: 'export const hello = 1;\nexport const other = 2;\n',
    as: 'no-default.mjs',
    says: ['5:11 plugin ./no-default.mjs: FOLDER/no-default.mjs has no default export; it exports hello and other'],
  },
  {
    of: 'an export that is not there',
    plugin: 'export const helloFilter = 1;\n',
    as: 'named.mjs',
    modules: "{sync_filter: {hello: './named.mjs:heloFilter'}}",
    says: [
      "5:32 plugin ./named.mjs: FOLDER/named.mjs has no export 'heloFilter'; it exports helloFilter (did you mean 'helloFilter'?)",
    ],
  },
  {
    of: 'an export that is no plugin',
    plugin: 'export default () => 1;\n',
    as: 'function.mjs',
    says: ['5:11 plugin ./function.mjs: FOLDER/function.mjs: expected definePlugin({…}), not [Function: default]'],
  },
  {
    of: 'a plugin of the wrong shape',
    plugin: plugin(
      "filter: [], filters: [{ name: 'a b', summary: '', create: 5 }], matchers: [{ name: 'm', summary: 's', create: () => 1, reads: 'never' }]",
    ),
    as: 'shape.mjs',
    says: [
      "5:11 plugin ./shape.mjs: FOLDER/shape.mjs: filters[0].name: 'name': expected letters, digits, `_`, `-` and `.`, at most 64",
      "5:11 plugin ./shape.mjs: FOLDER/shape.mjs: filters[0].summary: 'summary': is empty: write one sentence",
      "5:11 plugin ./shape.mjs: FOLDER/shape.mjs: filters[0].create: 'create': expected a function, not 5",
      "5:11 plugin ./shape.mjs: FOLDER/shape.mjs: matchers[0].reads: 'reads': expected 'mail', 'rcpt', 'data' or a function",
      "5:11 plugin ./shape.mjs: FOLDER/shape.mjs: unknown key 'filter' (did you mean 'filters'?)",
    ],
  },
  {
    of: 'a schema that is none',
    plugin: plugin(filter(`config: { greeting: 'text' }, ${passes}`)),
    as: 'schema.mjs',
    says: [
      "5:11 plugin ./schema.mjs: FOLDER/schema.mjs: filters[0].config: 'config': expected a schema made with the `z` of 'koukan'",
    ],
  },
  {
    of: 'names that are taken',
    plugin: plugin(
      "filters: [{ name: 'rest_output', summary: 's', create: () => () => ({}) }], matchers: [{ name: 'smtp_auth', summary: 's', reads: 'mail', create: () => () => 'match' }], routingPolicies: [{ name: 'dest_domain', summary: 's', create: () => () => ({ kind: 'pass' }) }]",
    ),
    as: 'taken.mjs',
    says: [
      "5:11 plugin p: there is already a filter 'rest_output' (built in)",
      "5:11 plugin p: there is already a matcher 'smtp_auth' (built in)",
      "5:11 plugin p: there is already a routing policy 'dest_domain' (built in)",
    ],
  },
  {
    of: 'two plugins with one name, and two filters with one name',
    plugin: plugin(filter(passes)),
    as: 'twice.mjs',
    modules: '[./twice.mjs, ./twice.mjs, ./other-p.mjs]',
    says: [
      "5:24 plugin p: there is already a plugin 'p' (of the plugin p)",
      "5:37 plugin q: there is already a filter 'f' (of the plugin p)",
    ],
  },
  {
    of: 'two signals with one name on the wire',
    plugin: plugin(
      filter(
        `produces: [{ wireName: 'koukan.mx_resolution.DnsResolutionFilter', name: 'x', toJson: (v) => v }], ${passes}`,
      ),
    ),
    as: 'signal.mjs',
    says: ["5:11 plugin p: there is already a signal 'koukan.mx_resolution.DnsResolutionFilter' (built in)"],
  },
  {
    of: 'create() that throws',
    plugin: plugin(filter("create: () => { throw new TypeError('no luck'); }")),
    as: 'create.mjs',
    chain: '- filter: f\n- filter: rest_output',
    says: ['4:74 the filter f of the plugin p failed: TypeError: no luck (at FOLDER/create.mjs:2:88)'],
  },
  {
    of: 'create() that answers a promise',
    plugin: plugin(filter("create: async () => { throw new Error('later'); }")),
    as: 'async.mjs',
    chain: '- filter: f\n- filter: rest_output',
    says: ['4:74 create() of the filter f of the plugin p must return a function, not a promise'],
  },
  {
    of: 'create() that finds a mistake',
    plugin: `import { ConfigError } from 'koukan';\nexport default { name: 'p', ${filter("create: () => { throw new ConfigError([{ path: [], key: 'filter', message: 'no key' }]); }")} };`,
    as: 'config-error.mjs',
    chain: '- filter: f\n- filter: rest_output',
    says: ['4:74 no key'],
  },
  {
    of: 'options that a plugin does not know',
    plugin: plugin(filter(`config: z.object({ greeting: z.string() }), ${passes}`)),
    as: 'options.mjs',
    chain: '- filter: f, greting: hi\n- filter: rest_output',
    says: ["4:73 missing 'greeting': expected text", "4:85 unknown key 'greting' (did you mean 'greeting'?)"],
  },
  {
    of: 'a schema whose own code throws',
    plugin: plugin(filter(`config: z.strictObject({}).refine(() => { throw new Error('in the schema'); }), ${passes}`)),
    as: 'refine.mjs',
    chain: '- filter: f\n- filter: rest_output',
    says: [
      "4:82 'filter': the options of the filter f of the plugin p cannot be checked: Error: in the schema (at FOLDER/refine.mjs:2:114)",
    ],
  },
  {
    of: 'a section that is neither a list nor maps',
    modules: './hello.js',
    says: ['5:10 \'modules\': expected a list of modules, not "./hello.js"'],
  },
  {
    of: 'maps that are not known, and entries that are no text',
    modules: '{sync_filtre: {}, transaction_matcher: [x], sync_filter: {a: 5}}',
    says: [
      "5:11 unknown key 'sync_filtre' (known here: sync_filter, recipient_router_policy or transaction_matcher; or write a list of modules) (did you mean 'sync_filter'?)",
      "5:49 'transaction_matcher': expected a mapping of names to modules, not a list",
      '5:71 expected a module such as ./plugin.js or the name of a package, not 5',
    ],
  },
  {
    of: 'a plugin that is missing, and what else is wrong',
    modules: '[./gone.js]',
    chain: '- filter: of_the_plugin\n- filter: rest_outptu',
    says: [
      "4:107 unknown filter 'rest_outptu' (did you mean 'rest_output'?)",
      '5:11 plugin ./gone.js: there is no file FOLDER/gone.js',
    ],
  },
];

describe('koukan config check', () => {
  it('says what is wrong with the plugins of a configuration', async (context) => {
    file('other-p.mjs', plugin(filter(passes)).replace("'p'", "'q'"));
    const files = cases.map((each, i) => {
      const name = each.as ?? `plugin-${i}.mjs`;
      if (each.plugin !== undefined) file(name, each.plugin);
      return routerFile(`router-${i}.yaml`, each.modules ?? `[./${name}]`, each.chain);
    });
    const { stdout } = await runKoukan(context, { args: ['config', 'check', '--json', ...files], cwd: folder });
    const reports = JSON.parse(stdout) as { mistakes: { line: number; col: number; message: string }[] }[];
    const found = reports.map(({ mistakes }) =>
      mistakes.map(({ line, col, message }) => `${line}:${col} ${message.replaceAll(folder, 'FOLDER')}`),
    );
    const by = (lists: readonly (readonly string[])[]) =>
      Object.fromEntries(cases.map((each, i) => [each.of, lists[i]]));
    expect(by(found)).toEqual(by(cases.map(({ says }) => says)));
  });
});
