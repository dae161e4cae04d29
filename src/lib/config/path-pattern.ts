/** Dotted patterns over paths of a document (`endpoint.*.msa`), to find values and to recognise places. */
import type { ConfigPath } from './source.ts';

export function matchesPattern(pattern: string, path: ConfigPath): boolean {
  const words = pattern.split('.');
  return words.length === path.length && words.every((word, i) => word === '*' || word === String(path[i]));
}

export interface FoundValue {
  readonly path: ConfigPath;
  readonly value: unknown;
}

/** Every value at the places a pattern names; `*` stands for each item of a list or each key of a mapping. Absent ones are left out. */
export function findAll(root: unknown, pattern: string): FoundValue[] {
  return pattern
    .split('.')
    .reduce<FoundValue[]>(
      (found, word) => found.flatMap(({ path, value }) => childrenAt(path, value, word)),
      [{ path: [], value: root }],
    );
}

function childrenAt(path: ConfigPath, value: unknown, word: string): FoundValue[] {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown, i) => ({ path: [...path, i], value: item }));
    return word === '*' ? items : items.filter((_, i) => String(i) === word);
  }
  if (!isMapping(value)) return [];
  const keys = word === '*' ? Object.keys(value) : Object.hasOwn(value, word) ? [word] : [];
  return keys.map((key) => ({ path: [...path, key], value: value[key] }));
}

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text under a key of what may be anything: checks of references work on files whose schema is not yet right. */
export function textAt(value: unknown, key: string): string | undefined {
  const found = isMapping(value) ? value[key] : undefined;
  return typeof found === 'string' && found !== '' ? found : undefined;
}
