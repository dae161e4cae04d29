/**
 * The match language of policies: `{matcher: NAME, …options}`, `{any: […]}`, `{all: […]}`, `{not: {…}}`. Read once, when the chain is
 * compiled; every mistake is collected with its place.
 */
import type { Earlier, Phase } from '../../chain/filter.ts';
import { schemaMistakes } from '../../config/schema-mistakes.ts';
import { ConfigError, type ConfigMistake, type ConfigPath } from '../../config/source.ts';
import { limits } from '../../core/limits.ts';
import { nearestName } from '../../core/nearest-name.ts';
import { allOf, anyOf, not } from '../../matchers/combine.ts';
import type { Matcher, MatcherDefinition, MatcherEnv } from '../../matchers/matcher.ts';

export interface Leaf {
  readonly kind: 'leaf';
  readonly definition: MatcherDefinition;
  readonly config: unknown;
  /** Of the matcher in the step. */
  readonly path: ConfigPath;
}

export type MatchNode =
  | Leaf
  | { readonly kind: 'any' | 'all'; readonly each: readonly MatchNode[] }
  | { readonly kind: 'not'; readonly inner: MatchNode };

/** Mistakes are added to `mistakes`; what could not be read is left out of the result. */
export function readMatch(
  raw: unknown,
  path: ConfigPath,
  registry: readonly MatcherDefinition[],
  mistakes: ConfigMistake[],
): MatchNode | undefined {
  if (path.length > limits.policyMatchDepth) return fault(mistakes, path, 'the match is nested too deeply');
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return fault(mistakes, path, EXPECTED);
  const given = raw as Readonly<Record<string, unknown>>;
  if ('matcher' in given) return readLeaf(given, path, registry, mistakes);
  const [key, ...others] = Object.keys(given);
  if (key === undefined || others.length > 0 || !['any', 'all', 'not'].includes(key)) {
    return fault(mistakes, path, EXPECTED);
  }
  if (key === 'not') {
    const inner = readMatch(given.not, [...path, 'not'], registry, mistakes);
    return inner && { kind: 'not', inner };
  }
  const list = given[key];
  if (!Array.isArray(list) || list.length === 0) {
    return fault(mistakes, [...path, key], `'${key}' needs a list of matches`);
  }
  const each = list.map((item: unknown, i) => readMatch(item, [...path, key, i], registry, mistakes));
  return { kind: key === 'any' ? 'any' : 'all', each: each.filter((node) => node !== undefined) };
}

const EXPECTED = 'a match is one of {matcher: NAME, …}, {any: […]}, {all: […]}, {not: {…}}';

function readLeaf(
  given: Readonly<Record<string, unknown>>,
  path: ConfigPath,
  registry: readonly MatcherDefinition[],
  mistakes: ConfigMistake[],
): Leaf | undefined {
  const { matcher: name, ...options } = given;
  if (typeof name !== 'string') return fault(mistakes, [...path, 'matcher'], "'matcher' is the name of one");
  const definition = registry.find((each) => each.name === name || each.aliases?.includes(name));
  if (definition === undefined) {
    const known = registry.flatMap((each) => [each.name, ...(each.aliases ?? [])]);
    return fault(mistakes, [...path, 'matcher'], `unknown matcher '${name}'`, nearestName(name, known));
  }
  const parsed = definition.config.safeParse(options, { reportInput: true });
  if (parsed.success) return { kind: 'leaf', definition, config: parsed.data, path };
  mistakes.push(...below(path, schemaMistakes(definition.config, parsed.error.issues)));
  return undefined;
}

export function leavesOf(node: MatchNode): readonly Leaf[] {
  switch (node.kind) {
    case 'leaf':
      return [node];
    case 'not':
      return leavesOf(node.inner);
    default:
      return node.each.flatMap(leavesOf);
  }
}

/** The phase in which everything the matcher reads exists. */
export function phaseOf({ definition, config }: Leaf, earlier: Earlier): Phase {
  return typeof definition.reads === 'function' ? definition.reads(config, earlier) : definition.reads;
}

/** The matcher asks about a recipient. */
export function asksPerRcpt({ definition, config }: Leaf): boolean {
  return typeof definition.perRcpt === 'function' ? definition.perRcpt(config) : definition.perRcpt === true;
}

export function buildMatch(node: MatchNode, env: MatcherEnv, mistakes: ConfigMistake[]): Matcher {
  switch (node.kind) {
    case 'leaf':
      return createLeaf(node, env, mistakes);
    case 'not':
      return not(buildMatch(node.inner, env, mistakes));
    case 'any':
      return anyOf(node.each.map((each) => buildMatch(each, env, mistakes)));
    case 'all':
      return allOf(node.each.map((each) => buildMatch(each, env, mistakes)));
  }
}

function createLeaf(leaf: Leaf, env: MatcherEnv, mistakes: ConfigMistake[]): Matcher {
  try {
    return leaf.definition.create(leaf.config, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    mistakes.push(...below(leaf.path, error.mistakes));
    return () => 'unmet';
  }
}

function below(path: ConfigPath, mistakes: readonly ConfigMistake[]): ConfigMistake[] {
  return mistakes.map((mistake) => ({ ...mistake, path: [...path, ...mistake.path] }));
}

function fault(mistakes: ConfigMistake[], path: ConfigPath, message: string, suggestion?: string): undefined {
  mistakes.push({ path, message, ...(suggestion !== undefined && { suggestion }) });
}
