/** The run itself: whoever starts the tests, a person or a machine, reads off the exit code whether they passed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');

it.each([
  ['passes', 1, 0],
  ['fails', 2, 1],
])('a run in which PostgreSQL was at hand and a test %s', async (_, seen, exitCode) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'koukan-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = (name: string, text: string): Promise<void> => writeFile(path.join(folder, name), text);
  const helper = JSON.stringify(path.join(root, 'test/helpers/postgres.ts'));
  const setup = 'export default async () => { await embeddedPostgres(); }';
  await file('setup.ts', `import { embeddedPostgres } from ${helper}; ${setup}`);
  await file('one.test.ts', `import { expect, it } from 'vitest'; it('is one', () => expect(${seen}).toBe(1));`);
  await file(
    'vitest.config.mjs',
    `export default { test: { globalSetup: ['./setup.ts'], root: ${JSON.stringify(folder)} } };`,
  );
  await file('package.json', '{"type": "module"}');
  const run = await execa(
    'node',
    [path.join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', path.join(folder, 'vitest.config.mjs')],
    {
      cwd: root,
      reject: false,
    },
  );
  expect(run.stdout).toContain(exitCode === 0 ? '1 passed' : '1 failed');
  expect(run.exitCode).toBe(exitCode);
});
