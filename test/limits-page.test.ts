/** docs/limits.md says what the program does: every name in it is a limit, with the number that is there. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { limits } from '../src/lib/core/limits.ts';

const page = readFileSync(path.resolve(import.meta.dirname, '../docs/limits.md'), 'utf8');
const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, value]) => [name, Number(value)] as const);

it('the page of limits has a table', () => {
  expect(rows.length).toBeGreaterThan(40);
});

it.each(rows)('%s is %d', (name, value) => {
  expect((limits as Readonly<Record<string, number>>)[name as string]).toBe(value);
});

it.each(['rest', 'smtp', 'request', 'overload'])(
  'every limit that clients meet and that begins with %s is on the page',
  (prefix) => {
    const inside = ['smtpRsetMs', 'smtpQuitMs', 'smtpReplyLineBytes', 'smtpWriteBytes', 'smtpReadBytes'];
    const missing = Object.keys(limits).filter(
      (name) => name.startsWith(prefix) && !inside.includes(name) && !rows.some(([row]) => row === name),
    );
    expect(missing).toEqual([]);
  },
);
