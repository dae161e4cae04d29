/** What V8 made of a chunk when it was built is used where it was made, and left alone everywhere else. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

const loader = path.resolve(import.meta.dirname, '../../scripts/load-bundle.cjs');
const chunk = '(function (exports) { exports.answer = () => 42; })';
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-chunks-'));
  copyFileSync(loader, path.join(folder, 'load.cjs'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Loads the chunk in a process of its own: what it answers, and whether V8 took the cache; `undefined` when it was offered none. */
async function started(andThen = ''): Promise<unknown> {
  const program = `
    const { load, scripts } = require('./load.cjs');
    const answer = load('chunk.cjs').answer();
    const [[file, { script, heading }]] = scripts;
    const writeCache = () => require('fs').writeFileSync(file + '.cache', Buffer.concat([Buffer.from(heading), script.createCachedData()]));
    ${andThen};
    console.log(JSON.stringify({ answer, isTaken: script.cachedDataRejected === undefined ? undefined : !script.cachedDataRejected }));`;
  const { stdout } = await execa('node', ['--eval', program], { cwd: folder });
  return JSON.parse(stdout);
}

it('is used by the machine that made it, and by no other', async () => {
  const [file, cache] = ['chunk.cjs', 'chunk.cjs.cache'].map((name) => path.join(folder, name)) as [string, string];
  writeFileSync(file, `/*000000000001*/${chunk}`);
  expect(await started('writeCache()')).toEqual({ answer: 42 });
  expect(await started()).toEqual({ answer: 42, isTaken: true });

  const made = readFileSync(cache, 'latin1');
  for (const mine of [process.arch, process.platform, process.versions.v8]) {
    writeFileSync(cache, made.replace(mine, mine.replace(/./g, '?')), 'latin1');
    expect(await started()).toEqual({ answer: 42 });
  }
});

it('is left alone when it was made of another text', async () => {
  const file = path.join(folder, 'chunk.cjs');
  writeFileSync(file, `/*000000000001*/${chunk}`);
  await started('writeCache()');
  writeFileSync(file, `/*000000000002*/${chunk.replace('42', '43')}`);
  expect(await started()).toEqual({ answer: 43 });
});
