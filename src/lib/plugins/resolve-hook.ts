/**
 * Runs in Node's loader, on its own thread: lets a plugin find the program that runs it under the name `koukan`, wherever either is
 * installed, and finds packages from where the configuration file is. See `module-resolver.ts`, which installs it.
 */
import type { InitializeHook, ResolveHook } from 'node:module';

export interface HookData {
  /** URL of the public API of the running program. */
  readonly koukan: string;
}

export interface PluginSpecifier {
  readonly module: string;
  /** URL of the configuration file that names it. */
  readonly from: string;
}

export const PLUGIN_SCHEME = 'koukan-plugin:';

export function pluginSpecifier(ask: PluginSpecifier): string {
  return PLUGIN_SCHEME + encodeURIComponent(JSON.stringify(ask));
}

let koukan = '';

export const initialize: InitializeHook<HookData> = (data) => {
  koukan = data.koukan;
};

export const resolve: ResolveHook = (specifier, context, nextResolve) => {
  if (specifier === 'koukan') return { url: koukan, format: 'module', shortCircuit: true };
  if (!specifier.startsWith(PLUGIN_SCHEME)) return nextResolve(specifier, context);
  const { module, from } = JSON.parse(decodeURIComponent(specifier.slice(PLUGIN_SCHEME.length))) as PluginSpecifier;
  return nextResolve(module, { ...context, parentURL: from });
};
