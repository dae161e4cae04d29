/**
 * The documentation that is written from the program says what the program says; links lead somewhere; commands and their flags exist; the
 * examples in YAML and JSON can be read.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { commandProblems, commandsIn } from './helpers/koukan-commands.ts';

const root = path.resolve(import.meta.dirname, '..');
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...['config', 'docs', 'examples'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => path.join(folder, name)),
  ),
];
const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: object };
const readPage = (page: string): string => readFileSync(path.join(root, page), 'utf8');

it('the reference pages are what the program says, and the examples in them compile', async () => {
  const script = path.join(root, 'scripts/write-filter-docs.mjs');
  await expect(promisify(execFile)(process.execPath, [script, '--check'])).resolves.toMatchObject({ stderr: '' });
});

it('docs/README.md leads to every page', () => {
  const reached = new Set(['docs/README.md']);
  const ahead = [...reached];
  for (let page = ahead.pop(); page !== undefined; page = ahead.pop()) {
    const found = linksOf(page).flatMap(({ file }) => pages.filter((each) => isAt(each, path.relative(root, file))));
    for (const target of found) {
      if (reached.has(target)) continue;
      reached.add(target);
      ahead.push(target);
    }
  }
  const apart = /^(CHANGELOG|README)\.md$|\/notes\//;
  expect(pages.filter((page) => !reached.has(page) && !apart.test(page))).toEqual([]);
});

describe.each(pages)('%s', (page) => {
  it('has links that lead somewhere', () => {
    const dead = linksOf(page).filter(({ file, anchor }) => !existsSync(file) || !hasAnchor(file, anchor));
    expect(dead.map(({ target }) => target)).toEqual([]);
  });

  it('names commands and flags that there are', () => {
    expect(commandsIn(readPage(page)).flatMap(commandProblems)).toEqual([]);
  });

  it('names scripts of npm that there are', () => {
    const named = [...readPage(page).matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, script]) => script ?? '');
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });

  it('has examples that can be read', () => {
    const text = readPage(page);
    for (const [, block = ''] of text.matchAll(/^```yaml\n(.*?)^```$/gms)) expect(() => parse(block)).not.toThrow();
    for (const [, block = ''] of text.matchAll(/^```json\n(.*?)^```$/gms))
      expect(() => JSON.parse(block)).not.toThrow();
  });
});

/** A link to a folder leads to the pages in it. */
function isAt(page: string, target: string): boolean {
  return page === target || path.dirname(page) === target;
}

interface Link {
  readonly target: string;
  readonly file: string;
  readonly anchor: string | undefined;
}

/** Links within the repository. */
function linksOf(page: string): Link[] {
  const text = readPage(page).replaceAll(/^```.*?^```/gms, '');
  return [...text.matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)].map(([, target = '']) => {
    const [name = '', anchor] = target.split('#', 2);
    const from = name === '' ? page : path.join(path.dirname(page), name);
    return { target, file: path.resolve(root, from), anchor };
  });
}

/** As GitHub makes anchors of headings: lower case, without punctuation, spaces as hyphens. */
function hasAnchor(file: string, anchor: string | undefined): boolean {
  if (anchor === undefined || statSync(file).isDirectory()) return anchor === undefined;
  const headings = readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm);
  const slugs = [...headings].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
  return slugs.includes(anchor);
}
