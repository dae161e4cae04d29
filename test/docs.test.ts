/** The documentation that is written from the program says what the program says, and links lead somewhere. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');

it('docs/filters.md is what the schemas of the steps say', async () => {
  const script = path.join(root, 'scripts/write-filter-docs.mjs');
  await expect(promisify(execFile)(process.execPath, [script, '--check'])).resolves.toMatchObject({ stderr: '' });
});

const pages = [
  'README.md',
  'config/README.md',
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('docs', name)),
];

it.each(pages)('every link of %s leads to a file', (page) => {
  const text = readFileSync(path.join(root, page), 'utf8');
  const targets = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] as string);
  const missing = targets.filter((target) => !existsSync(path.resolve(root, path.dirname(page), target)));
  expect(missing).toEqual([]);
});
