/** Whose code runs. Work that a plugin began is told from the program's own by its asynchronous context, so that a fault has a name. */
import { AsyncLocalStorage } from 'node:async_hooks';

export interface PluginPart {
  readonly plugin: string;
  /** `filter`, `matcher`, `routing policy`, `output`, or `module` while it is loaded. */
  readonly kind: string;
  readonly name: string;
}

const atWork = new AsyncLocalStorage<PluginPart | undefined>();

/** Runs code of a plugin, and all it sets going. */
export function inPlugin<T>(part: PluginPart, work: () => T): T {
  return atWork.run(part, work);
}

/** Runs the program's own code that a plugin called. */
export function outsidePlugins<T>(work: () => T): T {
  return atWork.run(undefined, work);
}

/** `undefined` when what runs now was not set going by a plugin. */
export function pluginAtWork(): PluginPart | undefined {
  return atWork.getStore();
}

/** `the filter hello of the plugin examples`. */
export function partWords({ plugin, kind, name }: PluginPart): string {
  return kind === 'module' ? `the plugin ${plugin}` : `the ${kind} ${name} of the plugin ${plugin}`;
}
