/**
 * The section `modules` of a router's configuration, in both forms: a list of modules that are plugins, and the three maps of the original,
 * which name one part each.
 *
 *     modules: [./plugins/hello.js, some-package]
 *
 *     modules:
 *       sync_filter: {hello: './plugins/hello.js:helloFilter'}
 */
import { isMapping } from '../config/path-pattern.ts';
import type { ConfigMistake, ConfigPath } from '../config/source.ts';
import { describeValue, orList } from '../config/value-words.ts';
import { limits } from '../core/limits.ts';
import { nearestName } from '../core/nearest-name.ts';
import type { Shapes } from './plugin-shape.ts';

/** One module that is named, and what it is named for. */
export interface ModuleEntry {
  readonly path: ConfigPath;
  /** A path relative to the configuration file (`./…`, `/…`), or the name of a package. */
  readonly module: string;
  readonly exportName: string;
  readonly shape: keyof Shapes;
  /** In the maps: what configuration calls the part, whatever it calls itself. */
  readonly name?: string;
}

const MAPS: Readonly<Record<string, Exclude<keyof Shapes, 'plugin'>>> = {
  sync_filter: 'filter',
  recipient_router_policy: 'routingPolicy',
  transaction_matcher: 'matcher',
};

/** Mistakes are added to `mistakes`. */
export function modulesSection(value: unknown, mistakes: ConfigMistake[]): readonly ModuleEntry[] {
  if (value === undefined || value === null) return [];
  const entries = Array.isArray(value) ? listEntries(value, mistakes) : mapEntries(value, mistakes);
  if (entries.length <= limits.plugins) return entries;
  mistakes.push({ path: ['modules'], message: `at most ${limits.plugins} modules` });
  return [];
}

function listEntries(list: readonly unknown[], mistakes: ConfigMistake[]): ModuleEntry[] {
  return list.flatMap((item, i) => entry(['modules', i], item, { shape: 'plugin' }, mistakes));
}

function mapEntries(value: unknown, mistakes: ConfigMistake[]): ModuleEntry[] {
  if (!isMapping(value)) {
    const message = `'modules': expected a list of modules, not ${describeValue(value)}`;
    mistakes.push({ path: ['modules'], message });
    return [];
  }
  return Object.entries(value).flatMap(([key, parts]) => {
    const shape = MAPS[key];
    if (shape === undefined) {
      const suggestion = nearestName(key, Object.keys(MAPS));
      const message = `unknown key '${key}' (known here: ${orList(Object.keys(MAPS))}; or write a list of modules)`;
      mistakes.push({ path: ['modules'], key, message, ...(suggestion !== undefined && { suggestion }) });
      return [];
    }
    if (parts === null) return [];
    if (!isMapping(parts)) {
      const message = `'${key}': expected a mapping of names to modules, not ${describeValue(parts)}`;
      mistakes.push({ path: ['modules', key], message });
      return [];
    }
    return Object.entries(parts).flatMap(([name, item]) =>
      entry(['modules', key, name], item, { shape, name }, mistakes),
    );
  });
}

function entry(
  path: ConfigPath,
  item: unknown,
  what: Pick<ModuleEntry, 'shape' | 'name'>,
  mistakes: ConfigMistake[],
): ModuleEntry[] {
  if (typeof item !== 'string' || item.trim() === '') {
    const message = `expected a module such as ./plugin.js or the name of a package, not ${describeValue(item)}`;
    mistakes.push({ path, message });
    return [];
  }
  const [, module = item, exportName = 'default'] = /^(.+):([A-Za-z_$][\w$]*)$/.exec(item) ?? [];
  return [{ path, module, exportName, ...what }];
}
