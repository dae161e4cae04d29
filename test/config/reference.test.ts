/** The references of both configurations leave no key out, and say what each is for. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { gatewaySchema } from '../../src/lib/config/gateway-schema.ts';
import { routerSchema } from '../../src/lib/config/router-schema.ts';
import { schemaKeys } from '../../src/lib/config/schema-keys.ts';

const DEPTH = 6;
const docs = path.resolve(import.meta.dirname, '../../docs');
const pageText = (page: string): string => readFileSync(path.join(docs, page), 'utf8');

function allKeys(schema: z.ZodType, at: readonly PropertyKey[] = []): string[] {
  if (at.length > DEPTH) return [];
  const here = schemaKeys(schema, at);
  const inside = here.flatMap((key) => [...allKeys(schema, [...at, key]), ...allKeys(schema, [...at, key, 0])]);
  return [...new Set([...here, ...inside])];
}

describe.each([
  ['router.yaml', routerSchema],
  ['gateway.yaml', gatewaySchema],
])('the reference of %s', (file, schema) => {
  const text = pageText(`reference/${file}.md`);

  it.each(allKeys(schema))('mentions %s', (key) => {
    expect(text).toMatch(new RegExp(`(^#+ |\`|\\.)${key}(\`|\\[\\]|\\.|$)`, 'm'));
  });
});

describe('the references', () => {
  const pages = ['filters', 'reference'].flatMap((folder) =>
    readdirSync(path.join(docs, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  );

  it.each(pages)('%s says what every key is for', (page) => {
    const silent = pageText(page).match(/^\| `.*\| *\|$/gm);
    expect(silent ?? []).toEqual([]);
  });
});
