/** What a plugin's parts may use of the program that runs them: a small, stable piece of what built-in steps see. */
import type { ChainEnv } from '../chain/filter.ts';

/**
 * Given to `create`, once for each chain that names the part.
 *
 * - `deps`: `clock`, `rng`, `dns` and `log`. Take time, randomness and DNS from here, so that a test can decide them; `log` carries the
 *   plugin's name.
 * - `sender`: whose chain it is (and its tag).
 * - `resolvePath`: turns a path in the options into one that can be opened: relative paths are relative to the configuration file.
 */
export type PluginEnv = Pick<ChainEnv, 'deps' | 'sender' | 'resolvePath'>;

/** The public part, and nothing else even for code without types. */
export function pluginEnv(env: PluginEnv, plugin: string): PluginEnv {
  const { deps, sender, resolvePath } = env;
  return { deps: { ...deps, log: deps.log.child({ plugin }) }, sender, resolvePath };
}
