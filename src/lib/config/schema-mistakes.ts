/** Turns what a schema found wrong into mistakes for people: one each, in YAML's words, with the nearest valid name. */
import type { z } from 'zod';
import { nearestName } from '../core/nearest-name.ts';
import { schemaKeys, schemaWords } from './schema-keys.ts';
import type { ConfigMistake, ConfigPath } from './source.ts';
import { describeType, describeValue, orList, pathLabel } from './value-words.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Says what to write instead of a key that older versions had. */
export type OlderKey = (path: ConfigPath, key: string) => string | undefined;

/** The issues must come from `schema.safeParse(value, { reportInput: true })`. */
export function schemaMistakes(
  schema: z.core.$ZodType,
  issues: readonly Issue[],
  olderKey: OlderKey = () => undefined,
): ConfigMistake[] {
  return issues.flatMap((issue) => issueMistakes(schema, issue, issue.path, olderKey));
}

/** `path` is the issue's place in the whole; inside a union an issue knows only its place in the branch. */
function issueMistakes(schema: z.core.$ZodType, issue: Issue, path: Path, olderKey: OlderKey): ConfigMistake[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(schema, path, key, olderKey));
  }
  if (issue.code === 'invalid_union') return unionMistakes(schema, issue, path, olderKey);
  if (isMissing(issue) && path.length > 0) {
    const parent = path.slice(0, -1);
    return [{ path: configPath(parent), message: `missing '${pathLabel(path)}'${expectation(issue)}` }];
  }
  return [wrongValue(issue, path)];
}

function unknownKey(schema: z.core.$ZodType, path: Path, key: string, olderKey: OlderKey): ConfigMistake {
  const at = configPath(path);
  const instead = olderKey(at, key);
  if (instead !== undefined) return { path: at, key, message: `'${key}' is of an older version: ${instead}` };
  const keys = schemaKeys(schema, path);
  // In a union a key may be known to another branch.
  const suggestion = nearestName(
    key,
    keys.filter((each) => each !== key),
  );
  if (suggestion !== undefined) return { path: at, key, message: `unknown key '${key}'`, suggestion };
  const known = keys.length === 0 ? 'no keys are known here' : `known here: ${keys.join(', ')}`;
  return { path: at, key, message: `unknown key '${key}' (${known})` };
}

/** Follows the branch the user most likely meant: the one that got furthest. */
function unionMistakes(
  schema: z.core.$ZodType,
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: Path,
  olderKey: OlderKey,
): ConfigMistake[] {
  if (issue.discriminator !== undefined) return [wrongKind(schema, issue, path, issue.discriminator)];
  if (isMissing(issue) && path.length > 0) {
    return [{ path: configPath(path.slice(0, -1)), message: `missing '${pathLabel(path)}'` }];
  }
  const entered = issue.errors.filter((branch) => !branch.some((each) => each.path.length === 0 && isWrongType(each)));
  const nearest = entered.toSorted((a, b) => distanceOf(a) - distanceOf(b))[0];
  if (nearest !== undefined) {
    return nearest.flatMap((each) => issueMistakes(schema, each, [...path, ...each.path], olderKey));
  }
  const types = issue.errors.flatMap((branch) => branch.flatMap((each) => expectedWords(each)));
  return [types.length === 0 ? wrongValue(issue, path) : notAmong(path, types, issue.input)];
}

/** How far a branch is from what was written: an unknown key is further away than a missing one. */
function distanceOf(branch: readonly Issue[]): number {
  return branch.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? 2 * issue.keys.length : 1), 0);
}

/** A mapping whose kind is told by a word in it, and the word is none of the known ones. */
function wrongKind(schema: z.core.$ZodType, issue: Issue, path: Path, discriminator: string): ConfigMistake {
  const written = (issue.input as Readonly<Record<string, unknown>> | undefined)?.[discriminator];
  const words = schemaWords(schema, path);
  if (written === undefined) {
    return { path: configPath(path.slice(0, -1)), message: `missing '${discriminator}': expected ${orList(words)}` };
  }
  return notAmong(path, words, written);
}

function notAmong(path: Path, words: readonly string[], written: unknown): ConfigMistake {
  const suggestion = typeof written === 'string' ? nearestName(written, words) : undefined;
  const message = `'${pathLabel(path)}': expected ${orList(words)}, not ${describeValue(written)}`;
  return { path: configPath(path), message, ...(suggestion === undefined ? {} : { suggestion }) };
}

/** How the schema library begins what it says by itself; anything else was written for this very place, and wins. */
const STOCK_MESSAGE = /^(?:Invalid|Too (?:big|small)|Unrecognized)/;

function wrongValue(issue: Issue, path: Path): ConfigMistake {
  const at = configPath(path);
  const label = `'${pathLabel(path)}'`;
  if (!STOCK_MESSAGE.test(issue.message)) {
    // The whole of what the schema describes may be a step or a matcher, whose place says which.
    return { path: at, message: path.length === 0 ? issue.message : `${label}: ${issue.message}` };
  }
  if (issue.code === 'invalid_value') return notAmong(path, issue.values.map(String), issue.input);
  if (issue.code === 'invalid_type') {
    return { path: at, message: `${label}: expected ${describeType(issue.expected)}, not ${shown(issue)}` };
  }
  return { path: at, message: `${label}: ${boundWords(issue) ?? issue.message}` };
}

function boundWords(issue: Issue): string | undefined {
  if (issue.code === 'too_small') {
    if (issue.origin === 'array' || issue.origin === 'string') return issue.minimum === 1 ? 'is empty' : undefined;
    return `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}, not ${shown(issue)}`;
  }
  if (issue.code === 'too_big' && issue.origin !== 'array' && issue.origin !== 'string') {
    return `must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}, not ${shown(issue)}`;
  }
  return undefined;
}

function isMissing(issue: Issue): boolean {
  return issue.input === undefined && issue.code !== 'custom';
}

function isWrongType(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function expectation(issue: Issue): string {
  const words = expectedWords(issue);
  return words.length === 0 ? '' : `: expected ${orList(words)}`;
}

function expectedWords(issue: Issue): string[] {
  if (issue.code === 'invalid_type') return [describeType(issue.expected)];
  return issue.code === 'invalid_value' ? issue.values.map(String) : [];
}

function shown(issue: Issue): string {
  return describeValue(issue.input);
}

function configPath(path: Path): ConfigPath {
  return path.map((segment) => (typeof segment === 'number' ? segment : String(segment)));
}
