/** docs/filter-output.md says what every signal looks like on the wire. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { signals } from '../../src/index.ts';

const page = readFileSync(new URL('../../docs/filter-output.md', import.meta.url), 'utf8');

it.each(Object.values(signals).map(({ wireName }) => wireName))('names %s', (wireName) => {
  expect(page).toContain(wireName);
});
