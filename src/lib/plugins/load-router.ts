/** Loads a router's configuration with its plugins, and finds the mistakes of both in one go. */
import { stepChecker } from '../chain/compile.ts';
import type { StepRegistry } from '../chain/step-registry.ts';
import { parseRouterConfig, pathResolver, readConfigFile } from '../config/load.ts';
import type { RouterConfig } from '../config/router-config.ts';
import type { Clock } from '../core/deps.ts';
import { pluginsOf } from './steps-of.ts';

export interface LoadedRouter {
  readonly config: RouterConfig;
  /** What its chains are compiled from. */
  readonly registry: StepRegistry;
  readonly hasPlugins: boolean;
}

/** Rejects with `InvalidConfigError`. */
export async function loadRouter(file: string, clock: Clock): Promise<LoadedRouter> {
  const text = readConfigFile(file);
  const { registry, plugins, mistakes } = await pluginsOf(text, file, clock);
  const checkStep = stepChecker(registry, pathResolver(file));
  const config = parseRouterConfig(text, file, { checkFiles: true, checkStep, mistakes });
  return { config, registry, hasPlugins: plugins.length > 0 };
}
