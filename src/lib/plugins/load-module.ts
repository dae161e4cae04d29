/** Loads one module that a configuration names, and takes from it what was named. */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { nearestName } from '../core/nearest-name.ts';
import { importProblem } from './import-problem.ts';
import { findModule } from './module-resolver.ts';
import type { ModuleEntry } from './modules-section.ts';
import { PluginFault } from './plugin-fault.ts';
import { inPlugin, type PluginPart } from './plugin-part.ts';
import { exportsWords, type Shapes, shaped } from './plugin-shape.ts';
import { thrownWords } from './thrown-words.ts';
import { timeLimited } from './time-limited.ts';
import { watchPlugins } from './watch-plugins.ts';

export type LoadedModule =
  | { readonly file: string; readonly value: Shapes[keyof Shapes] }
  | { readonly problems: readonly string[]; readonly suggestion?: string };

/** Never rejects for anything the module does. */
export async function loadModule(entry: ModuleEntry, configFile: string, clock: Clock): Promise<LoadedModule> {
  const found = await findModule(entry.module, configFile);
  if ('problem' in found) {
    return { problems: [found.problem], ...(found.suggestion !== undefined && { suggestion: found.suggestion }) };
  }
  const { url, file } = found;
  const stray: unknown[] = [];
  const unwatch = watchPlugins((_, error) => stray.push(error));
  try {
    const exports = await imported(url, { plugin: entry.module, kind: 'module', name: entry.module }, clock);
    if (stray.length > 0) return { problems: [`${file} leaves a promise rejected: ${thrownWords(stray[0])}`] };
    return taken(entry, exports, file);
  } catch (error) {
    const why = error instanceof PluginFault ? 'takes too long to load' : importProblem(error, file);
    return { problems: [`${file} ${why}`] };
  } finally {
    unwatch();
  }
}

async function imported(url: string, part: PluginPart, clock: Clock): Promise<Readonly<Record<string, unknown>>> {
  const never = new AbortController().signal;
  const load = async (): Promise<Readonly<Record<string, unknown>>> => {
    const exports = (await import(url)) as Readonly<Record<string, unknown>>;
    // What it set going is heard of only when the event loop has gone round.
    await new Promise((resolve) => setImmediate(resolve));
    return exports;
  };
  return (await timeLimited(part, clock, never, () => inPlugin(part, load), limits.pluginLoadMs)) ?? {};
}

function taken(entry: ModuleEntry, exports: Readonly<Record<string, unknown>>, file: string): LoadedModule {
  const { exportName, shape, name } = entry;
  if (!Object.hasOwn(exports, exportName)) {
    const what = exportName === 'default' ? 'no default export' : `no export '${exportName}'`;
    const suggestion = nearestName(exportName, Object.keys(exports));
    return {
      problems: [`${file} has ${what}; ${exportsWords(exports)}`],
      ...(suggestion !== undefined && { suggestion }),
    };
  }
  const given = exports[exportName];
  const isPart = name !== undefined && typeof given === 'object' && given !== null;
  const checked = shaped(shape, isPart ? { ...given, name } : given);
  if ('value' in checked) return { file, value: checked.value };
  return { problems: checked.problems.map((problem) => `${file}: ${problem}`) };
}
