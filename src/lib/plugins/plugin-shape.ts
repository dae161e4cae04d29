/** What the export of a plugin's module has to look like, so that a slip in it is found, and named, before anything runs. */
import { z } from 'zod';
import { schemaMistakes } from '../config/schema-mistakes.ts';
import { orList } from '../config/value-words.ts';
import { shown } from './checked-answer.ts';
import type { Plugin } from './plugin.ts';
import type { PluginFilter } from './plugin-filter.ts';
import type { PluginMatcher } from './plugin-matcher.ts';
import type { PluginRoutingPolicy } from './plugin-routing-policy.ts';

const callable = z.custom<() => unknown>((value) => typeof value === 'function', {
  error: ({ input }) => (input === undefined ? 'is missing' : `expected a function, not ${shown(input)}`),
});

const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const name = z.string().regex(NAME, { error: 'expected letters, digits, `_`, `-` and `.`, at most 64' });

/** Of another copy of the schema library of the same age, too: what counts is what it can do. */
function isSchema(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('_zod' in value) || !('safeParse' in value)) return false;
  const { _zod: internals } = value as z.ZodType;
  return internals?.version?.major === 4;
}

const schema = z.custom((value) => value === undefined || isSchema(value), {
  error: "expected a schema made with the `z` of 'koukan'",
});

const signal = z.looseObject({ wireName: z.string().min(1), name: z.string().min(1), toJson: callable });
const signals = z.array(signal).optional();

const common = {
  name,
  summary: z.string().min(1, { error: 'is empty: write one sentence' }),
  config: schema.optional(),
  create: callable,
} as const;

const filter = z.strictObject({ ...common, produces: signals });
const output = z.strictObject(common);
const routingPolicy = z.strictObject(common);
const matcher = z.strictObject({
  ...common,
  reads: z.custom((value) => typeof value === 'function' || ['mail', 'rcpt', 'data'].includes(String(value)), {
    error: "expected 'mail', 'rcpt', 'data' or a function",
  }),
  perRcpt: z
    .custom((value) => value === undefined || typeof value === 'function' || typeof value === 'boolean', {
      error: 'expected true, false or a function',
    })
    .optional(),
  consumes: signals,
});

const plugin = z.strictObject({
  name,
  filters: z.array(filter).optional(),
  matchers: z.array(matcher).optional(),
  routingPolicies: z.array(routingPolicy).optional(),
  outputs: z.array(output).optional(),
});

/** What an export may be: a whole plugin, or, named by itself, one part of one. */
const shapes = { plugin, filter, matcher, routingPolicy } as const;

export interface Shapes {
  readonly plugin: Plugin;
  readonly filter: PluginFilter;
  readonly matcher: PluginMatcher;
  readonly routingPolicy: PluginRoutingPolicy;
}

/** The value itself when it has the shape, else what is wrong with it: `filters[0].create: is missing`. */
export function shaped<K extends keyof Shapes>(
  kind: K,
  value: unknown,
): { readonly value: Shapes[K] } | { readonly problems: readonly string[] } {
  const shape = shapes[kind];
  if (typeof value !== 'object' || value === null) {
    return { problems: [`expected ${DEFINED_WITH[kind]}, not ${shown(value)}`] };
  }
  const parsed = shape.safeParse(value, { reportInput: true });
  if (parsed.success) return { value: value as Shapes[K] };
  const mistakes = schemaMistakes(shape, parsed.error.issues);
  return {
    problems: mistakes.map(({ path, message, suggestion }) => {
      const hint = suggestion === undefined ? '' : ` (did you mean '${suggestion}'?)`;
      return `${path.length === 0 ? '' : `${pathText(path)}: `}${message}${hint}`;
    }),
  };
}

const DEFINED_WITH: Readonly<Record<keyof Shapes, string>> = {
  plugin: 'definePlugin({…})',
  filter: 'defineFilter({…})',
  matcher: 'defineMatcher({…})',
  routingPolicy: 'defineRoutingPolicy({…})',
};

/** `filters[0].config`. */
function pathText(path: readonly (string | number)[]): string {
  return path.map((word, i) => (typeof word === 'number' ? `[${word}]` : `${i === 0 ? '' : '.'}${word}`)).join('');
}

/** Names of exports that have the shape of a plugin, for whoever forgot which one is meant. */
export function exportsWords(exports: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(exports);
  return names.length === 0 ? 'it exports nothing' : `it exports ${orList(names).replace(/ or ([^ ]+)$/, ' and $1')}`;
}
