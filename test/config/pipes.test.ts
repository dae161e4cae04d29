/** A configuration that comes out of a pipe, as `<(envsubst < router.yaml)` gives it, can be read once. */
import path from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

it.each(['router', 'gateway'])('a %s reads a pipe', async (command) => {
  const line = `exec "${process.execPath}" bin/koukan.js ${command} <(echo 'nonsens: 1')`;
  const { exitCode, stderr } = await execa('bash', ['-c', line], { cwd: root, reject: false });
  expect([exitCode, stderr]).toEqual([78, expect.stringContaining('nonsens')]);
});
