/**
 * What a command loads before it does its work: a start is slow because of what is loaded, and what is loaded can be counted. The times
 * themselves are measured by `npm run bench:startup`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const koukan = path.join(root, 'bin/koukan.js');
const recorder = path.join(root, 'test/helpers/record-loads.mjs');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-loaded-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * The packages and the files of `dist` that a real process loaded: of the bundle, what a file is called without the sum of its content (a
 * bundled package has a file of its name).
 */
async function loadedBy(...args: string[]): Promise<ReadonlySet<string>> {
  const list = path.join(folder, `${args.join('-').replaceAll(/[^a-z-]/g, '')}.txt`);
  const env = { KOUKAN_LOADS: list };
  await execa('node', ['--import', recorder, koukan, ...args], { cwd: root, env, reject: false, input: '' });
  const urls = readFileSync(list, 'utf8').split('\n');
  return new Set(
    urls.map(
      (url) =>
        /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ??
        /\/dist\/bundle\/(.*?)(?:-[\w-]{8})?\.c?js$/.exec(url)?.[1] ??
        url.replace(/^.*\/dist\//, ''),
    ),
  );
}

const HEAVY = [
  'zod',
  'undici',
  'yaml',
  'fastify',
  'pino',
  'better-sqlite3',
  'pg',
  'mailauth',
  'nodemailer',
  'smtp-server',
];

it('answers --version without the frame of commands', async () => {
  const loaded = await loadedBy('--version');
  expect([...loaded].filter((each) => /oclif|^run$|lib\//.test(each))).toEqual([]);
});

it.each([
  [['tx', 'list', '--help'], []],
  [['serve', '--help'], []],
  [['ssmtp', '--help'], []],
  [['tx', 'list', '--url', 'http://127.0.0.1:1'], []],
  [['tx', 'show', 'abc', '--url', 'http://127.0.0.1:1'], []],
  [['tx', 'watch', 'abc', '--url', 'http://127.0.0.1:1'], []],
  [['smtp-auth'], []],
  [['dkim', 'keygen'], []],
  [['filters'], ['zod']],
  [
    ['config', 'check', 'config/local-test/router.yaml'],
    ['zod', 'yaml'],
  ],
])('koukan %j loads none of the daemons’ libraries but %j', async (args, needed) => {
  const loaded = await loadedBy(...args);
  expect(loaded).toContain('oclif');
  // The command line, the schemas and the grammar of configurations are in the bundle, once.
  expect([...loaded].filter((each) => each.startsWith('@oclif'))).toEqual([]);
  expect(HEAVY.filter((each) => loaded.has(each))).toEqual(needed);
});

it('loads one command of all', async () => {
  const loaded = await loadedBy('tx', 'list', '--help');
  expect([...loaded].filter((each) => /command/.test(each))).toEqual([]);
  const run = await loadedBy('tx', 'list', '--url', 'http://127.0.0.1:1');
  expect([...run].filter((each) => /command/.test(each))).toEqual(['command-tx-list']);
});
