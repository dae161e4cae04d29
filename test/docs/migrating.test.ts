/** docs/migrating.md: the old file on the page becomes the new one on the page, which loads. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { migrateConfig } from '../../src/lib/config/migrate/migrate-config.ts';
import { checkedText } from '../helpers/checked-text.ts';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/migrating.md'), 'utf8');
const [before = '', after = ''] = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text ?? '');

it('shows what config migrate makes of an old file', async () => {
  expect(migrateConfig(before, 'router.yaml', 'router').text).toBe(after);
  expect(await checkedText(after, 'router')).toEqual([]);
});
