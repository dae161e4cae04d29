/** Names that must be unique, and references that must lead somewhere: checked on plain data, so that all mistakes are found at once. */
import { nearestName } from '../core/nearest-name.ts';
import { findAll, textAt } from './path-pattern.ts';
import type { ConfigMistake, ConfigPath } from './source.ts';

/** The names of the items of a list, `sender` or `rest_output`. */
export function namesOf(root: unknown, list: string): Set<string> {
  return new Set(findAll(root, `${list}.*.name`).flatMap(({ value }) => (typeof value === 'string' ? [value] : [])));
}

/** One mistake for each second use of a name. */
export function duplicateNames(root: unknown, list: string, what: string): ConfigMistake[] {
  const seen = new Set<string>();
  return findAll(root, `${list}.*`).flatMap(({ path, value }) => {
    const name = textAt(value, 'name');
    if (name === undefined) return [];
    if (seen.has(name)) return [{ path: [...path, 'name'], message: `there is already ${what} '${name}'` }];
    seen.add(name);
    return [];
  });
}

/** The mistake of a reference that leads nowhere, or none. */
export function unknownReference(
  path: ConfigPath,
  name: string | undefined,
  known: ReadonlySet<string>,
  what: string,
  whose = '',
): ConfigMistake[] {
  if (name === undefined || known.has(name)) return [];
  const suggestion = nearestName(name, known);
  if (suggestion !== undefined) return [{ path, message: `unknown ${what} '${name}'${whose}`, suggestion }];
  const names = known.size === 0 ? 'there is none' : `there are: ${[...known].join(', ')}`;
  return [{ path, message: `unknown ${what} '${name}'${whose} (${names})` }];
}
