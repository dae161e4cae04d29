/** The reference of all keys, config/README.md, leaves none out. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { gatewaySchema } from '../../src/lib/config/gateway-schema.ts';
import { routerSchema } from '../../src/lib/config/router-schema.ts';
import { schemaKeys } from '../../src/lib/config/schema-keys.ts';

const DEPTH = 6;
const text = readFileSync(path.resolve(import.meta.dirname, '../../config/README.md'), 'utf8');

function allKeys(schema: z.ZodType, at: readonly PropertyKey[] = []): string[] {
  if (at.length > DEPTH) return [];
  const here = schemaKeys(schema, at);
  const inside = here.flatMap((key) => [...allKeys(schema, [...at, key]), ...allKeys(schema, [...at, key, 0])]);
  return [...new Set([...here, ...inside])];
}

describe.each([
  ['router', routerSchema],
  ['gateway', gatewaySchema],
])('the reference of the %s', (_, schema) => {
  it.each(allKeys(schema))('mentions %s', (key) => {
    expect(text).toMatch(new RegExp(`[\`.]${key}[\`.:[]`));
  });
});
