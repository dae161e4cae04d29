/** The steps that a router's configuration may use, with those of the plugins it names: what everything begins with that reads one. */
import type { StepsOf } from '../chain/step-registry.ts';
import { parseConfigDocument } from '../config/document.ts';
import type { Clock } from '../core/deps.ts';
import { loadPlugins, type PluginLoad } from './load-plugins.ts';

/** Rejects with `InvalidConfigError` only for a text that is no YAML mapping. */
export async function pluginsOf(text: string, file: string, clock: Clock): Promise<PluginLoad> {
  return loadPlugins(parseConfigDocument(text, file).value.modules, file, clock);
}

/** The same for those who only want the steps. */
export function stepsOf(clock: Clock): StepsOf {
  return (text, file) => pluginsOf(text, file, clock);
}
