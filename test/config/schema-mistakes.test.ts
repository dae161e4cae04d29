/** How what a schema finds is said to people. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { schemaMistakes } from '../../src/lib/config/schema-mistakes.ts';

interface Tree {
  readonly kind: 'leaf' | 'node';
  readonly children?: readonly Tree[];
}
const tree: z.ZodType<Tree> = z.lazy(() =>
  z.strictObject({ kind: z.enum(['leaf', 'node']), children: z.array(tree).optional() }),
) as z.ZodType<Tree>;

const schema = z.strictObject({
  either: z
    .union([z.strictObject({ file: z.string() }), z.strictObject({ url: z.string(), port: z.number() })])
    .optional(),
  simple: z.union([z.boolean(), z.number()]).optional(),
  tagged: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('apple'), weight: z.number() }),
      z.strictObject({ type: z.literal('pear') }),
    ])
    .optional(),
  tree: tree.optional(),
  named: z.record(z.string(), z.strictObject({ speed: z.int() })).optional(),
  pair: z.tuple([z.string(), z.number()]).optional(),
  action: z.union([z.enum(['LOG', 'REJECT']), z.array(z.tuple([z.number(), z.enum(['LOG', 'REJECT'])]))]).optional(),
  worded: z
    .string()
    .refine((text) => text === 'x', { error: 'has to be an x' })
    .optional(),
});

function said(value: unknown): string[] {
  const { error } = schema.safeParse(value, { reportInput: true });
  return schemaMistakes(schema, error?.issues ?? []).map(({ path, key, message, suggestion }) => {
    const place = [...path, ...(key === undefined ? [] : [`<${key}>`])].join('.');
    return `${place}: ${message}${suggestion === undefined ? '' : ` → ${suggestion}`}`;
  });
}

describe('a mistake', () => {
  it.each([
    [
      { either: { url: 'u', prot: 1 } },
      ["either: missing 'port': expected a number", "either.<prot>: unknown key 'prot' → port"],
    ],
    [{ either: 3 }, ["either: 'either': expected a mapping, not 3"]],
    [{ simple: 'x' }, ['simple: \'simple\': expected true or false or a number, not "x"']],
    [{ tagged: { type: 'appel' } }, ['tagged.type: \'type\': expected apple or pear, not "appel" → apple']],
    [
      { tagged: { type: 'apple', wieght: 1 } },
      ["tagged: missing 'weight': expected a number", "tagged.<wieght>: unknown key 'wieght' → weight"],
    ],
    [{ tagged: {} }, ["tagged: missing 'type': expected apple or pear"]],
    [
      { tree: { kind: 'node', children: [{ kind: 'laef' }] } },
      ['tree.children.0.kind: \'kind\': expected leaf or node, not "laef" → leaf'],
    ],
    [{ tree: { kind: 'leaf', childern: [] } }, ["tree.<childern>: unknown key 'childern' → children"]],
    [
      { named: { a: { sped: 1 } } },
      ["named.a: missing 'speed': expected a number", "named.a.<sped>: unknown key 'sped' → speed"],
    ],
    [{ named: { a: { speed: 1.5 } } }, ["named.a.speed: 'speed': expected a whole number, not 1.5"]],
    [{ pair: ['x', 'y'] }, ['pair.1: \'pair[1]\': expected a number, not "y"']],
    [{ action: 'REJCT' }, ['action: \'action\': expected LOG, REJECT or a list, not "REJCT" → REJECT']],
    [{ action: [[1, 'LGO']] }, ['action.0.1: \'action[0][1]\': expected LOG or REJECT, not "LGO" → LOG']],
    [{ worded: 'y' }, ["worded: 'worded': has to be an x"]],
    [{ worded: null }, ["worded: 'worded': expected text, not nothing"]],
    ['text', [': \'the file\': expected a mapping, not "text"']],
  ])('in %j', (value, expected) => {
    expect(said(value)).toEqual(expected);
  });
});
