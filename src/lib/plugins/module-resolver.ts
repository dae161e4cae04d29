/** Finds the file that a configuration means by the name of a module. */
import { readdirSync, statSync } from 'node:fs';
import { register } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readProblem } from '../config/file-checks.ts';
import { nearestName } from '../core/nearest-name.ts';
import { type HookData, pluginSpecifier } from './resolve-hook.ts';
import { thrownText } from './thrown-words.ts';

export type FoundModule =
  | { readonly url: string; readonly file: string }
  | { readonly problem: string; readonly suggestion?: string };

/** `./plugin.js` and `/…` are files, relative to the configuration file; anything else is a package, found from its folder. */
export async function findModule(module: string, configFile: string): Promise<FoundModule> {
  const folder = path.dirname(path.resolve(configFile));
  installHook();
  if (/^(?:\.{1,2}\/|\/)/.test(module)) return findFile(module, path.resolve(folder, module));
  try {
    const from = pathToFileURL(path.join(folder, path.basename(configFile))).href;
    const { resolvedUrl } = await import('./resolved-url.ts');
    const url = resolvedUrl(pluginSpecifier({ module, from }));
    return { url, file: url.startsWith('file:') ? fileURLToPath(url) : url };
  } catch (error) {
    return notFound(module, folder, error);
  }
}

function findFile(module: string, file: string): FoundModule {
  try {
    if (statSync(file).isFile()) return { url: pathToFileURL(file).href, file };
    return { problem: `expected a file, not ${file}` };
  } catch (error) {
    const near = nearestName(path.basename(file), modulesIn(path.dirname(file)));
    const suggestion = near === undefined ? {} : { suggestion: module.slice(0, module.lastIndexOf('/') + 1) + near };
    return { problem: readProblem(file, error), ...suggestion };
  }
}

function modulesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => /\.m?js$/.test(name));
  } catch {
    // A folder that cannot be read has nothing to suggest; the file in it is reported.
    return [];
  }
}

function notFound(module: string, folder: string, error: unknown): FoundModule {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'ERR_INVALID_MODULE_SPECIFIER') return { problem: thrownText(error) };
  const isFile = statSync(path.resolve(folder, module), { throwIfNoEntry: false })?.isFile() === true;
  if (isFile) return { problem: 'a path begins with ./ or /', suggestion: `./${module}` };
  // `examples.hello`: how the original names a module.
  const isPython = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$/.test(module) && !/\.[cm]?[jt]s$/.test(module);
  const hint = isPython ? '; Python modules are not loaded' : '';
  return { problem: `there is no package '${module}' in reach of ${folder}${hint}` };
}

let isHookInstalled = false;

/** Only once something is to be loaded: a process without plugins runs without a hook. */
function installHook(): void {
  if (isHookInstalled) return;
  isHookInstalled = true;
  const data: HookData = { koukan: new URL('../../index.js', import.meta.url).href };
  register('./resolve-hook.js', { parentURL: import.meta.url, data });
}
